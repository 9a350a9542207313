"""Things that a hotel counts in a room, towels and amenities, held against the reference that shows them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.room_analyzer import SURE, ChecklistItem, ItemAnswer, PhotoEvidence
from app.types import Box

_TOWELS = ("towel", "khăn", "khan tam", "khan mat")


@dataclass(frozen=True, slots=True)
class LookedFor:
    """A thing of the reference in one photo that shows the same view.

    ``present`` is None where that is not clear; ``box`` is its place in the photo of that number, from 0.
    """

    number: int
    name: str
    photo: int
    present: bool | None
    box: Box


@dataclass(frozen=True, slots=True)
class ItemCount:
    """How many of the things of that name were found or are gone; the others could not be seen, or not clearly."""

    name: str
    expected: int
    found: int
    missing: int


def count_items(names: Sequence[str], looked_for: Sequence[LookedFor]) -> list[ItemCount]:
    """The things of the reference, by name: ``names`` has one entry for each of them, in their order."""
    states = _states(len(names), looked_for)
    return [
        ItemCount(
            name,
            expected=names.count(name),
            found=sum(other == name and states[number] is True for number, other in enumerate(names)),
            missing=sum(other == name and states[number] is False for number, other in enumerate(names)),
        )
        for name in dict.fromkeys(names)
    ]


def with_items(
    evidence: Sequence[PhotoEvidence], names: Sequence[str], looked_for: Sequence[LookedFor]
) -> list[PhotoEvidence]:
    """Evidence that answers for towels and amenities too: no where one is gone, yes where all were found."""
    states = _states(len(names), looked_for)
    photos = list(evidence)
    for item, wanted in ((ChecklistItem.TOWELS_PRESENT, True), (ChecklistItem.AMENITIES_COMPLETE, False)):
        numbers = [number for number, name in enumerate(names) if is_towel(name) is wanted]
        if not numbers or not (
            any(states[number] is False for number in numbers) or all(states[number] for number in numbers)
        ):
            continue
        complete = all(states[number] for number in numbers)
        seen = next(one for one in looked_for if one.number in numbers and one.present is complete)
        answer = ItemAnswer(value=complete, confidence=SURE, box=seen.box)
        photo = photos[seen.photo]
        photos[seen.photo] = replace(photo, sights={**photo.sights, item: answer})
    return photos


def is_towel(name: str) -> bool:
    """Whether the checklist counts it among the towels, in English or Vietnamese."""
    return any(word in name.casefold() for word in _TOWELS)


def _states(count: int, looked_for: Sequence[LookedFor]) -> list[bool | None]:
    """Of each thing: found in any photo, else gone in any, else None."""
    answers = [{one.present for one in looked_for if one.number == number} for number in range(count)]
    return [True if True in states else False if False in states else None for states in answers]

"""From the evidence of one or more photos to a verdict on the room: plain rules, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.room_analyzer import SURE, Finding, Item, PhotoEvidence


class RoomStatus(StrEnum):
    """``MAINTENANCE`` comes from people, or from a pack that can see damage."""

    CLEAN = "clean"
    DIRTY = "dirty"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class RoomRules:
    """What a hotel may decide.

    Attributes:
        required: items that must have been seen in order before a room counts as ready.
        items_by_type: which items apply to a type of room; all apply to a type that is not named.
        minutes: cleaning time by the label of a finding.
    """

    required: frozenset[Item]
    items_by_type: Mapping[str, frozenset[Item]]
    minutes: Mapping[str, int]

    def items_of(self, room_type: str | None) -> tuple[Item, ...]:
        """The checklist of that type of room, in its fixed order."""
        applicable = self.items_by_type.get(room_type or "", frozenset(Item))
        return tuple(item for item in Item if item in applicable)


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An answered item and the number of the photo that decided it, from 0."""

    value: bool
    confidence: float
    photo: int


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding and the number of its photo, from 0."""

    finding: Finding
    photo: int


@dataclass(frozen=True, slots=True)
class RoomVerdict:
    """The answer.

    Attributes:
        confidence: probability that ``status`` is right.
        uncertain: whether nobody should rely on it: a doubtful case, or no photo of a room among them.
        checklist: by applicable item; None where no photo shows it.
        not_seen: applicable items that no photo shows.
    """

    status: RoomStatus
    confidence: float
    uncertain: bool
    ready_for_guest: bool
    findings: tuple[PlacedFinding, ...]
    checklist: Mapping[Item, CheckedItem | None]
    not_seen: tuple[Item, ...]
    not_applicable: tuple[Item, ...]
    cleaning_minutes: int


def judge_room(photos: Sequence[PhotoEvidence], rules: RoomRules, *, room_type: str | None = None) -> RoomVerdict:
    """Merge the photos of one room: what speaks against it in any of them counts."""
    rooms = [(number, photo) for number, photo in enumerate(photos) if photo.room >= 0.5]
    status, confidence = _status([photo for _, photo in rooms])
    applicable = rules.items_of(room_type)
    checklist = {item: _merge_item(item, rooms) for item in applicable}
    findings = _merge_findings(rooms)
    uncertain = not rooms or confidence < SURE
    against = findings or any(checked is not None and not checked.value for checked in checklist.values())
    missing = [item for item in applicable if item in rules.required and not _holds(checklist[item])]
    return RoomVerdict(
        status=status,
        confidence=confidence,
        uncertain=uncertain,
        ready_for_guest=status is RoomStatus.CLEAN and not uncertain and not against and not missing,
        findings=findings,
        checklist=checklist,
        not_seen=tuple(item for item, checked in checklist.items() if checked is None),
        not_applicable=tuple(item for item in Item if item not in applicable),
        cleaning_minutes=sum(rules.minutes.get(placed.finding.label, 0) for placed in findings),
    )


def _status(rooms: Sequence[PhotoEvidence]) -> tuple[RoomStatus, float]:
    """Dirty if any photo is; the confidence is that of the photo that decides."""
    if not rooms:
        return RoomStatus.DIRTY, 0.0
    worst = max(photo.untidy for photo in rooms)
    return (RoomStatus.DIRTY, worst) if worst > 0.5 else (RoomStatus.CLEAN, 1 - worst)


def _merge_item(item: Item, rooms: Sequence[tuple[int, PhotoEvidence]]) -> CheckedItem | None:
    """No beats yes: a corner that is not in order is not put right by another photo. Else the surest photo decides."""
    answers = [
        CheckedItem(photo.sights[item].value, photo.sights[item].confidence, number)
        for number, photo in rooms
        if item in photo.sights
    ]
    return max(answers, key=lambda answer: (not answer.value, answer.confidence), default=None)


def _merge_findings(rooms: Sequence[tuple[int, PhotoEvidence]]) -> tuple[PlacedFinding, ...]:
    """Each label once, from the photo where it is surest; surest first."""
    surest: dict[str, PlacedFinding] = {}
    for number, photo in rooms:
        for finding in photo.findings:
            known = surest.get(finding.label)
            if known is None or finding.confidence > known.finding.confidence:
                surest[finding.label] = PlacedFinding(finding, number)
    return tuple(sorted(surest.values(), key=lambda placed: -placed.finding.confidence))


def _holds(checked: CheckedItem | None) -> bool:
    return checked is not None and checked.value

"""From the evidence of one or more photos to a verdict on the room: plain rules, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.room_analyzer import SURE, WHOLE_ROOMS, ChecklistItem, PhotoEvidence, RoomFinding
from app.core.room_proofs import RequiredView, prove, shows_enough
from app.core.room_views import SeenView, View
from app.types import Box

ANY_TYPE: Final = "*"
"""Stands in settings for the types of room that are not named."""

UNKNOWN: Final = "unknown"
"""What is told and logged where there is no status."""

_NO_ROOM = "None of the photos shows a room. Take one of the whole room, with the bed and the floor in it."
_NO_VIEW = "No photo shows enough to decide: a detail, a corridor or a tidy bathroom says nothing of the whole room."


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
        views_by_type: views that must have been shown in order before a room of that type counts as ready.
    """

    required: frozenset[ChecklistItem]
    items_by_type: Mapping[str, frozenset[ChecklistItem]]
    minutes: Mapping[str, int]
    views_by_type: Mapping[str, tuple[RequiredView, ...]] = field(default_factory=dict)

    def items_of(self, room_type: str | None) -> tuple[ChecklistItem, ...]:
        """The checklist of that type of room, in its fixed order."""
        applicable = self.items_by_type.get(room_type or "", frozenset(ChecklistItem))
        return tuple(item for item in ChecklistItem if item in applicable)

    def views_of(self, room_type: str | None) -> tuple[RequiredView, ...]:
        """The views that type of room needs; none: one photo may decide."""
        return self.views_by_type.get(room_type or ANY_TYPE, self.views_by_type.get(ANY_TYPE, ()))


class PhotoPlace(NamedTuple):
    """A box in the photo of that number, from 0."""

    photo: int
    box: Box


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An answered item, the number of the photo that decided it, from 0, and the place in that photo."""

    value: bool
    confidence: float
    photo: int
    box: Box | None


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding and the number of its photo, from 0."""

    finding: RoomFinding
    photo: int


@dataclass(frozen=True, slots=True)
class SeenThing:
    """A thing that was recognised, how surely, and the number of the photo where that is surest."""

    label: str
    confidence: float
    photo: int


@dataclass(frozen=True, slots=True)
class RoomVerdict:
    """The answer.

    Attributes:
        status: None where nothing decides; ``message`` then says why.
        confidence: probability that ``status`` is right; 0 where there is none.
        uncertain: whether nobody should rely on it: a doubtful case, or no photo that is surely of a room.
        checklist: by applicable item; None where no photo shows it.
        not_seen: applicable items that no photo shows.
        things: what was recognised, surest first; it decides nothing by itself.
        views: what each photo shows, in their order.
        views_missing: required views that were not shown in order, neither by these photos nor by those before.
        proofs: required views and items that these photos prove, by name, for photos that come later.
        disproves: whether what was proven before is void.
    """

    status: RoomStatus | None
    message: str | None
    confidence: float
    uncertain: bool
    ready_for_guest: bool
    findings: tuple[PlacedFinding, ...]
    checklist: Mapping[ChecklistItem, CheckedItem | None]
    not_seen: tuple[ChecklistItem, ...]
    not_applicable: tuple[ChecklistItem, ...]
    cleaning_minutes: int
    things: tuple[SeenThing, ...]
    views: tuple[SeenView, ...]
    views_missing: tuple[RequiredView, ...]
    proofs: Mapping[str, float]
    disproves: bool

    @property
    def no_rooms(self) -> tuple[int, ...]:
        """Numbers of the photos that do not look like a room; they say nothing of the status."""
        return tuple(number for number, seen in enumerate(self.views) if seen.view is View.NOT_A_ROOM)


def judge_room(
    photos: Sequence[PhotoEvidence],
    rules: RoomRules,
    *,
    room_type: str | None = None,
    earlier: Mapping[str, float] | None = None,
) -> RoomVerdict:
    """Merge the photos of one room: what speaks against it in any of them counts.

    Args:
        earlier: what photos of this room proved shortly before; it counts where the room type asks for views.
    """
    status, confidence, uncertain = _status(photos)
    applicable = rules.items_of(room_type)
    required = rules.views_of(room_type)
    checklist = {item: _merge_item(item, photos) for item in applicable}
    findings = _merge_findings(photos)
    against = any(checked is not None and not checked.value for checked in checklist.values())
    disproves = against or (status is not None and (status is not RoomStatus.CLEAN or uncertain))
    own = {} if status not in (None, RoomStatus.CLEAN) else _own_proofs(photos, checklist)
    proofs = {**(earlier if earlier and required and not disproves else {}), **own}
    views_missing = tuple(view for view in required if view not in proofs)
    if status is None and required and not views_missing and any(view in own for view in required):
        # What these photos lack, others showed before.
        status, confidence, uncertain = RoomStatus.CLEAN, min(proofs[view] for view in required), False
    missing = [item for item in applicable if item in rules.required and item not in proofs]
    shown = not views_missing if required else any(shows_enough(photo, applicable) for photo in photos)
    return RoomVerdict(
        status=status,
        message=None if status else _why_unknown(photos),
        confidence=confidence,
        uncertain=uncertain,
        ready_for_guest=status is RoomStatus.CLEAN and not uncertain and shown and not against and not missing,
        findings=findings,
        checklist=checklist,
        not_seen=tuple(item for item, checked in checklist.items() if checked is None),
        not_applicable=tuple(item for item in ChecklistItem if item not in applicable),
        cleaning_minutes=sum(rules.minutes.get(placed.finding.label, 0) for placed in findings),
        things=_merge_things(photos),
        views=tuple(photo.seen for photo in photos),
        views_missing=views_missing,
        proofs=own,
        disproves=disproves,
    )


def places_named(photos: Sequence[PhotoEvidence], rules: RoomRules, *, room_type: str | None) -> list[PhotoPlace]:
    """The places that the verdict on these photos will name, whatever was shown before them."""
    checked = [_merge_item(item, photos) for item in rules.items_of(room_type)]
    named = [(placed.photo, placed.finding.box) for placed in _merge_findings(photos)]
    named += [(item.photo, item.box) for item in checked if item]
    return [PhotoPlace(photo, box) for photo, box in named if box is not None]


def _own_proofs(
    photos: Sequence[PhotoEvidence], checklist: Mapping[ChecklistItem, CheckedItem | None]
) -> dict[str, float]:
    held = {item.value: checked.confidence for item, checked in checklist.items() if checked and checked.value}
    return held | {view.value: confidence for view, confidence in prove(photos, tuple(checklist)).items()}


def _status(photos: Sequence[PhotoEvidence]) -> tuple[RoomStatus | None, float, bool]:
    """Status, its confidence, and whether it is uncertain. Dirty if any photo is; the worst photo decides.

    Damage goes before dirt: a room for maintenance is not done when it is cleaned. A tidy bathroom does not make a room
    clean, nor does a detail.
    """
    damaged, shown = max(((photo.damaged, photo.room) for photo in photos), default=(0.0, 0.0))
    if damaged >= SURE:
        return RoomStatus.MAINTENANCE, damaged, shown < SURE
    against, shown = max(
        ((finding.confidence, photo.room) for photo in photos for finding in photo.findings), default=(0.0, 0.0)
    )
    if against > 0:
        return RoomStatus.DIRTY, against, min(against, shown) < SURE
    rooms = [photo.room for photo in photos if photo.seen.view in WHOLE_ROOMS and photo.untidy is not None]
    if not rooms:
        return None, 0.0, True
    untidy = max(photo.untidy for photo in photos if photo.untidy is not None)
    # All photos say clean, so one of them that is surely of a room will do.
    return RoomStatus.CLEAN, 1 - untidy, min(1 - untidy, max(rooms)) < SURE


def _why_unknown(photos: Sequence[PhotoEvidence]) -> str:
    return _NO_ROOM if all(photo.seen.view is View.NOT_A_ROOM for photo in photos) else _NO_VIEW


def _merge_item(item: ChecklistItem, photos: Sequence[PhotoEvidence]) -> CheckedItem | None:
    """No beats yes: a corner that is not in order is not put right by another photo. Else the surest photo decides."""
    answers = [
        CheckedItem(photo.sights[item].value, photo.sights[item].confidence, number, photo.sights[item].box)
        for number, photo in enumerate(photos)
        if item in photo.sights
    ]
    return max(answers, key=lambda answer: (not answer.value, answer.confidence), default=None)


def _merge_findings(photos: Sequence[PhotoEvidence]) -> tuple[PlacedFinding, ...]:
    """Each label once, from the photo where it is surest; surest first."""
    surest: dict[str, PlacedFinding] = {}
    for number, photo in enumerate(photos):
        for finding in photo.findings:
            known = surest.get(finding.label)
            if known is None or finding.confidence > known.finding.confidence:
                surest[finding.label] = PlacedFinding(finding, number)
    return tuple(sorted(surest.values(), key=lambda placed: -placed.finding.confidence))


def _merge_things(photos: Sequence[PhotoEvidence]) -> tuple[SeenThing, ...]:
    """Each thing once, from the photo where it is surest; surest first."""
    seen: dict[str, SeenThing] = {}
    for number, photo in enumerate(photos):
        for label, confidence in photo.things.items():
            if label not in seen or confidence > seen[label].confidence:
                seen[label] = SeenThing(label, confidence, number)
    return tuple(sorted(seen.values(), key=lambda thing: -thing.confidence))

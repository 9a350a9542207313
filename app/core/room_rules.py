"""From the evidence of one or more photos to a verdict on the room: plain rules, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.room_analyzer import LIKELY, SURE, ChecklistItem, PhotoEvidence, RoomFinding


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

    required: frozenset[ChecklistItem]
    items_by_type: Mapping[str, frozenset[ChecklistItem]]
    minutes: Mapping[str, int]

    def items_of(self, room_type: str | None) -> tuple[ChecklistItem, ...]:
        """The checklist of that type of room, in its fixed order."""
        applicable = self.items_by_type.get(room_type or "", frozenset(ChecklistItem))
        return tuple(item for item in ChecklistItem if item in applicable)


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An answered item and the number of the photo that decided it, from 0."""

    value: bool
    confidence: float
    photo: int


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
        confidence: probability that ``status`` is right.
        uncertain: whether nobody should rely on it: a doubtful case, or no photo that is surely of a room.
        checklist: by applicable item; None where no photo shows it.
        not_seen: applicable items that no photo shows.
        things: what was recognised, surest first; it decides nothing by itself.
        no_rooms: numbers of the photos that do not look like a room; they say nothing of the status.
    """

    status: RoomStatus
    confidence: float
    uncertain: bool
    ready_for_guest: bool
    findings: tuple[PlacedFinding, ...]
    checklist: Mapping[ChecklistItem, CheckedItem | None]
    not_seen: tuple[ChecklistItem, ...]
    not_applicable: tuple[ChecklistItem, ...]
    cleaning_minutes: int
    things: tuple[SeenThing, ...]
    no_rooms: tuple[int, ...]


def judge_room(photos: Sequence[PhotoEvidence], rules: RoomRules, *, room_type: str | None = None) -> RoomVerdict:
    """Merge the photos of one room: what speaks against it in any of them counts."""
    rooms = [photo for photo in photos if photo.room >= LIKELY]
    status, confidence, uncertain = _status(rooms)
    applicable = rules.items_of(room_type)
    checklist = {item: _merge_item(item, photos) for item in applicable}
    findings = _merge_findings(photos)
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
        not_applicable=tuple(item for item in ChecklistItem if item not in applicable),
        cleaning_minutes=sum(rules.minutes.get(placed.finding.label, 0) for placed in findings),
        things=_merge_things(photos),
        no_rooms=tuple(number for number, photo in enumerate(photos) if photo.room < LIKELY),
    )


def _status(rooms: Sequence[PhotoEvidence]) -> tuple[RoomStatus, float, bool]:
    """Status, its confidence, and whether it is uncertain. Dirty if any photo is; the worst photo decides.

    Damage goes before dirt: a room for maintenance is not done when it is cleaned.
    """
    damaged, shown = max(((photo.damaged, photo.room) for photo in rooms), default=(0.0, 0.0))
    if damaged >= SURE:
        return RoomStatus.MAINTENANCE, damaged, shown < SURE
    judged = [(photo.untidy, photo.room) for photo in rooms if photo.untidy is not None]
    if not judged:
        return RoomStatus.DIRTY, 0.0, True
    untidy, shown = max(judged)
    if untidy > LIKELY:
        return RoomStatus.DIRTY, untidy, min(untidy, shown) < SURE
    # All photos say clean, so one of them that is surely of a room will do.
    return RoomStatus.CLEAN, 1 - untidy, min(1 - untidy, max(room for _, room in judged)) < SURE


def _merge_item(item: ChecklistItem, photos: Sequence[PhotoEvidence]) -> CheckedItem | None:
    """No beats yes: a corner that is not in order is not put right by another photo. Else the surest photo decides."""
    answers = [
        CheckedItem(photo.sights[item].value, photo.sights[item].confidence, number)
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


def _holds(checked: CheckedItem | None) -> bool:
    return checked is not None and checked.value

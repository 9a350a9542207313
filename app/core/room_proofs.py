"""What photos of a room prove: views that show it in order, and items of its checklist that hold.

Proofs of several visits with the camera count together, so that a bathroom may be photographed after the bedroom.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from app.core.room_analyzer import SURE, WHOLE_ROOMS, ChecklistItem, PhotoEvidence
from app.core.room_views import IN_SIGHT, LIKELY, Subject, View


class RequiredView(StrEnum):
    """Views that a hotel may ask for: a room with its bed, a bathroom, another room such as a suite's living room."""

    BED = "bed"
    BATHROOM = "bathroom"
    OTHER_ROOM = "other_room"


def prove(photos: Sequence[PhotoEvidence], items: Sequence[ChecklistItem]) -> dict[RequiredView, float]:
    """The views that these photos show in order, with the confidence of that, which is sure; ``items`` apply."""
    proofs: dict[RequiredView, float] = {}
    for photo in photos:
        if photo.findings or photo.room < SURE or photo.untidy is None or 1 - photo.untidy < SURE:
            continue
        for view in _views_of(photo, items):
            proofs[view] = max(1 - photo.untidy, proofs.get(view, 0.0))
    return proofs


def _views_of(photo: PhotoEvidence, items: Sequence[ChecklistItem]) -> list[RequiredView]:
    views: list[RequiredView] = []
    if photo.seen.view is View.BATHROOM:
        views.append(RequiredView.BATHROOM)
    if photo.seen.view is View.OTHER_ROOM:
        views.append(RequiredView.OTHER_ROOM)
    if photo.seen.shows(Subject.BED) and shows_enough(photo, items):
        views.append(RequiredView.BED)
    return views


def shows_enough(photo: PhotoEvidence, items: Sequence[ChecklistItem]) -> bool:
    """Whether this is a whole room, with the bed and the floor in sight as far as the checklist ``items`` have them."""
    needed = {ChecklistItem.BED_MADE: (Subject.BED, IN_SIGHT), ChecklistItem.FLOOR_CLEAN: (Subject.FLOOR, LIKELY)}
    seen = [photo.seen.shows(subject, at_least=p) for item, (subject, p) in needed.items() if item in items]
    return photo.seen.view in WHOLE_ROOMS and all(seen) and not photo.in_doubt

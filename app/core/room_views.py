"""What a photo of a room is a photo of: the kind of view, and which things can be seen in it.

Only what a view can show is looked for: a shelf says nothing of the floor, and a washbasin nothing of the bed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.heads import LinearHead

LIKELY = 0.5
IN_SIGHT = 0.8
"""The probability from which a thing counts as seen, so that something may be said of it."""


class View(StrEnum):
    """What a photo shows. ``OTHER_ROOM`` is a room that is none of those named, such as a living room or a kitchen."""

    BEDROOM = "bedroom"
    BATHROOM = "bathroom"
    CORRIDOR = "corridor"
    OTHER_ROOM = "other_room"
    DETAIL = "detail"
    NOT_A_ROOM = "not_a_room"


class Subject(StrEnum):
    """Things of which something may be said where they can be seen."""

    BED = "bed"
    FLOOR = "floor"
    TOILET = "toilet"
    BASIN = "basin"
    TOWELS = "towels"


@dataclass(frozen=True, slots=True)
class ViewHeads:
    """``shown``: a room at all; ``detail``: only a part of one; ``kinds``, ``subjects``: by what they answer yes to."""

    shown: LinearHead
    detail: LinearHead
    kinds: Mapping[View, LinearHead]
    subjects: Mapping[Subject, LinearHead]


@dataclass(frozen=True, slots=True)
class SeenView:
    """A photo's view and the probability that it is that.

    ``room`` is the kind of room, of a detail too; None where none is shown. ``subjects``: by subject the probability
    that it can be seen.
    """

    view: View
    confidence: float
    room: View | None
    subjects: Mapping[Subject, float]

    def shows(self, subject: Subject, *, at_least: float = IN_SIGHT) -> bool:
        return self.subjects.get(subject, 0.0) >= at_least


def classify_view(ask: Callable[[LinearHead], float], heads: ViewHeads, *, shown: float) -> SeenView:
    """The view of one photo.

    Args:
        ask: what each head says of the photo, as a probability.
        shown: probability that it shows a room at all.
    """
    if shown < LIKELY:
        return SeenView(View.NOT_A_ROOM, 1 - shown, None, {})
    subjects = {subject: ask(head) for subject, head in heads.subjects.items()}
    kinds = {view: ask(head) for view, head in heads.kinds.items()}
    room, likeliest = max(kinds.items(), key=lambda item: item[1])
    if likeliest < LIKELY:
        room, likeliest = View.OTHER_ROOM, 1 - likeliest
    detail = ask(heads.detail)
    if detail > LIKELY:
        return SeenView(View.DETAIL, detail, room, subjects)
    return SeenView(room, likeliest, room, subjects)

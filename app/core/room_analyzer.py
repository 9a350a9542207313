"""What a photo of a room shows: evidence photo by photo. ``room_rules`` makes a verdict of it.

A head answers only where it was found to be trustworthy: an item of the checklist is left open unless its subject
is in sight and the answer is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import numpy as np

from app.core.activation import hot_region
from app.core.features import FeatureExtractor, softmax
from app.core.heads import LinearHead
from app.core.known_views import KnownViews
from app.core.looks import DETAILED, PLANS, QUICK
from app.core.room_views import LIKELY, SeenView, Subject, View, ViewHeads, classify_view
from app.core.views import Views, take_views
from app.types import Box, Image, Severity

DEPTHS = (QUICK, DETAILED)
SURE = 0.9
"""The confidence from which an answer is told as a fact; each head's card says how often such answers are right."""

TOWEL = "bath_towel"
WHOLE_ROOMS = frozenset({View.BEDROOM, View.OTHER_ROOM})
"""Views whose tidiness is that of the guest's room."""

_THING_EVIDENCE = 0.3  # rooms without towels reach 0.07 in a tile; so do three of the four with one: close-ups only
_MAY_BE_UNMADE = 0.3
_UNFAMILIAR = 0.4  # probability of a room in a photo like none that taught: less likely than not, and nothing more
_REGION_SHARE_OF_PEAK = 0.6
_MAX_REGION_SHARE = 0.5  # a box around more than half of the photo says nothing


class ChecklistItem(StrEnum):
    """The checklist, in the spec's words."""

    BED_MADE = "bed_made"
    BATHROOM_CLEAN = "bathroom_clean"
    TOWELS_PRESENT = "towels_present"
    AMENITIES_COMPLETE = "amenities_complete"
    FLOOR_CLEAN = "floor_clean"


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """A sure answer to a checklist item; ``confidence`` is 0 to 1, ``box`` as of ``RoomFinding``."""

    value: bool
    confidence: float
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class RoomFinding:
    """Something that speaks against the room; ``box`` is in pixels of the photo, None where the place is unclear."""

    label: str
    confidence: float
    severity: Severity
    box: Box | None


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What one photo told.

    ``room`` and ``untidy`` are probabilities: that it shows the inside of a room, and that this is untidy, which is
    None where the view cannot tell. What is not in ``sights`` cannot be told from it either. ``things`` are what was
    recognised in it, with a confidence of 0 to 1: told to people, and deciding nothing by themselves. ``damaged`` is
    the probability of something for maintenance, 0 where a pack cannot see that. ``in_doubt``: the bed may be unmade,
    which is no finding, and too likely for a room that is called ready.
    """

    room: float
    seen: SeenView
    untidy: float | None
    sights: Mapping[ChecklistItem, ItemAnswer]
    findings: tuple[RoomFinding, ...]
    things: Mapping[str, float] = field(default_factory=dict)
    damaged: float = 0.0
    in_doubt: bool = False

    @property
    def boxes(self) -> frozenset[Box]:
        """The places that it names."""
        named = [*(finding.box for finding in self.findings), *(sight.box for sight in self.sights.values())]
        return frozenset(box for box in named if box is not None)


class RoomModel(Protocol):
    """What looks at photos of rooms; each pack has its own."""

    def inspect(self, images: Sequence[Image], *, depth: str) -> list[PhotoEvidence]:
        """Evidence for each BGR photo; ``depth`` is one of ``DEPTHS``."""
        ...

    def warm_up(self) -> None:
        """Run every network once."""
        ...


@dataclass(frozen=True, slots=True)
class RoomHeads:
    """The shipped questions, and those that only a hotel's own photos can teach.

    Attributes:
        own: heads for items of which the shipped ones tell one answer or none; a high score says that the item holds.
    """

    views: ViewHeads
    messy: LinearHead
    bathroom_dirty: LinearHead
    bed_unmade: LinearHead
    floor_cluttered: LinearHead
    own: Mapping[ChecklistItem, LinearHead]


@dataclass(frozen=True, slots=True)
class RoomClasses:
    """Numbers of the backbone's own classes that show what the heads were not taught; ``things`` by our names."""

    basin: tuple[int, ...]
    things: Mapping[str, tuple[int, ...]]


class RoomAnalyzer:
    """Rooms by linear heads on the shared backbone.

    Args:
        known: the rooms that taught them; a photo that is like none is not taken for a room. None takes any.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        heads: RoomHeads,
        classes: RoomClasses,
        known: KnownViews | None,
    ) -> None:
        self._extractor = extractor
        self._heads = heads
        self._classes = classes
        self._known = known

    def inspect(self, images: Sequence[Image], *, depth: str) -> list[PhotoEvidence]:
        """Evidence for each BGR photo; ``depth`` is one of ``DEPTHS``."""
        return [
            self.inspect_views(
                take_views(self._extractor, image, plan=PLANS[depth]),
                depth=depth,
                width=image.shape[1],
                height=image.shape[0],
            )
            for image in images
        ]

    def warm_up(self) -> None:
        """One quick look at a blank photo."""
        self.inspect([np.zeros((64, 64, 3), np.uint8)], depth=QUICK)

    def inspect_views(self, views: Views, *, depth: str, width: int, height: int) -> PhotoEvidence:
        """Evidence of one photo of that size, of which the views of ``depth`` were taken."""
        photo = _Photo(views, depth=depth, width=width, height=height)
        things = self._things(views)
        room = photo.probability(self._heads.views.shown)
        if self._known is not None and not self._known.have(views.wholes):
            room = min(room, _UNFAMILIAR)
        seen = self._with_basin(classify_view(photo.probability, self._heads.views, shown=room), views)
        gathered = _Answers()
        self._look_for_towels(photo, seen, things, gathered)
        untidy = None
        if seen.room is View.BATHROOM:
            untidy = self._look_at_bathroom(photo, seen, gathered)
        elif seen.room in WHOLE_ROOMS:
            untidy = self._look_at_room(photo, seen, gathered)
        if seen.view is not View.NOT_A_ROOM:
            self._ask_own(photo, gathered)
        return PhotoEvidence(
            room=room,
            seen=seen,
            untidy=untidy,
            sights=gathered.sights,
            findings=tuple(gathered.findings),
            things=things,
            in_doubt=gathered.in_doubt,
        )

    def _things(self, views: Views) -> dict[str, float]:
        """What the backbone recognises in the whole photo or in one of its tiles."""
        found = softmax(np.stack([item.logits for item in (views.wholes[0], *views.tiles)]))
        surest = {
            name: float(found[:, list(classes)].sum(axis=1).max()) for name, classes in self._classes.things.items()
        }
        return {name: confidence for name, confidence in surest.items() if confidence >= _THING_EVIDENCE}

    def _with_basin(self, seen: SeenView, views: Views) -> SeenView:
        """Washbasins were not labelled; the backbone has a class of them."""
        basin = float(softmax(views.wholes[0].logits)[list(self._classes.basin)].sum())
        return seen if seen.view is View.NOT_A_ROOM else replace(seen, subjects={**seen.subjects, Subject.BASIN: basin})

    def _look_for_towels(self, photo: _Photo, seen: SeenView, things: Mapping[str, float], gathered: _Answers) -> None:
        """Yes or nothing: no towel in sight is not a towel missing."""
        head = self._heads.views.subjects[Subject.TOWELS]
        if TOWEL in things:
            gathered.sights[ChecklistItem.TOWELS_PRESENT] = ItemAnswer(value=True, confidence=max(things[TOWEL], SURE))
        elif seen.shows(Subject.TOWELS, at_least=SURE):
            gathered.note(ChecklistItem.TOWELS_PRESENT, seen.subjects[Subject.TOWELS], photo.place(head))

    def _look_at_bathroom(self, photo: _Photo, seen: SeenView, gathered: _Answers) -> float | None:
        """The probability that it is untidy or dirty; of a detail only where that is sure."""
        head = self._heads.bathroom_dirty
        dirty = photo.probability(head)
        if seen.view is View.DETAIL and dirty < SURE:
            return None
        gathered.note(ChecklistItem.BATHROOM_CLEAN, 1 - dirty, photo.place(head))
        if dirty > LIKELY:
            gathered.findings.append(photo.finding(head, "bathroom_untidy", dirty, _severity(dirty)))
        return dirty

    def _look_at_room(self, photo: _Photo, seen: SeenView, gathered: _Answers) -> float | None:
        """The probability that it is untidy; of a detail only where that is sure."""
        heads = self._heads
        untidy = photo.probability(heads.messy)
        in_part = seen.view is View.DETAIL
        # A detail alone must be sure; in a room that is untidy anyway it only has to be likelier than not.
        likely = LIKELY if untidy > LIKELY and not in_part else SURE
        if untidy > LIKELY and (untidy >= SURE or not in_part):
            gathered.findings.append(photo.finding(heads.messy, "room_untidy", untidy, _severity(untidy)))
        if seen.shows(Subject.BED):
            self._look_at_bed(photo, gathered, likely=likely)
        if seen.shows(Subject.FLOOR) and not in_part:
            cluttered = photo.probability(heads.floor_cluttered)
            floor = photo.place(heads.views.subjects[Subject.FLOOR])
            gathered.note(ChecklistItem.FLOOR_CLEAN, 1 - cluttered, floor)
            if cluttered >= likely:
                finding = photo.finding(heads.floor_cluttered, "floor_needs_cleaning", cluttered, Severity.MEDIUM)
                gathered.findings.append(finding)
        return None if in_part and untidy < SURE else untidy

    def _look_at_bed(self, photo: _Photo, gathered: _Answers, *, likely: float) -> None:
        unmade = photo.probability(self._heads.bed_unmade)
        gathered.in_doubt = unmade > _MAY_BE_UNMADE
        gathered.note(ChecklistItem.BED_MADE, 1 - unmade, photo.place(self._heads.views.subjects[Subject.BED]))
        if unmade >= likely:
            gathered.findings.append(photo.finding(self._heads.bed_unmade, "bed_unmade", unmade, Severity.HIGH))

    def _ask_own(self, photo: _Photo, gathered: _Answers) -> None:
        for item, head in self._heads.own.items():
            gathered.note(item, photo.probability(head), photo.place(head))


class _Answers:
    """What is said of one photo, while it is looked at."""

    def __init__(self) -> None:
        self.sights: dict[ChecklistItem, ItemAnswer] = {}
        self.findings: list[RoomFinding] = []
        self.in_doubt = False

    def note(self, item: ChecklistItem, probability: float, box: Box | None) -> None:
        note(self.sights, item, probability, box=box)


class _Photo:
    """The views of one photo, asked by heads."""

    def __init__(self, views: Views, *, depth: str, width: int, height: int) -> None:
        self._views = views
        self._depth = depth
        self._width = width
        self._height = height

    def probability(self, head: LinearHead) -> float:
        return head.probability(self._views, look=self._depth)

    def finding(self, head: LinearHead, label: str, confidence: float, severity: Severity) -> RoomFinding:
        return RoomFinding(label, confidence, severity, self.place(head))

    def place(self, head: LinearHead) -> Box | None:
        """Where the head's evidence lies; None where that is no place in particular."""
        finest = max(self._views.wholes, key=lambda view: view.feature_map.shape[-1])
        heat = head.activation(finest)
        box = hot_region(heat, width=self._width, height=self._height, min_share_of_peak=_REGION_SHARE_OF_PEAK)
        if box is None or box.area > _MAX_REGION_SHARE * self._width * self._height:
            return None
        return box


def note(
    sights: dict[ChecklistItem, ItemAnswer], item: ChecklistItem, probability: float, *, box: Box | None = None
) -> None:
    """Answer the item if the probability that it holds is sure enough, either way."""
    confidence = max(probability, 1 - probability)
    if confidence >= SURE:
        sights[item] = ItemAnswer(value=probability > LIKELY, confidence=confidence, box=box)


def _severity(probability: float) -> Severity:
    return Severity.HIGH if probability >= SURE else Severity.MEDIUM

"""What a photo of a room shows: evidence photo by photo. ``room_rules`` makes a verdict of it.

A head answers only where it was found to be trustworthy: an item of the checklist is left open unless its subject
is in sight and the answer is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from app.core.activation import hot_region
from app.core.features import FeatureExtractor, softmax
from app.core.heads import LinearHead
from app.core.looks import DETAILED, PLANS, QUICK
from app.core.views import Views, take_views
from app.types import Box, FloatArray, Image, Severity

DEPTHS = (QUICK, DETAILED)
SURE = 0.9
"""The confidence from which an answer is told as a fact; each head's card says how often such answers are right."""

LIKELY = 0.5
TOWEL = "bath_towel"

_IN_SIGHT = 0.8
_BATHROOM_EVIDENCE = 0.3  # untidy or tidy rooms without a bathroom reach 0.13 on 106 photos
_THING_EVIDENCE = 0.3  # rooms without towels reach 0.07 in a tile; so do three of the four with one: close-ups only
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
    """A sure answer to a checklist item; ``confidence`` is 0 to 1."""

    value: bool
    confidence: float


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

    ``room`` and ``untidy`` are probabilities: that it shows the inside of a room, and that the room is untidy, which
    is None where this photo cannot tell. What is not in ``sights`` cannot be told from it either. ``things`` are what
    was recognised in it, with a confidence of 0 to 1: told to people, and deciding nothing by themselves. ``damaged``
    is the probability of something for maintenance, 0 where a pack cannot see that.
    """

    room: float
    untidy: float | None
    sights: Mapping[ChecklistItem, ItemAnswer]
    findings: tuple[RoomFinding, ...]
    things: Mapping[str, float] = field(default_factory=dict)
    damaged: float = 0.0


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
        own: heads for items that the shipped ones cannot judge; a high score is the item's *problem* for
            ``bathroom_clean`` and the item itself for ``towels_present`` and ``amenities_complete``.
    """

    shown: LinearHead
    messy: LinearHead
    bed_visible: LinearHead
    bed_unmade: LinearHead
    floor_cluttered: LinearHead
    own: Mapping[ChecklistItem, LinearHead]


@dataclass(frozen=True, slots=True)
class RoomClasses:
    """Numbers of the backbone's own classes that show what the heads were not taught; ``things`` by our names."""

    bathroom: tuple[int, ...]
    things: Mapping[str, tuple[int, ...]]


class RoomAnalyzer:
    """Rooms by linear heads on the shared backbone."""

    def __init__(self, extractor: FeatureExtractor, *, heads: RoomHeads, classes: RoomClasses) -> None:
        self._extractor = extractor
        self._heads = heads
        self._classes = classes

    def inspect(self, images: Sequence[Image], *, depth: str) -> list[PhotoEvidence]:
        """Evidence for each BGR photo; ``depth`` is one of ``DEPTHS``."""
        return [self._inspect(image, depth=depth) for image in images]

    def warm_up(self) -> None:
        """One quick look at a blank photo."""
        self.inspect([np.zeros((64, 64, 3), np.uint8)], depth=QUICK)

    def _inspect(self, image: Image, *, depth: str) -> PhotoEvidence:
        views = take_views(self._extractor, image, plan=PLANS[depth])
        photo = _Photo(views, depth=depth, width=image.shape[1], height=image.shape[0])
        bathroom = _mass(softmax(views.wholes[0].logits), self._classes.bathroom)
        things = self._things(views)
        sights: dict[ChecklistItem, ItemAnswer] = {}
        if TOWEL in things:
            sights[ChecklistItem.TOWELS_PRESENT] = ItemAnswer(value=True, confidence=max(things[TOWEL], SURE))
        room = max(photo.probability(self._heads.shown), bathroom)
        if room < LIKELY:
            return PhotoEvidence(room=room, untidy=None, sights=sights, findings=(), things=things)
        untidy = photo.probability(self._heads.messy)
        in_bathroom = bathroom >= _BATHROOM_EVIDENCE
        told, findings = self._look_for(photo, untidy=untidy, in_bathroom=in_bathroom)
        return PhotoEvidence(
            room=room,
            # The heads were taught no bathrooms: clutter counts against one, tidiness proves nothing.
            untidy=None if in_bathroom and untidy <= LIKELY else untidy,
            sights=sights | told | self._own_sights(photo),
            findings=tuple(findings),
            things=things,
        )

    def _things(self, views: Views) -> dict[str, float]:
        """What the backbone recognises in the whole photo or in one of its tiles."""
        found = softmax(np.stack([item.logits for item in (views.wholes[0], *views.tiles)]))
        surest = {
            name: float(found[:, list(classes)].sum(axis=1).max()) for name, classes in self._classes.things.items()
        }
        return {name: confidence for name, confidence in surest.items() if confidence >= _THING_EVIDENCE}

    def _look_for(
        self, photo: _Photo, *, untidy: float, in_bathroom: bool
    ) -> tuple[dict[ChecklistItem, ItemAnswer], list[RoomFinding]]:
        heads = self._heads
        sights: dict[ChecklistItem, ItemAnswer] = {}
        findings: list[RoomFinding] = []
        # A detail alone must be sure; in a room that is untidy anyway it only has to be likelier than not.
        likely = LIKELY if untidy > LIKELY else SURE
        if untidy > LIKELY:
            severity = Severity.HIGH if untidy >= SURE else Severity.MEDIUM
            findings.append(photo.finding(heads.messy, "room_untidy", untidy, severity))
        if in_bathroom:
            if untidy >= SURE:
                sights[ChecklistItem.BATHROOM_CLEAN] = ItemAnswer(value=False, confidence=untidy)
            return sights, findings
        if photo.probability(heads.bed_visible) >= _IN_SIGHT:
            unmade = photo.probability(heads.bed_unmade)
            note(sights, ChecklistItem.BED_MADE, 1 - unmade)
            if unmade >= likely:
                findings.append(photo.finding(heads.bed_unmade, "bed_unmade", unmade, Severity.HIGH))
        cluttered = photo.probability(heads.floor_cluttered)
        note(sights, ChecklistItem.FLOOR_CLEAN, 1 - cluttered)
        if cluttered >= likely:
            findings.append(photo.finding(heads.floor_cluttered, "floor_needs_cleaning", cluttered, Severity.MEDIUM))
        return sights, findings

    def _own_sights(self, photo: _Photo) -> dict[ChecklistItem, ItemAnswer]:
        sights: dict[ChecklistItem, ItemAnswer] = {}
        for item, head in self._heads.own.items():
            probability = photo.probability(head)
            note(sights, item, 1 - probability if item is ChecklistItem.BATHROOM_CLEAN else probability)
        return sights


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
        return RoomFinding(label, confidence, severity, self._place(head))

    def _place(self, head: LinearHead) -> Box | None:
        finest = max(self._views.wholes, key=lambda view: view.feature_map.shape[-1])
        heat = head.activation(finest)
        box = hot_region(heat, width=self._width, height=self._height, min_share_of_peak=_REGION_SHARE_OF_PEAK)
        if box is None or box.area > _MAX_REGION_SHARE * self._width * self._height:
            return None
        return box


def note(sights: dict[ChecklistItem, ItemAnswer], item: ChecklistItem, probability: float) -> None:
    """Answer the item if the probability that it holds is sure enough, either way."""
    confidence = max(probability, 1 - probability)
    if confidence >= SURE:
        sights[item] = ItemAnswer(value=probability > 0.5, confidence=confidence)


def _mass(probabilities: FloatArray, classes: tuple[int, ...]) -> float:
    return float(probabilities[list(classes)].sum())

"""What a photo of a room shows: evidence photo by photo. ``room_rules`` makes a verdict of it.

A head answers only where it was found to be trustworthy: an item of the checklist is left open unless its subject
is in sight and the answer is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from app.core.activation import hot_region
from app.core.features import FeatureExtractor, softmax
from app.core.heads import LinearHead
from app.core.looks import DETAILED, PLANS, QUICK
from app.core.types import Box, FloatArray, Image
from app.core.views import Views, take_views

DEPTHS = (QUICK, DETAILED)
SURE = 0.9
"""The confidence from which an answer is told as a fact; each head's card says how often such answers are right."""

_IN_SIGHT = 0.8
_BATHROOM_EVIDENCE = 0.3  # untidy or tidy rooms without a bathroom reach 0.13 on 106 photos
_TOWEL_EVIDENCE = 0.3  # rooms without towels reach 0.01
_REGION_SHARE_OF_PEAK = 0.6
_MAX_REGION_SHARE = 0.5  # a box around more than half of the photo says nothing


class Item(StrEnum):
    """The checklist, in the spec's words."""

    BED_MADE = "bed_made"
    BATHROOM_CLEAN = "bathroom_clean"
    TOWELS_PRESENT = "towels_present"
    AMENITIES_COMPLETE = "amenities_complete"
    FLOOR_CLEAN = "floor_clean"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Sight:
    """A sure answer to a checklist item; ``confidence`` is 0 to 1."""

    value: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against the room; ``box`` is in pixels of the photo, None where the place is unclear."""

    label: str
    confidence: float
    severity: Severity
    box: Box | None


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What one photo told.

    ``room`` and ``untidy`` are probabilities: that it shows the inside of a room, and that the room is untidy. What
    is not in ``sights`` cannot be told from this photo.
    """

    room: float
    untidy: float
    sights: Mapping[Item, Sight]
    findings: tuple[Finding, ...]


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
    own: Mapping[Item, LinearHead]


@dataclass(frozen=True, slots=True)
class RoomClasses:
    """Numbers of the backbone's own classes that show what the heads were not taught."""

    bathroom: tuple[int, ...]
    towels: tuple[int, ...]


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
        probabilities = softmax(views.wholes[0].logits)
        bathroom = _mass(probabilities, self._classes.bathroom)
        photo = _Photo(views, depth=depth, width=image.shape[1], height=image.shape[0])
        room = max(photo.probability(self._heads.shown), bathroom)
        untidy = photo.probability(self._heads.messy)
        if room < 0.5:
            return PhotoEvidence(room=room, untidy=untidy, sights={}, findings=())
        sights, findings = self._look_for(photo, untidy=untidy, in_bathroom=bathroom >= _BATHROOM_EVIDENCE)
        towels = _mass(probabilities, self._classes.towels)
        if towels >= _TOWEL_EVIDENCE:
            sights[Item.TOWELS_PRESENT] = Sight(value=True, confidence=max(towels, SURE))
        sights |= self._own_sights(photo)
        return PhotoEvidence(room=room, untidy=untidy, sights=sights, findings=tuple(findings))

    def _look_for(self, photo: _Photo, *, untidy: float, in_bathroom: bool) -> tuple[dict[Item, Sight], list[Finding]]:
        heads = self._heads
        sights: dict[Item, Sight] = {}
        findings: list[Finding] = []
        # A detail alone must be sure; in a room that is untidy anyway it only has to be likelier than not.
        likely = 0.5 if untidy > 0.5 else SURE
        if untidy > 0.5:
            severity = Severity.HIGH if untidy >= SURE else Severity.MEDIUM
            findings.append(photo.finding(heads.messy, "room_untidy", untidy, severity))
        if in_bathroom:
            # The heads were taught no bathrooms: clutter counts against it, tidiness proves nothing.
            if untidy >= SURE:
                sights[Item.BATHROOM_CLEAN] = Sight(value=False, confidence=untidy)
            return sights, findings
        if photo.probability(heads.bed_visible) >= _IN_SIGHT:
            unmade = photo.probability(heads.bed_unmade)
            _note(sights, Item.BED_MADE, 1 - unmade)
            if unmade >= likely:
                findings.append(photo.finding(heads.bed_unmade, "bed_unmade", unmade, Severity.HIGH))
        cluttered = photo.probability(heads.floor_cluttered)
        _note(sights, Item.FLOOR_CLEAN, 1 - cluttered)
        if cluttered >= likely:
            findings.append(photo.finding(heads.floor_cluttered, "floor_needs_cleaning", cluttered, Severity.MEDIUM))
        return sights, findings

    def _own_sights(self, photo: _Photo) -> dict[Item, Sight]:
        sights: dict[Item, Sight] = {}
        for item, head in self._heads.own.items():
            probability = photo.probability(head)
            _note(sights, item, 1 - probability if item is Item.BATHROOM_CLEAN else probability)
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

    def finding(self, head: LinearHead, label: str, confidence: float, severity: Severity) -> Finding:
        return Finding(label, confidence, severity, self._place(head))

    def _place(self, head: LinearHead) -> Box | None:
        heat = head.activation(self._views.wholes[0])
        box = hot_region(heat, width=self._width, height=self._height, min_share_of_peak=_REGION_SHARE_OF_PEAK)
        if box is None or box.area > _MAX_REGION_SHARE * self._width * self._height:
            return None
        return box


def _note(sights: dict[Item, Sight], item: Item, probability: float) -> None:
    """Answer the item if the probability that it holds is sure enough, either way."""
    confidence = max(probability, 1 - probability)
    if confidence >= SURE:
        sights[item] = Sight(value=probability > 0.5, confidence=confidence)


def _mass(probabilities: FloatArray, classes: tuple[int, ...]) -> float:
    return float(probabilities[list(classes)].sum())

"""Parts of the picture that count, or don't, for some types of anomaly: masks and zones.

What burns or is wet is mostly judged by the picture as a whole. So what does not count is painted over before a head
looks; people are found in the whole picture, and count by where their feet are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.anomalies import Anomaly, AnomalyDetector, AnomalyType, Examination, Suspect
from app.core.usual_scene import UsualScene
from app.types import Image
from app.workflows.safety.zones import Zone, centre_point, foot_point, zone_of

_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class Area:
    """A zone that concerns some types of anomaly; without types, all."""

    zone: Zone
    types: tuple[AnomalyType, ...] = ()

    def concerns(self, kind: AnomalyType) -> bool:
        return not self.types or kind in self.types


@dataclass(frozen=True, slots=True)
class Areas:
    """Of one camera.

    Attributes:
        masks: where a type is not looked for.
        zones: where alone a hazard is looked for, if any zone concerns it.
    """

    masks: tuple[Area, ...] = ()
    zones: tuple[Area, ...] = ()

    def masks_of(self, kind: AnomalyType) -> tuple[Zone, ...]:
        """Where ``kind`` is not looked for."""
        return tuple(area.zone for area in self.masks if area.concerns(kind))

    def zones_of(self, kind: AnomalyType) -> tuple[Zone, ...]:
        """Where alone ``kind`` is looked for; none means everywhere. People have zones of their own, in their rules."""
        if kind is AnomalyType.INTRUSION:
            return ()
        return tuple(area.zone for area in self.zones if area.concerns(kind))

    def zone_of(self, anomaly: Anomaly, size: tuple[int, int]) -> Zone | None:
        """The zone in which a hazard is. Of several, only its box says which."""
        zones = self.zones_of(anomaly.type)
        if anomaly.box is not None:
            inside = zone_of(centre_point(anomaly.box, width=size[0], height=size[1]), zones)
            if inside is not None:
                return inside
        return zones[0] if len(zones) == 1 else None


def examine_in_areas(
    detector: AnomalyDetector, image: Image, types: Set[AnomalyType], areas: Areas, usual: UsualScene | None = None
) -> Examination:
    """As ``AnomalyDetector.examine``, but only where the areas let each type be looked for.

    One pass of the networks for each different look of the picture: mostly one.
    """
    found: list[Anomaly] = []
    suspects: dict[int, Suspect] = {}
    held_back: set[AnomalyType] = set()
    scores: dict[str, float] = {}
    for (masks, zones), kinds in _by_look(types, areas).items():
        seen = detector.examine(_painted(image, masks, zones) if masks or zones else image, kinds, usual)
        # Whoever asks for fire is given smoke too; where smoke has a look of its own, that one decides.
        found += [one for one in seen.anomalies if one.type in kinds or one.type not in types]
        held_back |= {kind for kind in seen.held_back if kind in kinds or kind not in types}
        suspects |= {one.view: one for one in seen.suspects if one.view not in suspects}
        scores |= seen.scores
    shown = [one for one in found if not _is_hidden(one, areas, image)]
    anomalies = sorted(shown, key=lambda anomaly: -anomaly.confidence)
    return Examination(anomalies, tuple(suspects.values()), frozenset(held_back), scores)


def _is_hidden(anomaly: Anomaly, areas: Areas, image: Image) -> bool:
    """Whether it is a person whose feet are in a mask."""
    if anomaly.type is not AnomalyType.INTRUSION or anomaly.box is None:
        return False
    feet = foot_point(anomaly.box, width=image.shape[1], height=image.shape[0])
    return zone_of(feet, areas.masks_of(anomaly.type)) is not None


def _by_look(
    types: Set[AnomalyType], areas: Areas
) -> dict[tuple[tuple[Zone, ...], tuple[Zone, ...]], frozenset[AnomalyType]]:
    """The types by what has to be painted over for them."""
    looks: dict[tuple[tuple[Zone, ...], tuple[Zone, ...]], set[AnomalyType]] = defaultdict(set)
    for kind in sorted(types):
        masks = () if kind is AnomalyType.INTRUSION else areas.masks_of(kind)
        looks[masks, areas.zones_of(kind)].add(kind)
    return {look: frozenset(kinds) for look, kinds in looks.items()}


def _painted(image: Image, masks: Sequence[Zone], zones: Sequence[Zone]) -> Image:
    """A copy in which what does not count has the picture's mean colour, which no head takes for anything."""
    height, width = image.shape[:2]
    shown = np.full((height, width), 0 if zones else 255, np.uint8)
    for zone in zones:
        cv2.fillPoly(shown, [_pixels(zone, width, height)], 255, shift=_SUBPIXEL_BITS)
    for mask in masks:
        cv2.fillPoly(shown, [_pixels(mask, width, height)], 0, shift=_SUBPIXEL_BITS)
    painted = image.copy()
    painted[shown == 0] = image.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return painted


def _pixels(zone: Zone, width: int, height: int) -> NDArray[np.int32]:
    corners = [(x * width * 2**_SUBPIXEL_BITS, y * height * 2**_SUBPIXEL_BITS) for x, y in zone.points]
    return np.array(corners).round().astype(np.int32)

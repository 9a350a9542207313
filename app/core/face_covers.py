"""What covers a face: two small heads on the backbone's features of the aligned crop.

The crop shows every face at the same place, so the upper half of the feature map is the eyes and what lies above them,
the lower half nose, mouth and chin.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from app.core.features import FeatureExtractor
from app.core.heads import LinearHead, unit
from app.types import FloatArray, Image

SIDE_PX = 128
"""Of the crop as the backbone sees it: a feature map of 4×4."""

LOOK = "aligned"
"""The way of looking that the heads are calibrated for."""


class Cover(StrEnum):
    """The part that is covered; stable codes for the caller."""

    MASK = "mask"
    EYES = "eyes"


class FaceCoverDetector:
    """Judges aligned crops.

    Args:
        extractor: the backbone.
        lower: whether mouth or nose are covered: by a mask, a scarf, a hand.
        eyes: whether the eyes are covered: by dark glasses, or a cap low over them.
    """

    def __init__(self, extractor: FeatureExtractor, *, lower: LinearHead, eyes: LinearHead) -> None:
        self._extractor = extractor
        self._lower = lower
        self._eyes = eyes

    def detect(self, crops: Sequence[Image]) -> list[Cover | None]:
        """What covers each face of (112, 112, 3) uint8 BGR crops, in order; the mask where both parts are covered."""
        upper, lower = face_halves(self._extractor, crops)
        masked, hidden = _covered(self._lower, lower), _covered(self._eyes, upper)
        return [Cover.MASK if mask else Cover.EYES if eyes else None for mask, eyes in zip(masked, hidden, strict=True)]

    def warm_up(self) -> None:
        """One pass on a blank crop."""
        self.detect([np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)])


def face_halves(extractor: FeatureExtractor, crops: Sequence[Image]) -> tuple[FloatArray, FloatArray]:
    """(n, d) float32 of unit length for the upper halves, and for the lower ones."""
    if not crops:
        return np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
    maps = np.stack([features.feature_map for features in extractor.extract(crops, side_px=SIDE_PX)])
    middle = maps.shape[2] // 2
    return unit(maps[:, :, :middle].mean(axis=(2, 3))), unit(maps[:, :, middle:].mean(axis=(2, 3)))


def _covered(head: LinearHead, halves: FloatArray) -> list[bool]:
    scores = halves @ head.weights + np.float32(head.bias) if len(halves) else halves
    return [head.calibrations[LOOK].probability(float(score)) >= head.threshold for score in scores]

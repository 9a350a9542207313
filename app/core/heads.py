"""Linear heads on the backbone's features: what a few hundred photos can teach without touching the network.

A head reads the pooled features scaled to unit length. Its score is a log-odds in the units of its training; only
``probability`` is comparable between heads, and only for the way of looking that it was calibrated for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.core.features import Features
from app.core.views import Views
from app.types import FloatArray


class Pooling(StrEnum):
    """How the scores of several views become one.

    ``MEAN`` suits what fills the picture, such as a mess: the mean of the whole views counts half, that of the tiles
    the other half. ``PEAK`` suits what may hide in a corner, such as a fire: the mean of the whole views counts a
    third, the mean of the highest third of the tiles two thirds. ``SPOT`` suits what may be smaller still: as ``PEAK``,
    with the two highest tiles.
    """

    MEAN = "mean"
    PEAK = "peak"
    SPOT = "spot"


SPOT_TILES = 2
# How many of n tiles count.
_HIGHEST: Mapping[Pooling, Callable[[int], int]] = {
    Pooling.PEAK: lambda n: max(n // 3, 1),
    Pooling.SPOT: lambda _n: SPOT_TILES,
}


@dataclass(frozen=True, slots=True)
class TwoSlopeCalibration:
    """From a score to the probability of the positive class: a logistic curve with a slope for each arm.

    Two slopes, because a head may be surer on one side than on the other: few mistakes with high scores must not
    make the other side look safe.
    """

    midpoint: float
    slope_below: float
    slope_above: float

    def probability(self, score: float) -> float:
        """0 to 1; one half at the midpoint."""
        distance = score - self.midpoint
        log_odds = distance * (self.slope_above if distance > 0 else self.slope_below)
        return 1.0 / (1.0 + math.exp(-max(min(log_odds, 60.0), -60.0)))

    def score_of(self, probability: float) -> float:
        """The score whose probability is that; between 0 and 1."""
        log_odds = math.log(probability / (1 - probability))
        return self.midpoint + log_odds / (self.slope_above if log_odds > 0 else self.slope_below)


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A trained binary question.

    Attributes:
        name: identifies the head, such as ``room_messy``.
        weights: (1280,) float32, of whole views.
        tile_weights: the same of tiles, which show a hazard from near; None where ``weights`` serve both.
        calibrations: by the name of the way of looking, such as ``quick``.
        threshold: probability from which the positive class is told; set with the figures in the head's file.
        alert_threshold: probability from which one picture is reason enough to act; ``threshold`` if None.
    """

    name: str
    weights: FloatArray
    bias: float
    pooling: Pooling
    calibrations: Mapping[str, TwoSlopeCalibration]
    threshold: float = 0.5
    alert_threshold: float | None = None
    tile_weights: FloatArray | None = None

    def scores(self, features: Sequence[Features]) -> FloatArray:
        """(n,) float32, one score for each whole view."""
        pooled = np.stack([item.pooled for item in features])
        return self.row_scores(unit(pooled), is_whole=np.ones(len(pooled), bool))

    def row_scores(self, rows: FloatArray, *, is_whole: NDArray[np.bool_]) -> FloatArray:
        """(n,) float32, one score for each view by itself.

        Args:
            rows: (n, 1280) of unit length.
            is_whole: (n,) whether a row is of a whole view; the others are of tiles.
        """
        scores = rows @ self.weights
        if self.tile_weights is not None:
            scores = np.where(is_whole, scores, rows @ self.tile_weights)
        return np.asarray(scores + np.float32(self.bias), np.float32)

    def score(self, views: Views) -> float:
        """One score for the picture."""
        rows = unit(np.stack([item.pooled for item in views.all]))
        wholes = len(views.wholes)
        return self.pooled(self.row_scores(rows, is_whole=np.arange(len(rows)) < wholes), wholes=wholes)

    def pooled(self, scores: FloatArray, *, wholes: int) -> float:
        """One score for the picture from those of its views, of which the first ``wholes`` are whole."""
        tiles = scores[wholes:] if len(scores) > wholes else None
        return pool_scores(scores[:wholes], tiles, pooling=self.pooling)

    def probability(self, views: Views, *, look: str) -> float:
        """Probability of the positive class, by the calibration for that way of looking."""
        return self.calibrations[look].probability(self.score(views))

    def reaches_alert(self, probability: float) -> bool:
        """Whether one picture with that probability is reason enough to act."""
        return probability >= (self.threshold if self.alert_threshold is None else self.alert_threshold)

    def activation(self, features: Features) -> FloatArray:
        """(h, w) float32: what each position of a whole view adds; its mean is the view's score."""
        length = max(float(np.linalg.norm(features.pooled)), 1e-12)
        activation: FloatArray = np.tensordot(self.weights, features.feature_map, axes=1) / np.float32(length)
        return activation + np.float32(self.bias)


def unit(pooled: FloatArray) -> FloatArray:
    """(n, d) rows scaled to unit length."""
    scaled: FloatArray = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    return scaled


def pool_scores(wholes: FloatArray, tiles: FloatArray | None, *, pooling: Pooling) -> float:
    """One score from those of the whole views and, where there are any, of the tiles."""
    if tiles is None:
        return float(wholes.mean())
    if pooling in _HIGHEST:
        highest = np.sort(tiles)[-_HIGHEST[pooling](len(tiles)) :]
        return float((wholes.mean() + 2 * highest.mean()) / 3)
    return float((wholes.mean() + tiles.mean()) / 2)

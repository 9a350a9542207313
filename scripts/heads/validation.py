"""How far a head can be trusted: grouped folds, calibration, and the figures with their intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.heads import TwoSlopeCalibration
from scripts.heads.logistic import Floats, fit_logistic

Flags = NDArray[np.bool_]
SURE = 0.9
"""A verdict of at least this confidence is meant to be right 99 times in 100."""


def merge_near_duplicates(groups: Sequence[str], features: Floats, *, min_cosine: float = 0.85) -> NDArray[np.intp]:
    """Group numbers, with groups joined that hold nearly the same picture.

    Args:
        features: (n, d) rows of unit length.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    for first, second in zip(*np.nonzero(np.triu(features @ features.T, 1) > min_cosine), strict=True):
        parent[root(groups[first])] = root(groups[second])
    roots = [root(group) for group in groups]
    number = {group: index for index, group in enumerate(sorted(set(roots)))}
    return np.array([number[group] for group in roots], np.intp)


def grouped_folds(targets: Flags, groups: NDArray[np.intp], *, folds: int, seed: int = 0) -> NDArray[np.intp]:
    """A fold for each example: groups stay whole, and each class is spread as evenly as that allows."""
    rng = np.random.default_rng(seed)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[int(group)].append(index)
    order = sorted(rng.permutation(list(members)), key=lambda group: -len(members[int(group)]))
    counts = np.zeros((2, folds))
    fold_of = np.zeros(len(targets), np.intp)
    for group in order:
        rows = members[int(group)]
        crowding = sum(counts[int(targets[row])] for row in rows) + 0.01 * counts.sum(axis=0)
        fold = int(np.argmin(crowding))
        fold_of[rows] = fold
        for row in rows:
            counts[int(targets[row]), fold] += 1
    return fold_of


def fit_calibration(scores: Floats, targets: Flags, weights: Floats, *, cautious: bool = True) -> TwoSlopeCalibration:
    """The likeliest logistic curve; if ``cautious``, flattened where it would be sure of its mistakes.

    Then, on each side, it passes ``SURE`` only beyond the middle between the farthest mistake and the median
    right verdict, so that a mistake a little worse than those seen is still told as uncertain.
    """
    hits = targets.astype(np.float64)
    # Platt's targets: with few photos a perfect split must not give an infinite slope.
    smoothed = np.where(targets, 1 - 1 / (hits.sum() + 2), 1 / ((1 - hits).sum() + 2))
    [slope], bias = fit_logistic(scores[:, None], smoothed, weights, l2=1e-4)
    slope = max(float(slope), 1e-3)
    midpoint = -bias / slope
    if not cautious:
        return TwoSlopeCalibration(midpoint=midpoint, slope_below=slope, slope_above=slope)
    distances = scores - midpoint
    return TwoSlopeCalibration(
        midpoint=midpoint,
        slope_below=_careful_slope(-distances, ~targets, slope),
        slope_above=_careful_slope(distances, targets, slope),
    )


def _careful_slope(distances: Floats, right: Flags, slope: float) -> float:
    verdicts = distances > 0
    if not (verdicts & right).any() or not (verdicts & ~right).any():
        return slope
    farthest_mistake = float(distances[verdicts & ~right].max())
    usual = float(np.median(distances[verdicts & right]))
    limit = max((farthest_mistake + usual) / 2, farthest_mistake * 1.1)
    return min(slope, float(np.log(SURE / (1 - SURE))) / limit)


def probabilities(calibration: TwoSlopeCalibration, scores: Floats) -> Floats:
    """(n,) probability of the positive class."""
    return np.array([calibration.probability(float(score)) for score in scores])


def cross_fitted_probabilities(
    scores: Floats, targets: Flags, weights: Floats, folds: NDArray[np.intp], *, cautious: bool = True
) -> Floats:
    """Probabilities of each fold by a calibration that saw only the other folds."""
    found = np.zeros(len(scores))
    for fold in np.unique(folds):
        others = folds != fold
        calibration = fit_calibration(scores[others], targets[others], weights[others], cautious=cautious)
        found[~others] = probabilities(calibration, scores[~others])
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """What cross-validation found for one way of looking; rates are 0 to 1.

    Attributes:
        interval: 95 % of ``balanced_accuracy``, by resampling groups; a photo counts by its share of right repeats.
        calibration_error: expected calibration error over bins of equal size.
        sure_share: verdicts with a confidence above ``SURE``.
        sure_accuracy: how many of those are right; None where there are none.
    """

    positives: int
    negatives: int
    groups: int
    balanced_accuracy: float
    interval: tuple[float, float]
    sensitivity: float
    specificity: float
    calibration_error: float
    sure_share: float
    sure_accuracy: float | None


def figures(
    probability: Floats, targets: Flags, groups: NDArray[np.intp], weights: Floats, *, threshold: float = 0.5
) -> Figures:
    """The figures of (repeats, n) out-of-fold probabilities: each repeat divides the photos into folds again.

    ``weights`` are those that they were calibrated with.
    """
    verdicts = probability > threshold
    right = (verdicts == targets).mean(axis=0)
    sure = np.maximum(probability, 1 - probability) > SURE
    return Figures(
        positives=int(targets.sum()),
        negatives=int((~targets).sum()),
        groups=len(np.unique(groups)),
        balanced_accuracy=_balanced(right, targets),
        interval=_interval(right, targets, groups),
        sensitivity=float(right[targets].mean()),
        specificity=float(right[~targets].mean()),
        calibration_error=float(np.mean([calibration_error(item, targets, weights) for item in probability])),
        sure_share=float(sure.mean()),
        sure_accuracy=float(((probability > 0.5) == targets)[sure].mean()) if sure.any() else None,
    )


def calibration_error(probability: Floats, targets: Flags, weights: Floats, *, per_bin: int = 15) -> float:
    """Mean gap between told and found frequency, over at most ten bins of equally many photos."""
    bins = np.array_split(np.argsort(probability, kind="stable"), max(min(10, len(targets) // per_bin), 1))
    gaps = [abs(float(weights[rows] @ (probability[rows] - targets[rows]))) for rows in bins]
    return float(sum(gaps) / weights.sum())


def _balanced(right: Floats, targets: Flags) -> float:
    return float((right[targets].mean() + right[~targets].mean()) / 2)


def _interval(right: Floats, targets: Flags, groups: NDArray[np.intp]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found = []
    for _ in range(1000):
        rows = np.concatenate([members[index] for index in rng.integers(0, len(members), len(members))])
        if targets[rows].any() and not targets[rows].all():
            found.append(_balanced(right[rows], targets[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)

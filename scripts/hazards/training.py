"""Hazard heads: fitted to the score that the service will compute, judged on sources that they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.heads import SPOT_TILES, LinearHead, Pooling, TwoSlopeCalibration
from app.core.looks import FRAME
from app.types import FloatArray
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.rows import FrameRows
from scripts.heads.logistic import Floats, fit_logistic
from scripts.heads.validation import Flags, fit_calibration, probabilities

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class HazardQuestion:
    """What a head is to learn.

    Attributes:
        pooling: ``SPOT``, or ``MEAN`` for what the whole frame says.
        by_scene: data sets that are judged by scene, because no other has what they have.
        max_false: share of false answers, mean over the data sets without the hazard, that ``threshold`` allows.
        max_false_alerts: the same of ``alert_threshold``; None where nothing is alerted.
    """

    name: str
    pooling: Pooling
    by_scene: frozenset[str]
    l2: float
    max_false: float | None = None
    max_false_alerts: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A question's photos with what heads that never saw their source say of them; arrays in the photos' order.

    Attributes:
        heads: by fold, the head that saw nothing of it, in training or in calibration or for its thresholds.
        probability: (n,) by the head of the photo's fold.
    """

    question: HazardQuestion
    photos: Sequence[HazardPhoto]
    targets: Flags
    folds: NDArray[np.str_]
    heads: Mapping[str, LinearHead]
    probability: Floats
    final: LinearHead

    @property
    def told(self) -> Flags:
        """(n,) whether the head of the photo's fold says yes."""
        return np.array([p >= self.heads[fold].threshold for p, fold in zip(self.probability, self.folds, strict=True)])

    @property
    def alerted(self) -> Flags:
        """(n,) whether it is sure enough to alert by one frame."""
        pairs = zip(self.probability, self.folds, strict=True)
        return np.array([self.heads[fold].reaches_alert(float(p)) for p, fold in pairs])


def judge(question: HazardQuestion, photos: Sequence[HazardPhoto], rows: FrameRows) -> LeftOut:
    """Fit a head without each fold and judge the fold by it; then the head of all photos."""
    chosen = [index for index, photo in enumerate(photos) if photo.answer(question.name) is not None]
    used = [photos[index] for index in chosen]
    wholes, tiles = rows.wholes[chosen], rows.tiles[chosen]
    targets = np.array([bool(photo.answer(question.name)) for photo in used])
    folds = np.array([photo.fold(question.by_scene) for photo in used])
    weights = source_weights(used, targets)
    scores = np.zeros(len(used))
    fitted: dict[str, tuple[Floats, float]] = {}
    for fold in map(str, np.unique(folds)):
        here = folds == fold
        fitted[fold] = _fit(question, wholes[~here], tiles[~here], targets[~here], weights[~here])
        scores[here] = _scores(question.pooling, fitted[fold], wholes[here], tiles[here])
    heads = {
        fold: _head(question, one, scores, targets, weights, used, np.flatnonzero(folds != fold))
        for fold, one in fitted.items()
    }
    everything = np.arange(len(used))
    final = _head(question, _fit(question, wholes, tiles, targets, weights), scores, targets, weights, used, everything)
    probability = np.zeros(len(used))
    for fold, head in heads.items():
        probability[folds == fold] = probabilities(head.calibrations[FRAME], scores[folds == fold])
    return LeftOut(question, used, targets, folds, heads, probability, final)


def source_weights(photos: Sequence[HazardPhoto], targets: Flags) -> Floats:
    """Each answer counts the same; within an answer a source by the root of its number of photos, so that neither the
    largest collection decides alone nor does a handful of photos."""
    sources = np.array([photo.source for photo in photos])
    weights = np.zeros(len(photos))
    for answer in (True, False):
        for source in np.unique(sources[targets == answer]):
            rows = (sources == source) & (targets == answer)
            weights[rows] = 1 / np.sqrt(rows.sum())
        weights[targets == answer] /= weights[targets == answer].sum()
    return weights


def _fit(
    question: HazardQuestion, wholes: FloatArray, tiles: FloatArray, targets: Flags, weights: Floats
) -> tuple[Floats, float]:
    """By turns: which tiles speak most for it, and the weights that the score of whole and those tiles asks for.

    The tiles are chosen in photos of both answers, so the tile of a harmless photo that most looks like a hazard is the
    one that is learnt from.
    """
    hits = targets.astype(np.float64)
    fitted = fit_logistic(wholes.astype(np.float64), hits, weights, l2=question.l2)
    if question.pooling is Pooling.MEAN:
        return fitted
    for _ in range(_ROUNDS):
        best = np.argpartition(-(tiles @ fitted[0].astype(np.float32)), SPOT_TILES - 1, axis=1)[:, :SPOT_TILES]
        spots = np.take_along_axis(tiles, best[..., None], axis=1).mean(axis=1)
        fitted = fit_logistic(((wholes + 2 * spots) / 3).astype(np.float64), hits, weights, l2=question.l2)
    return fitted


def _scores(pooling: Pooling, fitted: tuple[Floats, float], wholes: FloatArray, tiles: FloatArray) -> Floats:
    """(n,) as ``LinearHead.score`` computes them; of ``MEAN`` by the whole views alone."""
    weights, bias = fitted
    if pooling is Pooling.MEAN:
        return np.asarray(wholes @ weights + bias, np.float64)
    spots = np.sort(tiles @ weights.astype(np.float32), axis=1)[:, -SPOT_TILES:].mean(axis=1)
    return np.asarray((wholes @ weights + 2 * spots) / 3 + bias, np.float64)


def _head(
    question: HazardQuestion,
    fitted: tuple[Floats, float],
    scores: Floats,
    targets: Flags,
    weights: Floats,
    photos: Sequence[HazardPhoto],
    rows: NDArray[np.intp],
) -> LinearHead:
    """A head calibrated, and given its thresholds, by scores of heads that never saw those photos."""
    calibration = fit_calibration(scores[rows], targets[rows], weights[rows], cautious=False)
    found = probabilities(calibration, scores[rows])
    harmless = [(photos[row].folder, p) for row, p in zip(rows, found, strict=True) if not targets[row]]
    return LinearHead(
        name=question.name,
        weights=fitted[0].astype(np.float32),
        bias=fitted[1],
        pooling=question.pooling,
        calibrations={
            FRAME: TwoSlopeCalibration(calibration.midpoint, calibration.slope_below, calibration.slope_above)
        },
        threshold=_threshold(harmless, question.max_false, at_least=0.5),
        alert_threshold=None if question.max_false_alerts is None else _threshold(harmless, question.max_false_alerts),
    )


def _threshold(harmless: Sequence[tuple[str, float]], max_false: float | None, *, at_least: float = 0.0) -> float:
    """The lowest probability that at most ``max_false`` of the harmless photos reach, mean over data sets."""
    if max_false is None:
        return at_least
    folders = sorted({folder for folder, _ in harmless})
    told = [np.array([p for folder, p in harmless if folder == one]) for one in folders]
    for threshold in np.arange(at_least, 1.0, 0.01):
        if np.mean([(p >= threshold).mean() for p in told]) <= max_false:
            return round(float(threshold), 2)
    return 0.99

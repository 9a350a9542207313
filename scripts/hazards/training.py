"""Hazard heads: fitted to the score that the service will compute, judged on sources that they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.core.heads import SPOT_TILES, LinearHead, Pooling, TwoSlopeCalibration
from app.core.looks import FRAME
from scripts.hazards.made import MadeFrames
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.rows import FrameRows, joined
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
        max_hard_alerts: by data set or kind of photo, the share of its harmless photos that may alert besides.
        tiles_apart: whether tiles have weights of their own; few photos don't carry twice as many.
        of_what_burns: whether it has no answer where nothing burns.
        made_share: what the frames that were made weigh beside the photos; 0 learns from photos alone.
    """

    name: str
    pooling: Pooling
    by_scene: frozenset[str]
    l2: float
    max_false: float | None = None
    max_false_alerts: float | None = None
    max_hard_alerts: Mapping[str, float] = field(default_factory=dict)
    tiles_apart: bool = False
    of_what_burns: bool = False
    made_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head before it is calibrated. ``tile_weights`` is None where ``weights`` serve tiles too."""

    weights: Floats
    bias: float
    tile_weights: Floats | None = None


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


def judge(
    question: HazardQuestion, photos: Sequence[HazardPhoto], rows: FrameRows, made: MadeFrames | None = None
) -> LeftOut:
    """Fit a head without each fold and judge the fold by it; then the head of all photos.

    Args:
        made: frames that teach and never judge, and teach no head that judges a photo that they were made of.
    """
    chosen = [index for index, photo in enumerate(photos) if photo.answer(question.name) is not None]
    used = [photos[index] for index in chosen]
    lesson = _Lesson(question, used, rows.take(chosen), _teaching(question, made))
    targets, folds = lesson.targets, lesson.folds
    scores = np.zeros(len(used))
    fitted: dict[str, Fitted] = {}
    for fold in map(str, np.unique(folds)):
        fitted[fold] = lesson.fit_without(fold)
        here = folds == fold
        scores[here] = _scores(question.pooling, fitted[fold], lesson.rows.take(np.flatnonzero(here)))
    heads = {fold: _head(question, one, scores, lesson, np.flatnonzero(folds != fold)) for fold, one in fitted.items()}
    everything = np.arange(len(used))
    final = _head(question, lesson.fit_without(None), scores, lesson, everything)
    probability = np.zeros(len(used))
    for fold, head in heads.items():
        probability[folds == fold] = probabilities(head.calibrations[FRAME], scores[folds == fold])
    return LeftOut(question, used, targets, folds, heads, probability, final)


def _teaching(question: HazardQuestion, made: MadeFrames | None) -> MadeFrames | None:
    """The made frames that have an answer to that question: without a fire there is none about its flames."""
    if made is None or not question.made_share:
        return None
    return made.burning if question.of_what_burns else made


class _Lesson:
    """The photos of one question, in order, and the frames that were made of photos."""

    def __init__(
        self, question: HazardQuestion, photos: Sequence[HazardPhoto], rows: FrameRows, made: MadeFrames | None
    ) -> None:
        self.question = question
        self.photos = photos
        self.rows = rows
        self.targets = np.array([bool(photo.answer(question.name)) for photo in photos])
        self.folds = np.array([photo.fold(question.by_scene) for photo in photos])
        self.weights = source_weights(photos, self.targets)
        self._made = made
        self._made_of = [{photo.fold(question.by_scene) for photo in of} for of in made.made_of] if made else []

    def fit_without(self, fold: str | None) -> Fitted:
        """By all that is not of that fold."""
        photos = np.flatnonzero(self.folds != fold)
        rows, targets, weights = self.rows.take(photos), self.targets[photos], self.weights[photos]
        if self._made is not None:
            made = np.array([row for row, folds in enumerate(self._made_of) if fold not in folds], np.intp)
            answers = self._made.targets[made]
            beside = np.zeros(len(made))
            for answer in np.unique(answers):
                all_photos = weights[targets == answer].sum()
                beside[answers == answer] = self.question.made_share * all_photos / (answers == answer).sum()
            rows = joined([rows, self._made.rows.take(made)])
            targets, weights = np.append(targets, answers), np.append(weights, beside)
        return _fit(self.question, rows, targets, weights)


def source_weights(photos: Sequence[HazardPhoto], targets: Flags) -> Floats:
    """Each answer counts the same; within an answer a source by the root of its number of photos, so that neither the
    largest collection decides alone nor does a handful of photos. A source's smoke counts beside its flames."""
    smoke = np.array([photo.flames is False for photo in photos]) & targets
    sources = np.where(smoke, "smoke of ", "").astype(object) + np.array([photo.source for photo in photos], object)
    weights = np.zeros(len(photos))
    for answer in (True, False):
        for source in np.unique(sources[targets == answer]):
            rows = (sources == source) & (targets == answer)
            weights[rows] = 1 / np.sqrt(rows.sum())
        weights[targets == answer] /= weights[targets == answer].sum()
    return weights


def _fit(question: HazardQuestion, rows: FrameRows, targets: Flags, weights: Floats) -> Fitted:
    """By turns: which tiles speak most for it, and the weights that the score of whole and those tiles asks for.

    The tiles are chosen in photos of both answers, so the tile of a harmless photo that most looks like a hazard is the
    one that is learnt from.
    """
    hits = targets.astype(np.float64)
    whole, bias = fit_logistic(rows.wholes.astype(np.float64), hits, weights, l2=question.l2)
    if question.pooling is Pooling.MEAN:
        return Fitted(whole, bias)
    tile = whole
    for _ in range(_ROUNDS):
        best = np.argpartition(-(rows.tiles @ tile.astype(np.float32)), SPOT_TILES - 1, axis=1)[:, :SPOT_TILES]
        spots = np.take_along_axis(rows.tiles, best[..., None], axis=1).mean(axis=1)
        parts = [rows.wholes / 3, 2 * spots / 3]
        features = np.concatenate(parts, axis=1) if question.tiles_apart else sum(parts)
        both, bias = fit_logistic(features.astype(np.float64), hits, weights, l2=question.l2)
        whole, tile = np.split(both, 2) if question.tiles_apart else (both, both)
    return Fitted(whole, bias, tile if question.tiles_apart else None)


def _scores(pooling: Pooling, fitted: Fitted, rows: FrameRows) -> Floats:
    """(n,) as ``LinearHead.score`` computes them; of ``MEAN`` by the whole views alone."""
    if pooling is Pooling.MEAN:
        return np.asarray(rows.wholes @ fitted.weights + fitted.bias, np.float64)
    by_tile = fitted.weights if fitted.tile_weights is None else fitted.tile_weights
    spots = np.sort(rows.tiles @ by_tile.astype(np.float32), axis=1)[:, -SPOT_TILES:].mean(axis=1)
    return np.asarray((rows.wholes @ fitted.weights + 2 * spots) / 3 + fitted.bias, np.float64)


def _head(
    question: HazardQuestion, fitted: Fitted, scores: Floats, lesson: _Lesson, rows: NDArray[np.intp]
) -> LinearHead:
    """A head calibrated, and given its thresholds, by scores of heads that never saw those photos."""
    targets = lesson.targets
    calibration = fit_calibration(scores[rows], targets[rows], lesson.weights[rows], cautious=False)
    found = probabilities(calibration, scores[rows])
    harmless = [(lesson.photos[row], p) for row, p in zip(rows, found, strict=True) if not targets[row]]
    return LinearHead(
        name=question.name,
        weights=lesson.rows.full_weights(fitted.weights),
        bias=fitted.bias,
        pooling=question.pooling,
        calibrations={
            FRAME: TwoSlopeCalibration(calibration.midpoint, calibration.slope_below, calibration.slope_above)
        },
        threshold=_threshold(harmless, question.max_false, at_least=0.5),
        alert_threshold=_alert_threshold(question, harmless),
        tile_weights=None if fitted.tile_weights is None else lesson.rows.full_weights(fitted.tile_weights),
    )


def _alert_threshold(question: HazardQuestion, harmless: Sequence[tuple[HazardPhoto, float]]) -> float | None:
    if question.max_false_alerts is None:
        return None
    hard = [
        _threshold([(photo, p) for photo, p in harmless if name in (photo.folder, photo.kind)], most)
        for name, most in question.max_hard_alerts.items()
    ]
    return max([_threshold(harmless, question.max_false_alerts), *hard])


def _threshold(
    harmless: Sequence[tuple[HazardPhoto, float]], max_false: float | None, *, at_least: float = 0.0
) -> float:
    """The lowest probability that at most ``max_false`` of the harmless photos reach, mean over data sets."""
    if max_false is None or not harmless:
        return at_least
    folders = sorted({photo.folder for photo, _ in harmless})
    told = [np.array([p for photo, p in harmless if photo.folder == one]) for one in folders]
    for threshold in np.arange(at_least, 1.0, 0.01):
        if np.mean([(p >= threshold).mean() for p in told]) <= max_false:
            return round(float(threshold), 2)
    return 0.99

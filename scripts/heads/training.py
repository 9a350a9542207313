"""From labelled photos to a calibrated, cross-validated head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.core.heads import LinearHead, Pooling, pool_scores, unit
from app.errors import InvalidImage, TooLarge
from scripts.heads.examples import BadData, Example
from scripts.heads.logistic import Floats, fit_logistic
from scripts.heads.rows import PhotoRows, RowReader
from scripts.heads.validation import (
    Figures,
    Flags,
    cross_fitted_probabilities,
    figures,
    fit_calibration,
    grouped_folds,
    merge_near_duplicates,
)

_FOLDS = 8
_ROUNDS = 2
_BEST_TILES = 2
_MIN_EACH = 8  # photos of each answer, from that many groups: fewer give figures that mean nothing


class Tiles(StrEnum):
    """Which tiles are trained on, with the label of their photo.

    ``ALL`` suits what fills the picture. ``BEST`` suits what may hide in a corner: of a positive photo only the two
    tiles that speak most for it, found by fitting without them first.
    """

    NONE = "none"
    ALL = "all"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be learnt.

    Attributes:
        l2: penalty on the weights.
        cautious: whether the calibration stays unsure where the mistakes lie; see ``fit_calibration``.
        threshold: probability from which the answer is yes.
        relit: how often each photo is also trained on under another light.
    """

    name: str
    pooling: Pooling
    looks: tuple[str, ...]
    tiles: Tiles
    l2: float
    cautious: bool = True
    threshold: float = 0.5
    relit: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """The photos that could be read, with their rows, groups and the ones that were left out."""

    examples: list[Example]
    rows: list[PhotoRows]
    groups: NDArray[np.intp]
    unreadable: list[str]

    @property
    def targets(self) -> Flags:
        return np.array([example.is_positive for example in self.examples])

    @property
    def weights(self) -> Floats:
        """Importance of each photo, with both answers equally important in sum: how common each is in a collection
        of photos says nothing of how common it is in a hotel."""
        weights = np.array([example.weight for example in self.examples])
        for answer in (True, False):
            weights[self.targets == answer] /= weights[self.targets == answer].sum()
        return weights

    def take(self, indices: NDArray[np.intp]) -> Collected:
        """Some of the photos."""
        return Collected(
            examples=[self.examples[index] for index in indices],
            rows=[self.rows[index] for index in indices],
            groups=self.groups[indices],
            unreadable=self.unreadable,
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """The head, its figures by way of looking, and the out-of-fold probabilities that they come from.

    Attributes:
        out_of_fold: (repeats, n) by way of looking; each repeat divides the photos into folds again.
        folds: (repeats, n), the fold of each example.
        fold_heads: by fold of the first repeat, the head that saw nothing of it, in training or in calibration.
    """

    head: LinearHead
    figures: Mapping[str, Figures]
    out_of_fold: Mapping[str, Floats]
    folds: NDArray[np.intp]
    fold_heads: Mapping[int, LinearHead]


def collect(examples: Sequence[Example], reader: RowReader, *, progress: Callable[[int, int], None]) -> Collected:
    """Read all photos; unreadable ones are left out and named.

    Args:
        progress: called with the number done and the total.
    """
    kept: list[Example] = []
    rows: list[PhotoRows] = []
    unreadable: list[str] = []
    for done, example in enumerate(examples, start=1):
        try:
            rows.append(reader.read(example.path))
            kept.append(example)
        except (InvalidImage, TooLarge) as error:
            unreadable.append(f"{example.path.name}: {error.message}")
        progress(done, len(examples))
    if not kept:
        raise BadData("None of the photos can be read.")
    whole = unit(np.stack([item.training[0] for item in rows])).astype(np.float64)
    groups = merge_near_duplicates([example.group for example in kept], whole)
    return Collected(examples=kept, rows=rows, groups=groups, unreadable=unreadable)


def train(question: Question, collected: Collected, *, repeats: int = 1) -> Trained:
    """Cross-validate by group, calibrate on the out-of-fold scores, then fit the head on everything.

    Args:
        repeats: how often the photos are divided into folds again; with few photos one division may be a lucky one.

    Raises:
        BadData: too few photos or groups of an answer.
    """
    targets, groups, importance = collected.targets, collected.groups, collected.weights
    smallest = min(len(np.unique(groups[targets == answer])) for answer in (True, False))
    if smallest < _MIN_EACH:
        raise BadData(f"{question.name}: each answer needs photos of {_MIN_EACH} different scenes; one has {smallest}.")
    runs = [
        _cross_validate(question, collected, grouped_folds(targets, groups, folds=min(_FOLDS, smallest), seed=seed))
        for seed in range(repeats)
    ]
    everything = np.arange(len(targets))
    scores = {look: np.mean([run.scores[look] for run in runs], axis=0) for look in question.looks}
    probability = {look: np.stack([run.probability[look] for run in runs]) for look in question.looks}
    return Trained(
        head=_head(question, collected, _fit(question, collected, everything), scores, everything),
        figures={
            look: figures(items, targets, groups, importance, threshold=question.threshold)
            for look, items in probability.items()
        },
        out_of_fold=probability,
        folds=np.stack([run.folds for run in runs]),
        fold_heads={
            fold: _head(question, collected, fitted, runs[0].scores, np.flatnonzero(runs[0].folds != fold))
            for fold, fitted in runs[0].fitted.items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One cross-validation: ``fitted`` without each fold, and (n,) scores and probabilities by way of looking."""

    folds: NDArray[np.intp]
    fitted: Mapping[int, tuple[Floats, float]]
    scores: Mapping[str, Floats]
    probability: Mapping[str, Floats]


def _cross_validate(question: Question, collected: Collected, folds: NDArray[np.intp]) -> _Run:
    scores = {look: np.zeros(len(folds)) for look in question.looks}
    fitted: dict[int, tuple[Floats, float]] = {}
    for fold in map(int, np.unique(folds)):
        fitted[fold] = _fit(question, collected, np.flatnonzero(folds != fold))
        for row in np.flatnonzero(folds == fold):
            for look in question.looks:
                scores[look][row] = score_rows(fitted[fold], question.pooling, collected.rows[row], look=look)
    probability = {
        look: cross_fitted_probabilities(
            scores[look], collected.targets, collected.weights, folds, cautious=question.cautious
        )
        for look in question.looks
    }
    return _Run(folds, fitted, scores, probability)


def _head(
    question: Question,
    collected: Collected,
    fitted: tuple[Floats, float],
    scores: Mapping[str, Floats],
    rows: NDArray[np.intp],
) -> LinearHead:
    """A head of fitted weights, calibrated on the out-of-fold scores of ``rows``."""
    weights, bias = fitted
    return LinearHead(
        name=question.name,
        weights=weights.astype(np.float32),
        bias=bias,
        pooling=question.pooling,
        calibrations={
            look: fit_calibration(
                scores[look][rows], collected.targets[rows], collected.weights[rows], cautious=question.cautious
            )
            for look in question.looks
        },
        threshold=question.threshold,
    )


def score_rows(fitted: tuple[Floats, float], pooling: Pooling, rows: PhotoRows, *, look: str) -> float:
    """The score of one photo, as the service would compute it."""
    weights, bias = fitted
    wholes = unit(rows.wholes[look]) @ weights + bias
    tiles = unit(rows.look_tiles[look]) @ weights + bias if look in rows.look_tiles else None
    return pool_scores(wholes.astype(np.float32), None if tiles is None else tiles.astype(np.float32), pooling=pooling)


def _fit(question: Question, collected: Collected, indices: NDArray[np.intp]) -> tuple[Floats, float]:
    fitted = _fit_once(question, collected, indices, best_by=None)
    if question.tiles is Tiles.BEST:
        for _ in range(_ROUNDS):
            fitted = _fit_once(question, collected, indices, best_by=fitted[0])
    return fitted


def _fit_once(
    question: Question, collected: Collected, indices: NDArray[np.intp], *, best_by: Floats | None
) -> tuple[Floats, float]:
    importance = collected.weights
    features: list[Floats] = []
    targets: list[Floats] = []
    weights: list[Floats] = []
    for index in indices:
        example, rows = collected.examples[index], collected.rows[index]
        wholes, tiles = _training_rows(question.tiles, rows, is_positive=example.is_positive, best_by=best_by)
        # Where tiles are chosen, all of a photo's tiles together weigh as much as its whole views together.
        tile_share = len(wholes) / max(len(tiles), 1) if question.tiles is Tiles.BEST else 1.0
        shares = np.append(np.ones(len(wholes)), np.full(len(tiles), tile_share))
        features.append(np.concatenate([wholes, tiles]))
        targets.append(np.full(len(shares), float(example.is_positive)))
        weights.append(importance[index] * shares / shares.sum())
    return fit_logistic(np.concatenate(features), np.concatenate(targets), np.concatenate(weights), l2=question.l2)


def _training_rows(
    tiles: Tiles, rows: PhotoRows, *, is_positive: bool, best_by: Floats | None
) -> tuple[Floats, Floats]:
    """Whole views and tiles of a photo, scaled to unit length."""
    wholes = rows.training if tiles is Tiles.BEST else np.concatenate([rows.training, rows.enlarged])
    scaled = unit(rows.tiles).astype(np.float64) if rows.tiles.size else np.empty((0, wholes.shape[1]))
    if tiles is Tiles.NONE or (tiles is Tiles.BEST and is_positive and best_by is None):
        scaled = scaled[:0]
    elif tiles is Tiles.BEST and is_positive and best_by is not None:
        scaled = scaled[np.argsort(-(scaled @ best_by))[:_BEST_TILES]]
    return unit(wholes).astype(np.float64), scaled

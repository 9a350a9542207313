"""Room heads: fitted to the score that the service will compute, judged on scenes and sources that they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.heads import LinearHead, Pooling
from app.core.looks import DETAILED
from evaluation.figures import Share
from scripts.heads.logistic import Floats, fit_logistic
from scripts.heads.validation import (
    Figures,
    Flags,
    cross_fitted_probabilities,
    figures,
    fit_calibration,
    merge_near_duplicates,
    probabilities,
)
from scripts.rooms.photos import LabelledRoom
from scripts.rooms.rows import LOOKS, LookRows

FOLDS = 5
_FEWEST = 8  # photos of an answer outside a source, or the source is not left out


@dataclass(frozen=True, slots=True)
class RoomQuestion:
    """What a head is to learn.

    Attributes:
        name: of the head, and of the answers that it is judged by.
        learns_from: the answers that it is fitted to, where these are more than those.
        even: whether the calibration counts both answers as equally common; else as common as in the photos.
        each_view: whether it is fitted to each view by itself too, which steadies what few photos teach.
    """

    name: str
    l2: float
    each_view: bool
    even: bool = False
    learns_from: str = ""


@dataclass(frozen=True, slots=True)
class JudgedHead:
    """A head of all photos, with what heads said that saw nothing of a photo's scene, or of its source.

    Attributes:
        fold_heads: by fold, the head that saw none of its photos, in training or in calibration.
        by_scene: by way of looking.
        by_source: how often yes is said of photos of each answer, by heads that saw no photo of their source.
        unseen: by way of looking, (n,) whether those say yes; no where a photo's source was not left out.
    """

    question: RoomQuestion
    head: LinearHead
    fold_heads: Mapping[int, LinearHead]
    by_scene: Mapping[str, Figures]
    by_source: Sequence[Share]
    unseen: Mapping[str, Flags]
    counts: Mapping[str, tuple[int, int]]


def folds_of(photos: Sequence[LabelledRoom], rows: LookRows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,) groups of one scene or nearly one picture, and (n,) folds, which are the same for all questions: no head of
    a fold saw a photo of it."""
    whole = rows.views[LOOKS[0]][:, 0].astype(np.float64)
    groups = merge_near_duplicates([photo.scene for photo in photos], whole)
    fold_of_group = np.random.default_rng(0).permutation(int(groups.max()) + 1) % FOLDS
    return groups, fold_of_group[groups]


def judge_head(question: RoomQuestion, photos: Sequence[LabelledRoom], rows: LookRows) -> JudgedHead:
    """Fit a head without each fold and without each source and judge these by it; then the head of all photos."""
    groups, folds = folds_of(photos, rows)
    task = _Task(question, photos, rows, folds)
    judged = np.flatnonzero(task.judged)
    fitted = task.fit_by_fold(task.learnt)
    scores = task.held_out_scores(task.learnt, fitted)
    targets, weights = task.targets[judged], task.shares(task.judged)
    found = {
        look: cross_fitted_probabilities(scores[look][judged], targets, weights, folds[judged], cautious=False)
        for look in LOOKS
    }
    by_source, unseen = _by_source(task)
    return JudgedHead(
        question=question,
        head=task.head(task.fit(task.learnt), scores, task.judged),
        fold_heads={fold: task.head(one, scores, task.judged & (folds != fold)) for fold, one in enumerate(fitted)},
        by_scene={look: figures(p[None], targets, groups[judged], weights) for look, p in found.items()},
        by_source=by_source,
        unseen=unseen,
        counts=_counts([photos[index].source for index in judged], targets),
    )


class _Task:
    """The photos of one question; all masks are (n,) over all photos."""

    def __init__(
        self, question: RoomQuestion, photos: Sequence[LabelledRoom], rows: LookRows, folds: NDArray[np.intp]
    ) -> None:
        learns_from = question.learns_from or question.name
        self.question = question
        self.folds = folds
        self.sources = np.array([photo.source for photo in photos])
        self.judged = np.array([question.name in photo.answers for photo in photos])
        self.learnt = np.array([learns_from in photo.answers for photo in photos])
        self.targets = np.array(
            [photo.answers.get(learns_from, photo.answers.get(question.name, False)) for photo in photos]
        )
        self._rows = rows

    def weights(self, chosen: Flags) -> Floats:
        """(n,) Each answer counts the same; within an answer a source by the root of its number of photos."""
        weights = np.zeros(len(self.targets))
        for answer in (True, False):
            here = chosen & (self.targets == answer)
            for source in np.unique(self.sources[here]):
                rows = here & (self.sources == source)
                weights[rows] = 1 / np.sqrt(rows.sum())
            weights[here] /= weights[here].sum()
        return weights

    def shares(self, chosen: Flags) -> Floats:
        """What each of the chosen photos counts in calibration."""
        targets = self.targets[chosen]
        if not self.question.even:
            return np.ones(len(targets))
        return np.where(targets, 1 / max(targets.sum(), 1), 1 / max((~targets).sum(), 1))

    def fit(self, chosen: Flags) -> tuple[Floats, float]:
        """To the means that are scored, and to each view by itself where the question asks for that."""
        views = self._rows.views[DETAILED][chosen] if self.question.each_view else None
        parts = [self._rows.means[look][chosen] for look in LOOKS]
        parts += [] if views is None else list(views.swapaxes(0, 1))
        targets, weights = self.targets[chosen].astype(np.float64), self.weights(chosen)[chosen]
        return fit_logistic(
            np.concatenate(parts).astype(np.float64),
            np.tile(targets, len(parts)),
            np.tile(weights, len(parts)),
            l2=self.question.l2,
        )

    def fit_by_fold(self, chosen: Flags) -> list[tuple[Floats, float]]:
        """For each fold, the fit to the chosen photos that are not in it."""
        return [self.fit(chosen & (self.folds != fold)) for fold in range(FOLDS)]

    def held_out_scores(self, chosen: Flags, fitted: Sequence[tuple[Floats, float]]) -> dict[str, Floats]:
        """By way of looking (n,) scores of the chosen photos, each by the fit that saw none of its fold."""
        scores = {look: np.zeros(len(self.targets)) for look in LOOKS}
        for fold, one in enumerate(fitted):
            here = chosen & (self.folds == fold)
            for look in LOOKS:
                scores[look][here] = self.scores(one, here, look)
        return scores

    def scores(self, fitted: tuple[Floats, float], chosen: Flags, look: str) -> Floats:
        """Of the chosen photos, as ``LinearHead.score`` computes them."""
        return np.asarray(self._rows.means[look][chosen] @ fitted[0] + fitted[1], np.float64)

    def head(self, fitted: tuple[Floats, float], scores: Mapping[str, Floats], chosen: Flags) -> LinearHead:
        """Calibrated by the held-out scores of the chosen photos."""
        weights = self.shares(chosen)
        return LinearHead(
            name=self.question.name,
            weights=fitted[0].astype(np.float32),
            bias=fitted[1],
            pooling=Pooling.MEAN,
            calibrations={
                look: fit_calibration(scores[look][chosen], self.targets[chosen], weights, cautious=False)
                for look in LOOKS
            },
        )


def _by_source(task: _Task) -> tuple[list[Share], dict[str, Flags]]:
    shares: list[Share] = []
    unseen = {look: np.zeros(len(task.targets), bool) for look in LOOKS}
    for source in np.unique(task.sources[task.judged]):
        here = task.sources == source
        others = task.learnt & ~here
        if min(_answers(task, others) + _answers(task, task.judged & ~here)) < _FEWEST:
            continue
        held_out = task.held_out_scores(others, task.fit_by_fold(others))
        head = task.head(task.fit(others), held_out, task.judged & ~here)
        for answer, word in ((True, "found"), (False, "false")):
            photos = task.judged & here & (task.targets == answer)
            for look in LOOKS if photos.any() else ():
                scores = task.scores((head.weights.astype(np.float64), head.bias), photos, look)
                said = probabilities(head.calibrations[look], scores) > head.threshold
                unseen[look][photos] = said
                shares.append(Share(f"{look}: {word}, {source}", int(said.sum()), len(said)))
    return shares, unseen


def _answers(task: _Task, chosen: Flags) -> tuple[int, int]:
    return int(task.targets[chosen].sum()), int((~task.targets[chosen]).sum())


def _counts(sources: Sequence[str], targets: Flags) -> dict[str, tuple[int, int]]:
    names = np.array(sources)
    return {
        source: (int(targets[names == source].sum()), int((~targets[names == source]).sum()))
        for source in sorted(set(sources))
    }

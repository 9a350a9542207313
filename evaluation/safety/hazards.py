"""Hazards in frames that the heads were not trained on: the service's own detector, with the heads of other folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.face_detection import FaceDetector
from app.core.features import FeatureExtractor
from app.core.yolo import YoloDetector
from app.types import Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from scripts.heads.recipes import Recipe
from scripts.heads.rows import RowReader
from scripts.heads.training import Collected, Trained, collect, train

FIRE_OR_SMOKE = "hazard_fire_or_smoke"
FLOOD = "hazard_flood"
_TYPES = {
    FIRE_OR_SMOKE: frozenset({AnomalyType.FIRE, AnomalyType.SMOKE}),
    FLOOD: frozenset({AnomalyType.FLOOD}),
}
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class Detectors:
    """What a detector is built of, beside its heads."""

    extractor: FeatureExtractor
    persons: YoloDetector
    faces: FaceDetector

    def with_heads(self, heads: HazardHeads) -> HeadAnomalyDetector:
        """The detector that the service would build of these heads."""
        return HeadAnomalyDetector(self.extractor, heads=heads, persons=self.persons, faces=self.faces)


@dataclass(frozen=True, slots=True)
class HazardQuestion:
    """One head in all its folds, with its photos."""

    collected: Collected
    trained: Trained

    def fold_of(self, path: Path) -> int:
        """The fold that a photo stands in; its head saw neither the photo nor its scene."""
        row = next(index for index, example in enumerate(self.collected.examples) if example.path == path)
        return int(self.trained.folds[0, row])


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the detector says of each photo of a question, out of fold; all in the order of ``collected``.

    Attributes:
        alarms: (n,) whether anything is told.
        kinds: (n,) the type that is told, or an empty text.
    """

    collected: Collected
    alarms: NDArray[np.bool_]
    kinds: tuple[str, ...]

    def rows_in(self, folder: str, *, label: str | None = None) -> NDArray[np.intp]:
        """The photos of a data set, or of one label in it."""
        wanted = [
            row
            for row, example in enumerate(self.collected.examples)
            if example.path.parents[1].name == folder and label in (None, example.path.parent.name)
        ]
        return np.array(wanted, np.intp)


def learn(recipe: Recipe, extractor: FeatureExtractor, *, cache_dir: Path | None, repeats: int = 1) -> HazardQuestion:
    """Train a shipped head again, fold by fold, in ``repeats`` divisions into folds; verdicts are of the first."""
    reader = RowReader(extractor, looks=recipe.question.looks, relit=recipe.question.relit, cache_dir=cache_dir)
    collected = collect(recipe.read_examples(), reader, progress=lambda _done, _total: None)
    return HazardQuestion(collected, train(recipe.question, collected, repeats=repeats))


def detectors_of(questions: Mapping[str, HazardQuestion], parts: Detectors, path: Path) -> HeadAnomalyDetector:
    """A detector that knows nothing of this photo."""
    heads = {name: question.trained.fold_heads[question.fold_of(path)] for name, question in questions.items()}
    return parts.with_heads(HazardHeads(fire_or_smoke=heads[FIRE_OR_SMOKE], flood=heads[FLOOD]))


def judge(questions: Mapping[str, HazardQuestion], parts: Detectors) -> dict[str, Verdicts]:
    """Every photo of the questions, by the detector that knows nothing of it."""
    told: dict[Path, set[str]] = {}
    paths = {example.path for question in questions.values() for example in question.collected.examples}
    for path in sorted(paths):
        detector = detectors_of(questions, parts, path)
        found = detector.detect(open_photo(path), frozenset(AnomalyType) - {AnomalyType.INTRUSION})
        told[path] = {anomaly.type.value for anomaly in found}
    return {name: _verdicts(question.collected, told, _TYPES[name]) for name, question in questions.items()}


def _verdicts(collected: Collected, told: Mapping[Path, set[str]], types: frozenset[AnomalyType]) -> Verdicts:
    kinds = tuple(
        next((kind.value for kind in sorted(types) if kind.value in told[example.path]), "")
        for example in collected.examples
    )
    return Verdicts(collected, np.array([bool(kind) for kind in kinds]), kinds)


def open_photo(path: Path) -> Image:
    """A photo of the evaluation data."""
    return decode_image(path.read_bytes(), PictureLimits(_MAX_PIXELS))


def f1(alarms: NDArray[np.bool_], targets: NDArray[np.bool_]) -> float:
    """The harmonic mean of precision and recall."""
    return float(2 * (alarms & targets).sum() / max(alarms.sum() + targets.sum(), 1))


def f1_interval(
    alarms: NDArray[np.bool_], targets: NDArray[np.bool_], groups: NDArray[np.intp], *, rounds: int = 1000
) -> tuple[float, float]:
    """95 % of the F1, by resampling whole scenes."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found = []
    for _ in range(rounds):
        rows = np.concatenate([members[index] for index in rng.integers(0, len(members), len(members))])
        found.append(f1(alarms[rows], targets[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def alarms_of_other_folds(
    probability: NDArray[np.float64], targets: NDArray[np.bool_], folds: NDArray[np.intp], *, choose: Sequence[float]
) -> NDArray[np.bool_]:
    """Alarms where each fold's threshold is the one of ``choose`` with the best F1 on the other folds."""
    alarms = np.zeros(len(targets), bool)
    for fold in np.unique(folds):
        others = folds != fold
        best = max(choose, key=lambda threshold: f1(probability[others] >= threshold, targets[others]))
        alarms[~others] = probability[~others] >= best
    return alarms

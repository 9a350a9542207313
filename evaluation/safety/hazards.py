"""Hazards in photos whose source the heads never saw: shares by data set and by what may be mistaken for a hazard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.features import FeatureExtractor
from app.core.object_detection import ObjectDetector
from evaluation.figures import Share
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.training import LeftOut

FIRE_OR_SMOKE, FLAMES, FLOOD, OUTDOORS = (recipe.question.name for recipe in HAZARD_RECIPES)
# A fire is burning there, or smoke rises, or one is shown: counted apart.
NOT_COUNTED = {"fireplace_lit", "tyre_smoke", "fire_picture"}


@dataclass(frozen=True, slots=True)
class Detectors:
    """What a detector is built of, beside its heads."""

    extractor: FeatureExtractor
    persons: ObjectDetector

    def that_never_saw(self, photo: HazardPhoto, judged: Mapping[str, LeftOut]) -> HeadAnomalyDetector:
        """The service's detector with heads that saw nothing of the photo's source."""
        heads = {name: one.heads.get(photo.fold(one.question.by_scene), one.final) for name, one in judged.items()}
        reliability = {kind: places for recipe in HAZARD_RECIPES for kind, places in recipe.reliability.items()}
        chosen = HazardHeads(heads[FIRE_OR_SMOKE], heads[FLAMES], heads[FLOOD], heads[OUTDOORS], reliability)
        return HeadAnomalyDetector(self.extractor, heads=chosen, persons=self.persons)


def shares(judged: Mapping[str, LeftOut]) -> list[Share]:
    """What is asked of the heads, each with its bound."""
    fire, flames, water = judged[FIRE_OR_SMOKE], judged[FLAMES], judged[FLOOD]
    return [
        *_both(fire, "indoor fires found", lambda photo: photo.folder == "fire_indoor", 0.95),
        *_both(fire, "hazards_cctv: fire found", lambda photo: _is_cctv(photo, "fire")),
        *_both(fire, "hazards_cctv: smoke found", lambda photo: _is_cctv(photo, "smoke")),
        *_both(fire, "hazards_outdoor: fires found", lambda photo: photo.folder == "hazards_outdoor"),
        *_both(fire, "fire or smoke, false: cctv_normal", lambda photo: photo.folder == "cctv_normal", 0.02),
        *_both(
            fire,
            "fire or smoke, false: lookalikes",
            lambda photo: photo.folder == "lookalikes" and photo.kind not in NOT_COUNTED,
            0.02,
        ),
        *_both(fire, "fire on a screen or a painting", lambda photo: photo.kind == "fire_picture"),
        *_both(fire, "fire or smoke, false: rooms", lambda photo: photo.folder in {"rooms", "rooms_places"}),
        _share(flames, "flames named fire", lambda photo: bool(photo.flames), flames.told, None),
        _share(flames, "smoke named smoke", lambda photo: photo.flames is False, ~flames.told, 0.9),
        *_both(water, "outdoor floods found", lambda photo: photo.folder == "hazards_flood"),
        *_both(water, "standing water in rooms found", lambda photo: photo.view == "room", 0.7),
        *_both(water, "puddles from near found", lambda photo: photo.view == "spill"),
        *_both(water, "water, false: wet floors that shine", lambda photo: photo.kind == "wet_shine", 0.1),
        *_both(water, "water, false: bathrooms", lambda photo: photo.kind == "bathroom", 0.01),
        *_both(water, "water, false: cctv_normal", lambda photo: photo.folder == "cctv_normal"),
        *_both(water, "water, false: lookalikes", lambda photo: photo.folder == "lookalikes"),
    ]  # fmt: skip


def shares_without_source(judged: Mapping[str, LeftOut]) -> list[Share]:
    """What the heads find of a hazard that they were taught by other data sets alone."""
    fire, water = judged[FIRE_OR_SMOKE], judged[FLOOD]
    return [
        *_both(fire, "hazards_cctv unseen: fire found", lambda photo: _is_cctv(photo, "fire")),
        *_both(fire, "hazards_cctv unseen: smoke found", lambda photo: _is_cctv(photo, "smoke")),
        *_both(water, "hazards_flood unseen: outdoor floods found", lambda photo: photo.folder == "hazards_flood"),
        *_both(water, "source unseen: standing water in rooms found", lambda photo: photo.view == "room"),
        *_both(water, "source unseen: puddles from near found", lambda photo: photo.view == "spill"),
    ]


def f1_row(judged: LeftOut, folder: str) -> str:
    """A row of Markdown: one data set's F1, told, with what it is by resampling scenes, and the frames."""
    rows = [row for row, photo in enumerate(judged.photos) if photo.folder == folder]
    told, targets = judged.told[rows], judged.targets[rows]
    low, high = f1_interval(told, targets, np.array([judged.photos[row].scene for row in rows]))
    return f"| {folder} | {f1(told, targets):.3f} | {low:.3f} – {high:.3f} | {len(rows)} |"


def f1(told: NDArray[np.bool_], targets: NDArray[np.bool_]) -> float:
    """The harmonic mean of precision and recall."""
    return float(2 * (told & targets).sum() / max(told.sum() + targets.sum(), 1))


def f1_interval(
    told: NDArray[np.bool_], targets: NDArray[np.bool_], scenes: NDArray[np.str_], *, rounds: int = 1000
) -> tuple[float, float]:
    """95 % of the F1, by resampling whole scenes."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(scenes == scene) for scene in np.unique(scenes)]
    found = []
    for _ in range(rounds):
        rows = np.concatenate([members[index] for index in rng.integers(0, len(members), len(members))])
        found.append(f1(told[rows], targets[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _is_cctv(photo: HazardPhoto, kind: str) -> bool:
    return photo.folder == "hazards_cctv" and photo.kind == kind


def _both(judged: LeftOut, name: str, wanted: Callable[[HazardPhoto], bool], asked: float | None = None) -> list[Share]:
    """Told, and sure enough to alert by one frame. ``asked``: of hazards by what is told, else by what is alerted."""
    is_false = "false" in name or name.startswith("fire on")
    return [
        _share(judged, f"{name}: told", wanted, judged.told, None if is_false else asked, is_false),
        _share(judged, f"{name}: alerted", wanted, judged.alerted, asked if is_false else None, is_false),
    ]


def _share(
    judged: LeftOut,
    name: str,
    wanted: Callable[[HazardPhoto], bool],
    verdicts: NDArray[np.bool_],
    asked: float | None,
    is_false: bool = False,
) -> Share:
    rows = [
        row
        for row, photo in enumerate(judged.photos)
        if wanted(photo) and (is_false != bool(judged.targets[row]) or judged.question.name == FLAMES)
    ]
    return Share(name, int(verdicts[rows].sum()), len(rows), asked, "lower" if is_false else "higher")

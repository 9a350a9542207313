"""How well hazards are found in frames that the heads were not trained on, and people by the shipped detector.

Run through ``scripts/evaluate.py anomaly``. The heads are trained anew by their shipped recipes, fold by fold; no
scene, and no frame that nearly equals another, stands on both sides of a fold.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.looks import FRAME
from app.ml_models.factories.anomaly import build_person_detector
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.utils.image_processing import decode_image
from scripts.evaluation.figures import Share, as_json, as_table
from scripts.heads.recipes import Recipe, read_recipes
from scripts.heads.rows import RowReader
from scripts.heads.training import Collected, collect, train

_MAX_FALSE_ALARMS = 0.01
_MIN_FLOOD_RECALL = 0.8
_F1_TARGETS = {"hazards_cctv": 0.92, "hazards_outdoor": 0.97}
_MAX_PIXELS = 50_000_000


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the detection of hazards and people.")
    parser.add_argument("--data", type=Path, required=True, help="folder with hazards_*, rooms and faces_press")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    options = parser.parse_args(arguments)
    loader = ModelLoader(load_pack(options.pack), options.weights_dir)
    recipes = {recipe.question.name: recipe for recipe in read_recipes(options.data)}
    shares: list[Share] = []
    scores: dict[str, float] = {}
    for name in ("hazard_fire_or_smoke", "hazard_flood"):
        collected, alarms = _alarms(recipes[name], loader, cache_dir=options.cache)
        shares += _shares(name, collected, alarms)
        if name == "hazard_fire_or_smoke":
            scores = {folder: _f1(collected, alarms, folder) for folder in _F1_TARGETS}
    shares += _persons(loader, options.data)
    print(as_table(shares))
    print("\n| fire or smoke, per frame | F1 | asked |\n|---|---|---|")
    for folder, score in scores.items():
        print(f"| {folder} | {score:.3f} | ≥ {_F1_TARGETS[folder]:g} {'✓' if score >= _F1_TARGETS[folder] else '✗'} |")
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    missed = not all(share.passed for share in shares)
    return 1 if missed or any(score < _F1_TARGETS[folder] for folder, score in scores.items()) else 0


def _alarms(recipe: Recipe, loader: ModelLoader, *, cache_dir: Path | None) -> tuple[Collected, NDArray[np.bool_]]:
    reader = RowReader(build_feature_extractor(loader), looks=recipe.question.looks, cache_dir=cache_dir)
    collected = collect(recipe.read_examples(), reader, progress=lambda _done, _total: None)
    trained = train(recipe.question, collected)
    return collected, trained.out_of_fold[FRAME] >= recipe.question.threshold


def _shares(name: str, collected: Collected, alarms: NDArray[np.bool_]) -> list[Share]:
    targets = collected.targets
    shares = [
        Share(
            f"{name}: found, all sets",
            int(alarms[targets].sum()),
            int(targets.sum()),
            _MIN_FLOOD_RECALL if name == "hazard_flood" else None,
        )
    ]
    for place in sorted({_place(collected, index) for index in np.flatnonzero(~targets)}):
        rows = [index for index in np.flatnonzero(~targets) if _place(collected, index) == place]
        asked = _MAX_FALSE_ALARMS if place == "rooms/clean" else None
        shares.append(Share(f"{name}: false alarms, {place}", int(alarms[rows].sum()), len(rows), asked, "lower"))
    return shares


def _place(collected: Collected, index: int) -> str:
    """The data set; rooms with their label, since the bound is on clean ones."""
    folder = collected.examples[index].path.parent
    return f"rooms/{folder.name}" if folder.parent.name == "rooms" else _data_set(collected, index)


def _data_set(collected: Collected, index: int) -> str:
    path = collected.examples[index].path
    return path.parents[1].name


def _f1(collected: Collected, alarms: NDArray[np.bool_], folder: str) -> float:
    rows = np.array([_data_set(collected, index) == folder for index in range(len(alarms))])
    targets, told = collected.targets[rows], alarms[rows]
    return float(2 * (told & targets).sum() / (told.sum() + targets.sum()))


def _persons(loader: ModelLoader, data: Path) -> list[Share]:
    detector = build_person_detector(loader)

    def seen(pattern: str) -> tuple[int, int]:
        paths = sorted(data.glob(pattern))
        hits = [bool(detector.detect([decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS)])[0]) for path in paths]
        return sum(hits), len(hits)

    return [
        Share("persons: press photos in which somebody is found", *seen("faces_press/*/*.jpg")),
        Share("persons: tidy rooms in which somebody is found", *seen("rooms/clean/*.jpg"), better="lower"),
        Share(
            "persons: things on plain ground in which somebody is found", *seen("lost_found/*/*.jpg"), better="lower"
        ),
    ]

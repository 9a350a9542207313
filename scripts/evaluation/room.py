"""How well the shipped room heads judge photos that they were not trained on.

Run through ``scripts/evaluate.py room``. Each head is trained anew by its shipped recipe, fold by fold; no scene, and
no photo that nearly equals another, stands on both sides of a fold. A fold's calibration comes from the other folds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from scripts.evaluation.figures import Share, as_json, as_table
from scripts.heads.logistic import Floats
from scripts.heads.recipes import read_recipes
from scripts.heads.rows import RowReader
from scripts.heads.training import collect, train
from scripts.heads.validation import SURE, Figures, Flags

_TARGETS = {("room_messy", "quick"): 0.95, ("room_messy", "detailed"): 0.96}
_MAX_CALIBRATION_ERROR = 0.08


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the room heads.")
    parser.add_argument("--data", type=Path, required=True, help="folder with rooms and the backgrounds of the recipes")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    options = parser.parse_args(arguments)
    extractor = build_feature_extractor(ModelLoader(load_pack(options.pack), options.weights_dir))
    shares: list[Share] = []
    found: dict[tuple[str, str], Figures] = {}
    for recipe in read_recipes(options.data):
        name = recipe.question.name
        if name.startswith("hazard_"):
            continue
        reader = RowReader(extractor, looks=recipe.question.looks, cache_dir=options.cache)
        collected = collect(recipe.read_examples(), reader, progress=lambda _done, _total: None)
        trained = train(recipe.question, collected)
        found |= {(name, look): figures for look, figures in trained.figures.items()}
        for look, probability in trained.out_of_fold.items():
            shares += _shares(name, look, probability, collected.targets)
    print(as_table(shares))
    print(_figures_table(found))
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) and all(_passed(key, item) for key, item in found.items()) else 1


def _shares(name: str, look: str, probability: Floats, targets: Flags) -> list[Share]:
    verdicts = probability > 0.5
    sure = np.maximum(probability, 1 - probability) > SURE
    asked = 0.99 if (name, look) in _TARGETS else None
    return [
        Share(f"{name}, {look}: yes found", int(verdicts[targets].sum()), int(targets.sum())),
        Share(f"{name}, {look}: no found", int((~verdicts[~targets]).sum()), int((~targets).sum())),
        Share(f"{name}, {look}: confidence > {SURE:g}", int(sure.sum()), len(targets)),
        Share(
            f"{name}, {look}: right where confidence > {SURE:g}",
            int((verdicts == targets)[sure].sum()),
            int(sure.sum()),
            asked,
        ),
    ]


def _figures_table(found: Mapping[tuple[str, str], Figures]) -> str:
    lines = [
        "",
        f"| head, look | balanced accuracy | 95 % interval | n | calibration error, ≤ {_MAX_CALIBRATION_ERROR:g} | |",
        "|---|---|---|---|---|---|",
    ]
    for (name, look), item in found.items():
        target = _TARGETS.get((name, look))
        lines.append(
            f"| {name}, {look} | {item.balanced_accuracy:.1%}{f' (asked ≥ {target:.0%})' if target else ''} "
            f"| {item.interval[0]:.1%} – {item.interval[1]:.1%} | {item.positives + item.negatives} "
            f"| {item.calibration_error:.3f} | {'✓' if _passed((name, look), item) else '✗'} |"
        )
    return "\n".join(lines)


def _passed(key: tuple[str, str], item: Figures) -> bool:
    return item.balanced_accuracy >= _TARGETS.get(key, 0.0) and item.calibration_error <= _MAX_CALIBRATION_ERROR

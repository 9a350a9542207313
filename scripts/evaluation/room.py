"""How well the shipped room heads judge photos that they were not trained on.

Run through ``scripts/evaluate.py room``. Each head is trained anew by its shipped recipe, fold by fold; no scene, and
no photo that nearly equals another, stands on both sides of a fold. A fold's calibration comes from the other folds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
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
from scripts.heads.validation import SURE, Flags

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
    errors: dict[str, float] = {}
    for recipe in read_recipes(options.data):
        if recipe.question.name.startswith("hazard_"):
            continue
        reader = RowReader(extractor, looks=recipe.question.looks, cache_dir=options.cache)
        collected = collect(recipe.read_examples(), reader, progress=lambda _done, _total: None)
        trained = train(recipe.question, collected)
        for look, probability in trained.out_of_fold.items():
            shares += _shares(recipe.question.name, look, probability, collected.targets)
            errors[f"{recipe.question.name}, {look}"] = trained.figures[look].calibration_error
    print(as_table(shares))
    print("\n| head | expected calibration error |\n|---|---|")
    for name, error in errors.items():
        print(f"| {name} | {error:.3f} {'✓' if error <= _MAX_CALIBRATION_ERROR else '✗'} |")
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    missed = [share for share in shares if not share.passed]
    return 1 if missed or max(errors.values()) > _MAX_CALIBRATION_ERROR else 0


def _shares(name: str, look: str, probability: Floats, targets: Flags) -> list[Share]:
    verdicts = probability > 0.5
    sure = np.maximum(probability, 1 - probability) > SURE
    found, spared = int(verdicts[targets].sum()), int((~verdicts[~targets]).sum())
    # Weighted so that each answer counts one half: with n of both, the balanced accuracy as a share of n.
    balanced = (found / targets.sum() + spared / (~targets).sum()) / 2
    target = _TARGETS.get((name, look))
    return [
        Share(f"{name}, {look}: balanced accuracy", round(balanced * len(targets)), len(targets), target),
        Share(f"{name}, {look}: yes found", found, int(targets.sum())),
        Share(f"{name}, {look}: no found", spared, int((~targets).sum())),
        Share(f"{name}, {look}: confidence > {SURE:g}", int(sure.sum()), len(targets)),
        Share(
            f"{name}, {look}: right where confidence > {SURE:g}",
            int((verdicts == targets)[sure].sum()),
            int(sure.sum()),
            0.99 if target else None,
        ),
    ]

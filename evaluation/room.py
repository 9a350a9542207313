"""How well rooms are judged that the heads were not trained on, and what is said of pictures of other things.

Run through ``scripts/evaluate.py room``. Each head is trained again by its shipped recipe, fold by fold and several
times with other folds; no scene, and no photo that nearly equals another, stands on both sides of a fold. Then the
whole shipped path is judged the same way, and the shipped heads look at folders that none of them was trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.core.room_analyzer import DEPTHS
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.room import build_room_analyzer, room_classes
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.figures import Share, as_json, as_table
from evaluation.rooms.whole_path import (
    checklist_shares,
    judge_held_out,
    other_pictures,
    read_labels_by_eye,
    verdict_figures,
    verdict_shares,
)
from scripts.heads.recipes import Recipe, read_recipes
from scripts.heads.rows import RowReader
from scripts.heads.training import Collected, collect, train
from scripts.heads.validation import SURE, Figures

_TARGETS = {
    (name, look): bound
    for name in ("room_messy", "whole path")
    for look, bound in (("quick", 0.95), ("detailed", 0.96))
}
_MAX_CALIBRATION_ERROR = 0.08
_REPEATS = 5
_OTHER_PICTURES = ("faces_lfw", "spoof", "receipts_en", "objects_coil")


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the room heads.")
    parser.add_argument("--data", type=Path, required=True, help="folder with rooms and the backgrounds of the recipes")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    options = parser.parse_args(arguments)
    loader = ModelLoader(load_pack(options.pack), options.weights_dir)
    recipes = {
        recipe.question.name: recipe
        for recipe in read_recipes(options.data)
        if not recipe.question.name.startswith("hazard_")
    }
    collected = _collect(recipes, loader, cache_dir=options.cache)
    found = {
        (name, look): item
        for name, recipe in recipes.items()
        for look, item in train(recipe.question, collected[name], repeats=_REPEATS).figures.items()
    }
    judged = judge_held_out(recipes, collected, build_feature_extractor(loader), room_classes())
    labels = read_labels_by_eye(options.data / "rooms")
    shares: list[Share] = []
    for depth in DEPTHS:
        found["whole path", depth] = verdict_figures(judged[depth])
        shares += verdict_shares(judged[depth], depth) + checklist_shares(judged[depth], depth, labels)
        shares += other_pictures(build_room_analyzer(loader), options.data, _OTHER_PICTURES, depth)
    print(_figures_table(found))
    print(f"\n{as_table(shares)}")
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) and all(_passed(key, item) for key, item in found.items()) else 1


def _collect(recipes: Mapping[str, Recipe], loader: ModelLoader, *, cache_dir: Path | None) -> dict[str, Collected]:
    extractor = build_feature_extractor(loader)
    return {
        name: collect(
            recipe.read_examples(),
            RowReader(extractor, looks=recipe.question.looks, cache_dir=cache_dir),
            progress=lambda _done, _total: None,
        )
        for name, recipe in recipes.items()
    }


def _figures_table(found: Mapping[tuple[str, str], Figures]) -> str:
    lines = [
        f"| head, look | balanced accuracy | 95 % interval | n | calibration error, ≤ {_MAX_CALIBRATION_ERROR:g} "
        f"| confidence > {SURE:g} | of these right | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, look), item in found.items():
        target = _TARGETS.get((name, look))
        right = "–" if item.sure_accuracy is None else f"{item.sure_accuracy:.1%}"
        lines.append(
            f"| {name}, {look} | {item.balanced_accuracy:.1%}{f' (asked ≥ {target:.0%})' if target else ''} "
            f"| {item.interval[0]:.1%} – {item.interval[1]:.1%} | {item.positives + item.negatives} "
            f"| {item.calibration_error:.3f} | {item.sure_share:.0%} | {right} "
            f"| {'✓' if _passed((name, look), item) else '✗'} |"
        )
    return "\n".join(lines)


def _passed(key: tuple[str, str], item: Figures) -> bool:
    return item.balanced_accuracy >= _TARGETS.get(key, 0.0) and item.calibration_error <= _MAX_CALIBRATION_ERROR

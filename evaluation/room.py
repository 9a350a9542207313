"""How well rooms are judged that the heads were not trained on, and what is said of pictures of other things.

Run through ``scripts/evaluate.py room``. Each head is trained again by its shipped recipe, fold by fold; no scene, and
no photo that nearly equals another, stands on both sides of a fold. Then the whole shipped path is judged the same way.
Where a head has several sources, the photos of each are judged by heads that saw none of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.core.room_analyzer import DEPTHS
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.room import room_classes
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.figures import Share, as_json, as_table
from evaluation.rooms.whole_path import (
    checklist_shares,
    judge_held_out,
    tidiness_figures,
    verdict_shares,
    view_shares,
)
from scripts.heads.validation import SURE, Figures
from scripts.rooms.known import KnownRooms
from scripts.rooms.photos import read_room_photos
from scripts.rooms.recipes import ROOM_RECIPES
from scripts.rooms.rows import read_look_rows
from scripts.rooms.training import judge_head

_TARGETS = {"bedrooms, tidy or untidy, where told": 0.95, "bathrooms, tidy or dirty, where told": 0.85}
_MAX_CALIBRATION_ERROR = 0.05
_FEWEST_FOR_CALIBRATION = 200  # fewer photos give a calibration error that is mostly chance


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the room heads.")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with rooms, rooms_places and pictures of other things"
    )
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    options = parser.parse_args(arguments)
    extractor = build_feature_extractor(ModelLoader(load_pack(options.pack), options.weights_dir))
    photos = read_room_photos(options.data)
    rows = read_look_rows(photos, extractor, cache_dir=options.cache)
    heads = {recipe.question.name: judge_head(recipe.question, photos, rows) for recipe in ROOM_RECIPES}
    found = {(name, look): item for name, head in heads.items() for look, item in head.by_scene.items()}
    shares: list[Share] = []
    for depth in DEPTHS:
        judged = judge_held_out(photos, rows, heads, extractor, room_classes(), depth=depth)
        found["bedrooms, tidy or untidy, where told", depth] = tidiness_figures(judged, "bedroom", "room_messy")
        found["bathrooms, tidy or dirty, where told", depth] = tidiness_figures(judged, "bathroom", "bathroom_dirty")
        shares += view_shares(judged, depth) + verdict_shares(judged, depth) + checklist_shares(judged, depth)
    left_out = [
        Share(f"{name}, source unseen: {share.name}", share.count, share.n)
        for name, head in heads.items()
        for share in head.by_source
    ]
    left_out += KnownRooms(photos, rows).shares(heads["room_shown"])
    print(_figures_table(found))
    print(f"\n{as_table(shares)}\n\n{as_table(left_out)}")
    if options.json:
        options.json.write_text(
            json.dumps(as_json([*shares, *left_out]), ensure_ascii=False, indent=2), encoding="utf-8"
        )
    return 0 if all(share.passed for share in shares) and all(_passed(key, item) for key, item in found.items()) else 1


def _figures_table(found: Mapping[tuple[str, str], Figures]) -> str:
    lines = [
        f"| question, look | balanced accuracy | 95 % interval | n | calibration error, ≤ {_MAX_CALIBRATION_ERROR:g} "
        f"from n {_FEWEST_FOR_CALIBRATION} | confidence > {SURE:g} | of these right | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, look), item in found.items():
        target = _TARGETS.get(name)
        right = "–" if item.sure_accuracy is None else f"{item.sure_accuracy:.1%}"
        lines.append(
            f"| {name}, {look} | {item.balanced_accuracy:.1%}{f' (asked ≥ {target:.0%})' if target else ''} "
            f"| {item.interval[0]:.1%} – {item.interval[1]:.1%} | {item.positives + item.negatives} "
            f"| {item.calibration_error:.3f} | {item.sure_share:.0%} | {right} "
            f"| {'✓' if _passed((name, look), item) else '✗'} |"
        )
    return "\n".join(lines)


def _passed(key: tuple[str, str], item: Figures) -> bool:
    enough = item.positives + item.negatives >= _FEWEST_FOR_CALIBRATION
    calibrated = not enough or item.calibration_error <= _MAX_CALIBRATION_ERROR
    return calibrated and item.balanced_accuracy >= _TARGETS.get(key[0], 0.0)

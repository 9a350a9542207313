"""How well hazards are found in photos of sources that the heads never saw, and people by the shipped detector.

Run through ``scripts/evaluate.py anomaly``. The heads are trained again by their shipped recipes without one source
after the other; smoke, which one source has, and water, which few have, are judged by scene, and once more without
their source.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.ml_models.factories.anomaly import build_anomaly_detector, build_person_detector
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.figures import Share, as_json, as_table
from evaluation.safety.clips import incidents_of_loop
from evaluation.safety.fire_start import fires_that_begin
from evaluation.safety.hazards import FIRE_OR_SMOKE, FLOOD, Detectors, f1_row, shares, shares_without_source
from evaluation.safety.persons import persons
from scripts.hazards.made import make_frames
from scripts.hazards.photos import read_photos
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import main_directions, read_rows
from scripts.hazards.training import judge

_PARTS = ("heads", "static", "start", "persons")
_F1_OF = ("hazards_cctv", "hazards_outdoor")


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the detection of hazards and people.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the photos")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="these parts alone")
    options = parser.parse_args(arguments)
    loader = ModelLoader(load_pack(options.pack), options.weights_dir)
    extractor = build_feature_extractor(loader)
    photos = read_photos(options.data)
    with TemporaryDirectory() as folder:
        cache_dir = options.cache or Path(folder)
        rows = read_rows(photos, extractor, cache_dir=cache_dir)
        made = make_frames(photos, extractor, cache_dir=cache_dir)
    directions = main_directions(rows)
    rows, made = rows.along(directions), made.along(directions)
    judged = {}
    if {"heads", "static"} & set(options.only):
        judged = {recipe.question.name: judge(recipe.question, photos, rows, made) for recipe in HAZARD_RECIPES}
    parts = Detectors(extractor, build_person_detector(loader))
    found: list[Share] = []
    if "heads" in options.only:
        by_source = {
            name: judge(replace(judged[name].question, by_scene=frozenset()), photos, rows, made)
            for name in (FIRE_OR_SMOKE, FLOOD)
        }
        found += [*shares(judged), *shares_without_source(by_source)]
        print("| fire or smoke, told, per frame | F1 | 95 % interval | n |\n|---|---|---|---|")
        print("\n".join(f1_row(judged[FIRE_OR_SMOKE], folder) for folder in _F1_OF) + "\n")
    if "static" in options.only:
        found += incidents_of_loop(photos, judged, parts)
    if "start" in options.only:
        found += fires_that_begin(photos, rows, made, parts)
    if "persons" in options.only:
        found += persons(build_anomaly_detector(loader), options.data)
    print(as_table(found))
    if options.json:
        options.json.write_text(json.dumps(as_json(found), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in found) else 1

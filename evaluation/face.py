"""How well faces are found, told apart, and told from pictures of faces.

Run through ``scripts/evaluate.py face``. Detection, alignment, embedding, thresholds and calibration are the shipped
ones; see ``faces/`` for what is measured how.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from app.ml_models.factories.face import build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.faces.attacks import evaluate_attacks
from evaluation.faces.identification import evaluate_lfw, evaluate_press
from evaluation.faces.reach import evaluate_false_alarms, evaluate_reach, evaluate_turned_heads
from evaluation.figures import Share, as_json, as_table


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the face engines.")
    parser.add_argument("--data", type=Path, required=True, help="folder with faces_lfw, faces_press, spoof and rooms")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--reach-photos", type=int, default=100, help="faces pasted for each size and frame")
    options = parser.parse_args(arguments)
    engines = build_face_engines(ModelLoader(load_pack(options.pack), options.weights_dir))
    faces, data = engines.recognition, options.data
    shares: list[Share] = [
        *evaluate_lfw(faces, data / "faces_lfw"),
        *evaluate_press(faces, data / "faces_press"),
        *evaluate_reach(faces, data, photos=options.reach_photos),
        *evaluate_turned_heads(faces, data / "faces_lfw"),
        *evaluate_false_alarms(faces, data),
        *evaluate_attacks(faces, engines.liveness, data / "spoof"),
    ]
    print(as_table(shares))
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) else 1

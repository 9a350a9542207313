"""How well faces are found, told apart, and told from pictures of faces.

Run through ``scripts/evaluate.py face``. Detection, alignment, embedding, thresholds and calibration are the shipped
ones; see ``faces/`` for what is measured how.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.faces.attacks import evaluate_attacks
from evaluation.faces.conditions import evaluate_conditions
from evaluation.faces.covered import evaluate_drawn, evaluate_worn
from evaluation.faces.identification import evaluate_masked_people, evaluate_people, evaluate_press
from evaluation.faces.reach import evaluate_false_alarms, evaluate_reach, evaluate_turned_heads
from evaluation.faces.sessions import evaluate_sessions
from evaluation.figures import Share, as_json, as_table


def _identification(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    people = evaluate_people(engines.recognition, options.data)
    return [*people, *evaluate_press(engines.recognition, options.data / "faces_press")]


def _masked(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_masked_people(engines.recognition, options.data)


def _detection(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return [
        *evaluate_reach(engines.recognition, options.data, photos=options.reach_photos),
        *evaluate_turned_heads(engines.recognition, options.data / "faces_lfw"),
        *evaluate_false_alarms(engines.recognition, options.data),
    ]


def _liveness(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_attacks(engines.recognition, engines.liveness, options.data / "spoof")


def _sessions(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_sessions(
        engines,
        options.data / options.portraits,
        sequences=options.sequences,
        half=options.people,
        cache=options.cache,
    )


def _worn(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_worn(engines.recognition, options.data)


def _drawn(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_drawn(engines.recognition, options.data)


def _conditions(engines: FaceEngines, options: argparse.Namespace) -> list[Share]:
    return evaluate_conditions(engines.recognition, options.data, probes=options.probes)


_PARTS: Mapping[str, Callable[[FaceEngines, argparse.Namespace], list[Share]]] = {
    "identification": _identification,
    "masked": _masked,
    "worn": _worn,
    "drawn": _drawn,
    "detection": _detection,
    "conditions": _conditions,
    "liveness": _liveness,
    "sessions": _sessions,
}


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate the face engines.")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with faces_lfw, faces_asian, faces_covered, faces_press, spoof and rooms",
    )
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--parts", nargs="+", default=[*_PARTS], choices=[*_PARTS], help="what to measure")
    parser.add_argument("--reach-photos", type=int, default=100, help="faces pasted for each size and frame")
    parser.add_argument(
        "--sequences", type=int, default=320, help="rendered liveness sessions: so many live, and attacks"
    )
    parser.add_argument(
        "--portraits",
        default="faces_lfw",
        choices=["faces_lfw", "faces_asian", "faces_covered", "faces_press"],
        help="photos that sessions render",
    )
    parser.add_argument(
        "--people",
        default="all",
        choices=["fitted", "held", "all"],
        help="of faces_lfw and faces_asian: those whose sequences the rules of sessions were set on, or the others",
    )
    parser.add_argument("--probes", type=int, default=250, help="people searched for under each hard condition")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what the rendered frames showed")
    options = parser.parse_args(arguments)
    engines = build_face_engines(ModelLoader(load_pack(options.pack), options.weights_dir))
    shares = [share for part in options.parts for share in _PARTS[part](engines, options)]
    print(as_table(shares))
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) else 1

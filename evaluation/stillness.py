"""What is as still as a picture raises no incident, and what burns does: the change over time that a camera asks for.

Run through ``scripts/evaluate.py stillness``. Still are look-alikes that the detector takes for fire or smoke, each
shown as frames of a steady camera: with a sensor's noise, light that flickers by 3 %, and JPEG's losses. What burns are
frames of one place each of ``hazards_cctv``; of two of its places there are pictures from before. These are shown
still, with what looked like a hazard in them learnt as usual, and then as they burn. The heads have seen these photos,
so shares are of what they take for a hazard: judged is the rule of change alone. Its limits were looked at on frames of
``hazards_cctv``, and on no other.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from app.core.anomalies import BURNING, AnomalyDetector
from app.core.usual_scene import UsualPlace, UsualScene
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Image
from app.workflows.cameras.motion import MotionDetector
from app.workflows.cameras.unrest import Unrest
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.cameras.worker import STILL_INTERVAL_S
from app.workflows.safety.judgement import Spread
from app.workflows.safety.rules import CameraRules
from evaluation.figures import Share, as_json, as_table
from evaluation.safety.steady_camera import held_still
from scripts.hazards.photos import HazardPhoto, read_photos
from scripts.heads.photos import open_photo

_FPS = 2
STILL_FRAMES = 25  # more than the ten seconds after which a still frame is judged all the same
_BEGAN = datetime(2025, 1, 17, 14, 30, tzinfo=UTC)
_FRAMES = 6
_BURNS = frozenset({"fireplace_lit", "tyre_smoke"})
_STEP = 3  # every so-manieth look-alike


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate what a camera asks of change over time.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the photos")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args(arguments)
    detector = build_anomaly_detector(ModelLoader(load_pack(options.pack), options.weights_dir))
    photos = read_photos(options.data)
    found = [*_still(detector, photos), *_burning(detector, photos), *_starting(detector, photos)]
    print(as_table(found))
    if options.json:
        options.json.write_text(json.dumps(as_json(found), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in found) else 1


def raises(detector: AnomalyDetector, frames: Iterable[Image]) -> tuple[bool, bool, bool]:
    """Whether a camera that shows these raises an incident of fire or smoke, by k of n alone, and with change asked;
    and whether it takes what it sees for one that spreads."""
    spread, spreads = Spread(), False
    plain, asking = (AnomalyWatch(CameraRules(), interval_s=1 / _FPS) for _ in range(2))
    unrest, moment, raised = Unrest(), datetime.now(UTC), [False, False]
    for number, frame in enumerate(frames):
        anomalies = detector.examine(frame, BURNING).anomalies
        unrest.see(frame, number / _FPS)
        spreads |= any(spread.see(one.extent, number / _FPS) for one in anomalies)
        size = frame.shape[1], frame.shape[0]
        for index, (watch, asked) in enumerate(((plain, None), (asking, unrest))):
            findings = watch.see(
                anomalies, BURNING, staff=[], size=size, moment=moment, now_s=number / _FPS, unrest=asked
            )
            raised[index] |= bool(findings)
    return raised[0], raised[1], spreads


def frames_until_told(detector: AnomalyDetector, before: Sequence[Image], after: Sequence[Image]) -> int | None:
    """How many frames of what burns a camera shows before its incident; None where it raises none.

    Frames are left out as the camera's worker leaves them out: where nothing moves, for up to ten seconds.

    Args:
        before: of the place as it always is, which the camera has learnt; at least one.

    Raises:
        ValueError: there is an incident before anything burns.
    """
    suspects = detector.examine(before[0], BURNING).suspects
    usual = UsualScene([UsualPlace(suspect.view, suspect.row) for suspect in suspects])
    watch, unrest, motion = AnomalyWatch(CameraRules(), interval_s=1 / _FPS), Unrest(), MotionDetector()
    judged_at_s = float("-inf")
    for number, frame in enumerate([*before, *after]):
        now_s, size = number / _FPS, (frame.shape[1], frame.shape[0])
        moving = motion.sees_motion(frame)
        if not (moving or watch.is_suspicious or now_s - judged_at_s >= STILL_INTERVAL_S):
            continue
        judged_at_s = now_s
        unrest.see(frame, now_s)
        anomalies = detector.examine(frame, BURNING, usual).anomalies
        moment = _BEGAN + timedelta(seconds=now_s)
        if watch.see(anomalies, BURNING, staff=[], size=size, moment=moment, now_s=now_s, unrest=unrest):
            if number < len(before):
                raise ValueError("an incident where nothing burns")
            return number - len(before) + 1
    return None


def _still(detector: AnomalyDetector, photos: Sequence[HazardPhoto]) -> list[Share]:
    rng = np.random.default_rng(0)
    alike = [photo for photo in photos if photo.folder == "lookalikes" and photo.kind not in _BURNS][::_STEP]
    pictures = [open_photo(photo.path) for photo in alike]
    taken = [one for one in pictures if any(a.reaches_alert for a in detector.examine(one, BURNING).anomalies)]
    burning = [open_photo(sequence[0].path) for sequence in _sequences(photos)]
    found = [raises(detector, held_still(picture, rng, frames=_FRAMES)) for picture in [*taken, *burning]]
    n = len(found)
    return [
        Share(
            "still pictures that look like a hazard: an incident by k of n alone", sum(one for one, _, _ in found), n
        ),
        Share("the same, with change asked", sum(asked for _, asked, _ in found), n, 0.0, "lower"),
        Share("the same: told to spread", sum(spreads for _, _, spreads in found), n, 0.0, "lower"),
    ]


def _burning(detector: AnomalyDetector, photos: Sequence[HazardPhoto]) -> list[Share]:
    found = [
        raises(detector, [open_photo(photo.path) for photo in sequence[:_FRAMES]]) for sequence in _sequences(photos)
    ]
    known = [asked for plain, asked, _ in found if plain]
    name = "fire or smoke at one place of hazards_cctv: still an incident, of those that are one by k of n"
    spreading = Share("the same places: told to spread", sum(spreads for _, _, spreads in found), len(found))
    return [Share(name, sum(known), len(known), 1.0), spreading]


def starts(photos: Sequence[HazardPhoto]) -> list[tuple[HazardPhoto, list[HazardPhoto]]]:
    """A picture of a place from before, and the frames of what burns there."""
    before = {one.scene: one for one in photos if one.folder == "hazards_cctv" and one.path.parent.name == "normal"}
    return [(before[found[0].scene], found) for found in _sequences(photos) if found[0].scene in before]


def _starting(detector: AnomalyDetector, photos: Sequence[HazardPhoto]) -> list[Share]:
    rng = np.random.default_rng(1)
    found = []
    for still, sequence in starts(photos):
        before = held_still(open_photo(still.path), rng, frames=STILL_FRAMES)
        after = [open_photo(photo.path) for photo in sequence]
        found.append(frames_until_told(detector, before, after))
        print(f"{sequence[0].path.parent.name} at {still.scene}: {found[-1]} of {len(after)} frames until the incident")
    in_time = sum(frames is not None and frames <= _FRAMES for frames in found)
    return [
        Share(f"fire or smoke that begins at a still place: an incident within {_FRAMES} frames", in_time, len(found))
    ]


def _sequences(photos: Sequence[HazardPhoto]) -> list[list[HazardPhoto]]:
    """Frames of one place and label, in the order of their names."""
    places: dict[tuple[str, str], list[HazardPhoto]] = defaultdict(list)
    for photo in photos:
        label = photo.path.parent.name
        if photo.folder == "hazards_cctv" and label in BURNING:
            places[label, photo.scene].append(photo)
    return [sorted(found, key=lambda one: one.path.name) for found in places.values() if len(found) >= 4]

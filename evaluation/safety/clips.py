"""What the camera worker's judgement makes of scenes in which nothing happens: frames, k of n, incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from app.types import Image
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.rules import CameraRules
from evaluation.figures import Share
from evaluation.safety.hazards import Detectors
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.rows import open_photo
from scripts.hazards.training import LeftOut

_FPS = 2
_FRAMES_EACH = 6  # three seconds: long enough to confirm whatever a camera confirms
_SHAKE = 0.02  # of the width
_SCENES = {"cctv_normal": 3, "rooms": 4}  # every so-manieth photo


def incidents_of_loop(photos: Sequence[HazardPhoto], judged: Mapping[str, LeftOut], parts: Detectors) -> list[Share]:
    """Show each of some harmless photos to a camera's watch, shaking a little, and count what it raises."""
    alarms, incidents, scenes = 0, 0, 0
    for folder, step in _SCENES.items():
        for photo in [photo for photo in photos if photo.folder == folder][::step]:
            watch = AnomalyWatch(CameraRules(), interval_s=1 / _FPS)
            moment = datetime.now(UTC)
            types = watch.types(moment)
            detector, picture = parts.that_never_saw(photo, judged), open_photo(photo.path)
            scenes += 1
            raised = 0
            for number in range(_FRAMES_EACH):
                frame = shaken(picture, number)
                anomalies = detector.detect(frame, types)
                alarms += any(one.reaches_alert for one in anomalies)
                size = frame.shape[1], frame.shape[0]
                raised += len(watch.see(anomalies, types, staff=[], size=size, moment=moment, now_s=number / _FPS))
            incidents += bool(raised)
    return [
        Share("static scenes: frames sure enough to alert", alarms, scenes * _FRAMES_EACH, better="lower"),
        Share("static scenes: with an incident", incidents, scenes, 0.0, "lower"),
    ]


def shaken(picture: Image, number: int) -> Image:
    """The picture as a shaking camera gives it: some pixels aside, and as often to the left as to the right."""
    shift = round((number % 3 - 1) * _SHAKE * picture.shape[1])
    return np.ascontiguousarray(np.roll(picture, shift, axis=1))

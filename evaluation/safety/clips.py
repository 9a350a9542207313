"""What the camera worker's judgement makes of a clip of clean rooms: frames, k of n, incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.types import Image
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.rules import CameraRules
from evaluation.figures import Share
from evaluation.safety.hazards import Detectors, HazardQuestion, detectors_of, open_photo

_FPS = 2
_FRAMES_EACH = 6  # three seconds: long enough to confirm whatever a camera confirms
_SHAKE = 0.02  # of the width


def incidents_of_loop(questions: Mapping[str, HazardQuestion], parts: Detectors, photos: Sequence[Path]) -> list[Share]:
    """Show one photo after another to one camera's watch, each shaking a little, and count what it raises."""
    watch = AnomalyWatch(CameraRules(), interval_s=1 / _FPS)
    moment = datetime.now(UTC)
    types = watch.types(moment)
    now_s, alarms, incidents = 0.0, 0, 0
    for path in photos:
        detector, picture = detectors_of(questions, parts, path), open_photo(path)
        for number in range(_FRAMES_EACH):
            frame = shaken(picture, number)
            anomalies = detector.detect(frame, types)
            alarms += bool(anomalies)
            size = frame.shape[1], frame.shape[0]
            incidents += len(watch.see(anomalies, types, staff=[], size=size, moment=moment, now_s=now_s))
            now_s += 1 / _FPS
    frames = len(photos) * _FRAMES_EACH
    return [
        Share("clip of clean rooms: frames with an alarm", alarms, frames),
        Share("clip of clean rooms: incidents after confirmation", incidents, frames, 0.0, "lower"),
    ]


def shaken(picture: Image, number: int) -> Image:
    """The picture as a shaking camera gives it: some pixels aside, and as often to the left as to the right."""
    shift = round((number % 3 - 1) * _SHAKE * picture.shape[1])
    return np.ascontiguousarray(np.roll(picture, shift, axis=1))

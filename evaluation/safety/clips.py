"""What the camera worker's judgement makes of scenes in which nothing happens: frames, k of n, incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from app.core.anomalies import BURNING, AnomalyDetector, AnomalyType
from app.core.usual_scene import UsualPlace, UsualScene
from app.types import Image
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.rules import CameraRules
from evaluation.figures import Share
from evaluation.safety.hazards import Detectors
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.training import LeftOut
from scripts.heads.photos import open_photo

_FPS = 2
_FRAMES_EACH = 6  # three seconds: long enough to confirm whatever a camera confirms
_SHAKE = 0.02  # of the width
_TYPES = BURNING | {AnomalyType.FLOOD}
_SCENES = {"cctv_normal": 3, "rooms": 4}  # every so-manieth photo


def incidents_of_loop(photos: Sequence[HazardPhoto], judged: Mapping[str, LeftOut], parts: Detectors) -> list[Share]:
    """Show each of some harmless photos to a camera's watch, shaking a little, and count what it raises: before the
    camera has learnt what it always sees, and once it has seen the photo as it is."""
    alarms, new, known, scenes = 0, 0, 0, 0
    for folder, step in _SCENES.items():
        for photo in [photo for photo in photos if photo.folder == folder][::step]:
            detector, picture = parts.that_never_saw(photo, judged), open_photo(photo.path)
            scenes += 1
            sure, raised = _replayed(detector, picture, None)
            alarms, new = alarms + sure, new + raised
            if raised:
                suspects = detector.examine(picture, _TYPES).suspects
                usual = UsualScene([UsualPlace(one.view, one.row) for one in suspects])
                known += _replayed(detector, picture, usual)[1]
    return [
        Share("static scenes: frames sure enough to alert", alarms, scenes * _FRAMES_EACH, better="lower"),
        Share("static scenes, at a new camera: with an incident", new, scenes, better="lower"),
        Share("static scenes, once the camera has learnt them: with an incident", known, scenes, 0.0, "lower"),
    ]


def _replayed(detector: AnomalyDetector, picture: Image, usual: UsualScene | None) -> tuple[int, bool]:
    """The frames that are sure enough to alert, and whether there is an incident."""
    watch, moment = AnomalyWatch(CameraRules(), interval_s=1 / _FPS), datetime.now(UTC)
    sure, raised = 0, False
    for number in range(_FRAMES_EACH):
        frame = shaken(picture, number)
        anomalies = detector.examine(frame, _TYPES, usual).anomalies
        sure += any(one.reaches_alert for one in anomalies)
        size = frame.shape[1], frame.shape[0]
        raised |= bool(watch.see(anomalies, _TYPES, staff=[], size=size, moment=moment, now_s=number / _FPS))
    return sure, raised


def shaken(picture: Image, number: int) -> Image:
    """The picture as a shaking camera gives it: some pixels aside, and as often to the left as to the right."""
    shift = round((number % 3 - 1) * _SHAKE * picture.shape[1])
    return np.ascontiguousarray(np.roll(picture, shift, axis=1))

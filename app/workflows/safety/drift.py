"""What the heads say at each camera, so that it shows where they have come to see something else than before.

A lens that got dirty, another place, a new lamp: what a head says of a camera's frames moves, long before a false alarm
or a missed fire tells of it.
"""

from __future__ import annotations

from collections import OrderedDict

from app.core.anomalies import Examination
from app.utils import metrics

_MOST_CAMERAS = 256


class DriftMeter:
    """Counts, by registered camera and head, what is said of frames that were judged.

    Args:
        most: cameras that are counted at a time; the one whose last frame is oldest makes room, because each costs a
            series for every head and bucket.
    """

    def __init__(self, *, most: int = _MOST_CAMERAS) -> None:
        self._most = most
        self._cameras: OrderedDict[str, None] = OrderedDict()

    def note(self, camera_id: str, seen: Examination) -> None:
        """Take in one frame of a registered camera."""
        if not seen.scores:
            return
        self._cameras[camera_id] = None
        self._cameras.move_to_end(camera_id)
        for head, probability in seen.scores.items():
            metrics.camera_head_scores.labels(camera_id, head).observe(probability)
        if len(self._cameras) > self._most:
            self.forget(next(iter(self._cameras)))

    def forget(self, camera_id: str) -> None:
        """Another replica reads the camera now, or nobody does."""
        if camera_id in self._cameras:
            del self._cameras[camera_id]
            metrics.camera_head_scores.remove_by_labels({"camera": camera_id})

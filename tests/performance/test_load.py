"""Load, by locust: ``locust -f tests/performance/test_load.py --host=http://localhost:8001``.

Not collected by pytest. The photo comes from CV_LOAD_PHOTO, by default the astronaut that scikit-image ships.
"""

from __future__ import annotations

import base64
import importlib.util
import os
from pathlib import Path

from locust import HttpUser, between, task


def _photo() -> Path:
    given = os.environ.get("CV_LOAD_PHOTO")
    if given:
        return Path(given)
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("Set CV_LOAD_PHOTO to a photo with a face.")
    return Path(spec.origin).parent / "data" / "astronaut.png"


class CVServiceUser(HttpUser):
    """Somebody in front of a check-in camera."""

    wait_time = between(1, 2)

    def on_start(self) -> None:
        self.image_b64 = base64.b64encode(_photo().read_bytes()).decode()

    @task
    def recognize_face(self) -> None:
        self.client.post(
            "/api/v1/cv/face/recognize",
            json={"image": self.image_b64, "camera_id": "load_test", "timestamp": "2025-01-17T10:00:00Z"},
        )

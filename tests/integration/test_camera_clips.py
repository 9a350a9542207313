"""Real frames through the real camera worker: a looped clip of clean rooms, one of a fire, staff and strangers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from app.types import Image
from tests.camera_servers import http_camera
from tests.event_schemas import problems
from tests.integration.conftest import Service
from tests.integration.test_api_face import enroll
from tests.integration.test_cameras import ANYBODY, API, add, client, scene, service, shape_of, state
from tests.photos import astronaut, base64_jpeg, evaluation_data, group, jpeg

pytestmark = pytest.mark.any_server

__all__ = ["client", "service"]  # fixtures

CLIP_SIZE = (640, 480)
CLIP_FPS = 10
NO_STAFF = {"anomalies": ["intrusion"], "intrusion": {"min_dwell_s": 0, "suppress_staff": True}}


def write_clip(path: Path, photos: Iterable[Path], *, seconds_each: float) -> None:
    """A video that shows one photo after another, each as a hand-held or shaking camera would."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), CLIP_FPS, CLIP_SIZE)
    for photo in photos:
        picture = cv2.resize(np.asarray(cv2.imread(str(photo))), CLIP_SIZE, interpolation=cv2.INTER_AREA)
        for number in range(round(seconds_each * CLIP_FPS)):
            writer.write(shaken(np.asarray(picture, np.uint8), number))
    writer.release()


def shaken(picture: Image, number: int) -> Image:
    """The picture some pixels aside, so that there is motion in every frame."""
    shift = (number % 4) * 6
    return np.ascontiguousarray(np.roll(picture, shift, axis=1))


def test_a_looped_clip_of_clean_rooms_raises_no_alert(client: httpx.Client, service: Service, tmp_path: Path) -> None:
    photos = sorted((evaluation_data("rooms") / "clean").glob("*.jpg"))[::5]
    write_clip(tmp_path / "rooms.avi", photos, seconds_each=1)
    rules = {"anomalies": ["fire", "smoke", "flood"]}
    add(client, kind="file", url=(tmp_path / "rooms.avi").as_uri(), frames_per_second=CLIP_FPS, rules=rules)
    judged = len(photos) * CLIP_FPS  # about a loop, where nothing is dropped
    service.records.wait_until(lambda: (state(client)["frames_judged"] or 0) >= judged)
    assert client.get(f"{API}/anomaly/incidents").json()["incidents"] == []
    assert service.records.events("anomaly.alerts") == []


def test_a_looped_clip_of_a_fire_raises_one_alert(client: httpx.Client, service: Service, tmp_path: Path) -> None:
    photos = sorted((evaluation_data("hazards_outdoor") / "fire").glob("*.jpg"))[:1]
    write_clip(tmp_path / "fire.avi", photos, seconds_each=3)
    add(client, kind="file", url=(tmp_path / "fire.avi").as_uri(), rules={"anomalies": ["fire"]})
    records = service.records
    records.wait_until(lambda: bool(records.events("anomaly.alerts")))
    assert state(client)["frames_judged"] >= 2, "one frame must not be enough"
    records.wait_until(lambda: (state(client)["frames_judged"] or 0) >= 30)
    [event] = records.events("anomaly.alerts")
    assert problems(event) == []
    assert (event["anomaly_type"], event["origin"], event["severity"]) == ("fire", "camera", "high")
    [incident] = client.get(f"{API}/anomaly/incidents").json()["incidents"]
    assert incident["status"] == "active"
    assert shape_of(httpx.get(incident["frame_url"]).content) == (CLIP_SIZE[1], CLIP_SIZE[0], 3)


def test_live_staff_raise_no_alarm_on_a_stream_but_strangers_do(client: httpx.Client, service: Service) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    with http_camera(jpeg(scene(0))) as store:
        add(client, kind="mjpeg", url=store.url("/stream"), rules=NO_STAFF)
        records, step = service.records, 0

        def staff_was_judged() -> bool:
            nonlocal step
            step += 1
            store.picture = jpeg(scene(step % 10 * 4))
            return (state(client)["frames_judged"] or 0) >= 8

        records.wait_until(staff_was_judged)
        assert records.events("anomaly.alerts") == []
        store.picture = jpeg(group())
        records.wait_until(lambda: bool(records.events("anomaly.alerts")))


def test_staff_in_a_frame_sent_over_http_raise_no_alarm(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    add(client, rules=NO_STAFF, enabled=False)
    body = {"image": base64_jpeg(scene(0)), "camera_id": "cam_1", "detection_types": ["intrusion"]}
    [staff] = client.post(f"{API}/anomaly/detect", json=body).json()["anomalies"]
    assert (staff["alert"], staff["description"]) == (False, "Staff member recognised in a restricted zone")
    client.patch(f"{API}/cameras/cam_1", json={"rules": ANYBODY})
    [intruder] = client.post(f"{API}/anomaly/detect", json=body).json()["anomalies"]
    assert intruder["alert"] is True

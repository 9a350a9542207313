"""What is wrong with a camera, and what the API, the metrics and the events say of it, and after how many seconds.

CV_CAMERA_FAULTS=docs/cameras.md writes the table there.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from app.types import Image
from scripts.local.ports import choose_free_port
from tests.camera_servers import HttpCamera, http_camera
from tests.integration.conftest import Service, Start
from tests.photos import coffee, jpeg
from tests.tls_front import tls_front
from tests.written_tables import put

pytestmark = [pytest.mark.any_server, pytest.mark.slow]

API = "/api/v1/cv"
PATIENCE_S = 150.0
LEARNT_S = 8.0
SCENE: Image = np.asarray(cv2.resize(coffee(), (320, 240)), dtype=np.uint8)
OFFLINE, TAMPERED = "camera.offline", "camera.tampered"


@dataclass
class Case:
    """A camera with a fault. ``breaks``: what happens to it after it has streamed; None where it never works."""

    name: str
    kind: str
    url: str
    said: str
    event: str | None = OFFLINE
    breaks: Callable[[], None] | None = None
    login: tuple[str, str] | None = None
    begins_at_s: float = 0.0
    said_after_s: float | None = None
    event_after_s: float | None = None

    @property
    def id(self) -> str:
        return f"cam_{self.name.replace(' ', '_').replace(',', '')}"

    @property
    def is_done(self) -> bool:
        return self.said_after_s is not None and (self.event is None or self.event_after_s is not None)


def noisy(level: int) -> Image:
    noise = np.random.default_rng(level).normal(level, 3, SCENE.shape)
    shown: Image = np.clip(noise, 0, 255).astype(np.uint8)
    return shown


def dead(stack: ExitStack, folder: Path) -> list[Case]:
    """Cameras that give no picture from the first moment on."""
    camera = stack.enter_context(http_camera(jpeg(SCENE)))
    camera.moved_to = "http://10.1.2.3/snapshot.jpg"
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=16)).getsockname()[1]
    front = stack.enter_context(tls_front(camera.port, folder))
    nobody = choose_free_port()
    return [
        Case("nobody at the address", "rtsp", f"rtsp://127.0.0.1:{nobody}/live", "unreachable"),
        Case("takes the connection, says nothing", "rtsp", f"rtsp://127.0.0.1:{silent}/live", "stalled"),
        Case("answers, sends no picture", "mjpeg", camera.url("/silent"), "stalled"),
        Case("wrong login", "snapshot", camera.url("/digest"), "unauthorized", login=("viewer", "wrong")),
        Case("wrong path", "snapshot", camera.url("/nothing"), "not_found"),
        Case("sends noise", "mjpeg", camera.url("/garbage"), "not_a_stream"),
        Case("answers with a page", "snapshot", camera.url("/busy"), "not_a_picture"),
        Case("redirects elsewhere", "snapshot", camera.url("/moved"), "address_refused"),
        Case("signs its own certificate", "snapshot", f"https://127.0.0.1:{front.port}/snapshot.jpg",
             "certificate_refused"),
    ]  # fmt: skip


def well(stack: ExitStack) -> list[Case]:
    """Cameras that stream, and then do not, or show nothing of use."""

    def case(name: str, said: str, event: str | None, breaks: Callable[[HttpCamera], None]) -> Case:
        camera = stack.enter_context(http_camera(jpeg(SCENE)))
        camera.interval_s = 0.2
        return Case(name, "mjpeg", camera.url("/stream"), said, event, breaks=lambda: breaks(camera))

    def shows(image: Image) -> Callable[[HttpCamera], None]:
        return lambda camera: setattr(camera, "picture", jpeg(image))

    return [
        case("breaks off, then hangs up on everybody", "wrong_answer", OFFLINE, HttpCamera.cut),
        case("frozen picture", "frozen", OFFLINE, lambda camera: setattr(camera, "is_frozen", True)),
        case("half a picture", "corrupt", OFFLINE, shows(np.full_like(SCENE, 128))),
        case("lens covered", "covered", TAMPERED, shows(noisy(70))),
        case("blinded by a lamp", "covered", TAMPERED, shows(noisy(250))),
        case("turned away", "moved", TAMPERED, shows(np.ascontiguousarray(cv2.flip(SCENE, 0), dtype=np.uint8))),
        case("lights off", "dark", None, shows(np.zeros_like(SCENE))),
    ]


@pytest.fixture
def service(start_service: Start) -> Iterator[Service]:
    with start_service(
        CAMERAS_PER_REPLICA=20,
        CAMERA_ALLOWED_CIDRS="127.0.0.1/32",
        CAMERA_PORTS="1-65535",
        CAMERA_READ_TIMEOUT_S=5.0,
    ) as running:
        yield running


def register(client: httpx.Client, case: Case) -> None:
    body: dict[str, Any] = {"id": case.id, "kind": case.kind, "url": case.url, "tasks": ["anomaly"]}
    body |= {"frames_per_second": 4, "rules": {"anomalies": ["flood"]}}
    if case.login:
        body["credentials"] = {"username": case.login[0], "password": case.login[1]}
    assert client.post(f"{API}/cameras", json=body).status_code == 201
    case.begins_at_s = time.monotonic()


def states(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {item["id"]: item["state"] for item in client.get(f"{API}/cameras").json()["items"]}


def note(service: Service, cases: list[Case]) -> None:
    """Take in what is said of each now."""
    events = {
        (event["type"], event["camera_id"]) for name in (OFFLINE, TAMPERED) for event in service.records.events(name)
    }
    seen, now_s = states(service.client), time.monotonic()
    for case in cases:
        state = seen[case.id]
        if case.said_after_s is None and case.said in (state["status"], state["fault"]):
            case.said_after_s = now_s - case.begins_at_s
        if case.event_after_s is None and (case.event, case.id) in events:
            case.event_after_s = now_s - case.begins_at_s


def metric_of(text: str, case: Case) -> str:
    """The metric that shows it, where it does."""
    fault = f'cv_camera_faults_total{{fault="{case.said}"}}'
    condition = f'cv_camera_condition{{camera="{case.id}",condition="{case.said}"}} 1.0'
    if condition in text:
        return f'`cv_camera_condition{{condition="{case.said}"}}`'
    assert fault in text, f"{case.name}: no metric"
    return f"`{fault}`"


def table(cases: list[Case], metrics: str) -> str:
    lines = ["| what is wrong | API | s | event | s | metric |", "|---|---|---|---|---|---|"]
    for case in cases:
        event = f"`{case.event}` | {case.event_after_s:.0f}" if case.event else "none | "
        lines.append(
            f"| {case.name} | `{case.said}` | {case.said_after_s:.0f} | {event} | {metric_of(metrics, case)} |"
        )
    return "\n".join(lines)


def test_every_fault_is_named_told_and_counted(service: Service, tmp_path: Path) -> None:
    with ExitStack() as stack:
        streaming = well(stack)
        for case in streaming:
            register(service.client, case)
        silent = dead(stack, tmp_path)
        for case in silent:
            register(service.client, case)

        def all_stream() -> bool:
            note(service, silent)
            return all(states(service.client)[case.id]["status"] == "streaming" for case in streaming)

        service.records.wait_until(all_stream, timeout_s=PATIENCE_S)
        learnt_at_s = time.monotonic() + LEARNT_S  # then the cameras know their scene
        while time.monotonic() < learnt_at_s:
            note(service, silent)
            time.sleep(0.2)
        cases = [*silent, *streaming]
        for case in streaming:
            assert case.breaks is not None
            case.breaks()
            case.begins_at_s = time.monotonic()

        def all_are_told() -> bool:
            note(service, cases)
            return all(case.is_done for case in cases)

        try:
            service.records.wait_until(all_are_told, timeout_s=PATIENCE_S)
        finally:
            untold = [(case.name, states(service.client)[case.id]) for case in cases if not case.is_done]
            assert not untold
        metrics = service.client.get(f"{API}/metrics").text
        text = table(cases, metrics)
        assert len({case.id for case in cases}) == len(cases)
        dark = [event for event in service.records.events(OFFLINE) if event["camera_id"] == "cam_lights_off"]
        assert dark == [], "lights that go off are no news"
    service.records.rows("DELETE FROM cameras")
    print(text)
    if document := os.environ.get("CV_CAMERA_FAULTS"):
        put(Path(document), "tests/integration/test_camera_faults.py", text)

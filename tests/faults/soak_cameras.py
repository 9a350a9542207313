"""Sixteen cameras that come and go for a long time: who is back after how long, and the memory of the service.

``python -m tests.faults.soak_cameras SECONDS`` prints the table. Half of the cameras are motion JPEG, each of which
breaks off by itself; half are H.264 over RTSP from one server, which is killed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
from pydantic import SecretStr

from app.config import Settings
from scripts.benchmark import machine
from tests.backends import running_backends
from tests.camera_servers import HttpCamera, RtspCamera, http_camera
from tests.faults.soak import EVERY_S, WARM_UP, memory_mb, slope_per_hour
from tests.integration.conftest import BASE_SETTINGS
from tests.integration.live import migrated_database
from tests.integration.test_replicas import replica
from tests.photos import coffee, jpeg

API = "/api/v1/cv"
_EACH = 8
_STEP_S = 1.0
_SIZE = (640, 360)
_UP_S, _DOWN_S = (20.0, 60.0), (2.0, 15.0)  # from, to
_SETTLE_S = 60.0
_WITHOUT_PICTURES = frozenset({"connecting", "failing", "disabled", "unassigned"})


@dataclass
class Flapping:
    """Cameras that go down and come up together."""

    ids: tuple[str, ...]
    source: HttpCamera | RtspCamera
    is_up: bool = True
    changes_at_s: float = 0.0
    up_since_s: float = 0.0
    returns: int = 0
    missing: set[str] = field(default_factory=set)
    back_after_s: list[float] = field(default_factory=list)

    def flap(self, now_s: float) -> None:
        """Change where it is time to."""
        if now_s >= self.changes_at_s:
            self.turn(now_s, is_up=not self.is_up)

    def turn(self, now_s: float, *, is_up: bool) -> None:
        self.changes_at_s = now_s + random.uniform(*(_UP_S if is_up else _DOWN_S))  # no secret
        if is_up == self.is_up:
            return
        self.is_up = is_up
        if is_up:
            self.source.mend()
            self.up_since_s, self.missing = now_s, set(self.ids)
            self.returns += len(self.ids)
        else:
            self.source.cut()

    def note(self, streaming: set[str], now_s: float) -> None:
        """Take in who streams now."""
        if self.is_up:
            back = self.missing & streaming
            self.back_after_s += [now_s - self.up_since_s] * len(back)
            self.missing -= back


def picture() -> bytes:
    return jpeg(np.asarray(cv2.resize(coffee(), _SIZE), dtype=np.uint8))


@contextmanager
def sources() -> Iterator[list[tuple[Flapping, str, list[str]]]]:
    """Groups with their kind and their addresses."""
    with ExitStack() as stack:
        made: list[tuple[Flapping, str, list[str]]] = []
        for number in range(_EACH):
            camera = stack.enter_context(http_camera(picture()))
            camera.interval_s = 0.2
            made.append((Flapping((f"mjpeg_{number}",), camera), "mjpeg", [camera.url("/stream")]))
        rtsp = RtspCamera()
        stack.callback(rtsp.kill)
        ids = tuple(f"rtsp_{number}" for number in range(_EACH))
        made.append((Flapping(ids, rtsp), "rtsp", [rtsp.url()] * _EACH))
        yield made


def register(client: httpx.Client, groups: Sequence[tuple[Flapping, str, list[str]]]) -> None:
    rules = {"anomalies": ["fire", "flood"]}
    for group, kind, urls in groups:
        for camera_id, url in zip(group.ids, urls, strict=True):
            body = {"id": camera_id, "kind": kind, "url": url, "tasks": ["anomaly"], "frames_per_second": 1}
            answer = client.post(f"{API}/cameras", json=body | {"rules": rules})
            assert answer.status_code == 201, answer.text


def streaming(client: httpx.Client) -> set[str] | None:
    """Who sends pictures now, whatever they show: after its return a test picture is `moved`. None where the service,
    whose cores the sources share, gave no answer."""
    try:
        answer = client.get(f"{API}/cameras")
    except httpx.TransportError:
        return None
    if answer.status_code != 200:
        return None
    return {item["id"] for item in answer.json()["items"] if item["state"]["status"] not in _WITHOUT_PICTURES}


def table(
    samples: Sequence[float], back: Sequence[float], *, seconds: float, at_end: int, returns: int, asked: Counter[bool]
) -> str:
    """What came of a run."""
    slope, error = slope_per_hour(list(samples[int(len(samples) * WARM_UP) :]))
    times = np.asarray(back)
    return "\n".join(
        [
            f"{machine()}; {2 * _EACH} cameras, {seconds / 60:.0f} minutes; sources of {_SIZE[0]}×{_SIZE[1]} (MJPEG) "
            "and 320×240 (RTSP) on the same cores.",
            "",
            "| what | measured |",
            "|---|---|",
            f"| returns after which the camera sent pictures before it went again | {len(times)} of {returns} |",
            f"| seconds from the return to the first picture, p50 · p95 · longest | {np.percentile(times, 50):.0f} · "
            f"{np.percentile(times, 95):.0f} · {times.max():.0f} |",
            f"| with pictures a minute after the last return | {at_end} of {2 * _EACH} |",
            f"| looks at the cameras' states that were answered | {asked[True]} of {asked.total()} |",
            f"| memory of the service, MB at first · at last | {samples[0]:.0f} · {samples[-1]:.0f} |",
            f"| MB an hour, after a third of the time | {slope:+.1f} ± {error:.1f} |",
        ]
    )


def soak(seconds: float) -> str:
    """The table of a run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        backends = stack.enter_context(running_backends())
        own = {
            "DATABASE_URL": SecretStr(migrated_database(backends)),
            "CV_DATA_DIR": folder,
            "MAX_WORKERS": 1,
            "CAMERAS_PER_REPLICA": 2 * _EACH,
            "CAMERA_ALLOWED_CIDRS": "127.0.0.1/32",
            "CAMERA_PORTS": "1-65535",
            "CAMERA_READ_TIMEOUT_S": 5.0,
        }
        settings = Settings(**{**backends.settings, **BASE_SETTINGS, **own})
        groups = stack.enter_context(sources())
        service = stack.enter_context(replica(settings, folder / "service.log"))
        register(service.client, groups)
        return _watched(service.client, psutil.Process(service.process.pid), [group for group, *_ in groups], seconds)


def _watched(client: httpx.Client, process: psutil.Process, groups: Sequence[Flapping], seconds: float) -> str:
    samples: list[float] = []
    asked: Counter[bool] = Counter()
    began_s = sampled_at_s = time.monotonic()
    for group in groups:
        group.changes_at_s = began_s + random.uniform(*_UP_S)  # no secret
    while (now_s := time.monotonic()) < began_s + seconds:
        for group in groups:
            group.flap(now_s)
        seen = streaming(client)
        asked[seen is not None] += 1
        for group in groups:
            group.note(seen or set(), time.monotonic())
        if now_s >= sampled_at_s:
            samples.append(memory_mb(process))
            sampled_at_s += EVERY_S
        time.sleep(_STEP_S)
    for group in groups:
        group.turn(time.monotonic(), is_up=True)
    end_s = time.monotonic() + _SETTLE_S
    while time.monotonic() < end_s and any(group.missing for group in groups):
        seen = streaming(client)
        for group in groups:
            group.note(seen or set(), time.monotonic())
        time.sleep(_STEP_S)
    at_end = 2 * _EACH - sum(len(group.missing) for group in groups)
    back = [took_s for group in groups for took_s in group.back_after_s]
    returns = sum(group.returns for group in groups)
    return table(samples, back, seconds=seconds, at_end=at_end, returns=returns, asked=asked)


def main() -> None:
    """See the module."""
    print(soak(float(sys.argv[1])))


if __name__ == "__main__":
    main()

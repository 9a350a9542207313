"""How fast frames are judged: one at a time over HTTP, and from four cameras while staff check in."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from app.types import Image
from app.utils.image_processing import encode_jpeg
from benchmarks import face
from benchmarks.harness import Bench, percentile
from scripts.local.layout import PROJECT_DIR

DETECT = "/api/v1/cv/anomaly/detect"
CAMERAS = "/api/v1/cv/cameras"
TYPES = ("fire", "smoke", "flood", "intrusion")
SETTINGS = {"CAMERA_ALLOWED_CIDRS": "127.0.0.1/32", "OCR_ENABLED": "false"}
_WIDTH, _HEIGHT = 1280, 720
_CAMERAS = 4
_FPS = 2
_MOTION_EVERY = 4
_STREAMING_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Single:
    """Frames sent one after another; ``server_ms`` is what the answers say, ``cpu_ms`` the API's CPU time of one."""

    name: str
    server_ms: Sequence[float]
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What the cameras and the clients beside them got.

    Attributes:
        lags: cumulative counts of judged frames, by upper bound in seconds.
        outcomes: frames by what became of them.
    """

    load: face.Load | None
    seconds: float
    lags: Mapping[float, float]
    outcomes: Mapping[str, float]

    @property
    def lag_p95_s(self) -> float:
        """Interpolated within its bucket."""
        return histogram_quantile(self.lags, 0.95)


def people_frame(portrait: Image) -> bytes:
    """A camera's frame with one person, as a JPEG."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), 96, np.uint8)
    canvas[60:660, 200:800] = cv2.resize(portrait, (600, 600), interpolation=cv2.INTER_AREA)
    return encode_jpeg(canvas)


def empty_frame(still_life: Image, *, shadow: int = 0) -> bytes:
    """A frame without anybody, and a shadow of so many levels on it.

    A shadow that comes and goes becomes a part of what the camera usually shows: in one frame of four, 24 to 72 levels
    are motion where it is seen, and none where it is not.
    """
    canvas = cv2.resize(still_life, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)
    canvas[400:650, 100:500] -= shadow
    return encode_jpeg(np.clip(canvas, 0, 255).astype(np.uint8))


def single_frames(bench: Bench, name: str, picture: bytes, *, times: int) -> Single:
    """Ask about one frame again and again, all types."""
    body = {"image": base64.b64encode(picture).decode(), "camera_id": "bench", "detection_types": TYPES}
    told = []
    for number in range(10 + times):
        if number == 10:  # warm
            before_s = bench.cpu_s()["api"]
        answer = bench.client.post(DETECT, json=body)
        answer.raise_for_status()
        told.append(float(answer.json()["detection_time_ms"]))
    return Single(name, told[10:], (bench.cpu_s()["api"] - before_s) * 1000 / times)


@contextmanager
def cameras(bench: Bench, still: bytes, moved: bytes) -> Iterator[None]:
    """Four cameras at two frames a second, watched for everything, until the block ends."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / "still.jpg", Path(folder) / "moved.jpg"]
        for path, picture in zip(paths, (still, moved), strict=True):
            path.write_bytes(picture)
        script = PROJECT_DIR / "benchmarks/mjpeg.py"
        command = [sys.executable, str(script), *map(str, paths), str(_FPS), str(_MOTION_EVERY)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                _register(bench, _port_of(server))
                yield
            finally:
                for number in range(_CAMERAS):
                    bench.client.delete(f"{CAMERAS}/bench_{number}")
                server.kill()


def _port_of(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline() if server.stdout else ""
    if not line:
        raise RuntimeError("The benchmark's own cameras did not start.")
    return int(line)


def _register(bench: Bench, port: int) -> None:
    for number in range(_CAMERAS):
        body = {
            "id": f"bench_{number}",
            "kind": "mjpeg",
            "url": f"http://127.0.0.1:{port}/{number}",
            "tasks": ["anomaly"],
            "frames_per_second": _FPS,
            "rules": {"anomalies": list(TYPES), "intrusion": {}},
        }
        bench.client.post(CAMERAS, json=body).raise_for_status()
        time.sleep(0.3)  # or all of them would move in the same instant
    until_s = time.monotonic() + _STREAMING_WAIT_S
    while any(one["state"]["status"] != "streaming" for one in bench.client.get(CAMERAS).json()["cameras"]):
        if time.monotonic() > until_s:
            raise RuntimeError("The benchmark's own cameras are not read.")
        time.sleep(0.2)


def watch(bench: Bench, body: bytes, *, clients: int, seconds: float) -> Watched:
    """Let the cameras run, with so many clients that recognise a face again and again beside them."""
    lags, outcomes = _camera_metrics(bench)
    if clients:
        load = face.load(bench, body, clients=clients, seconds=seconds)
    else:
        load = None
        time.sleep(seconds)
    lags_after, outcomes_after = _camera_metrics(bench)
    return Watched(
        load,
        seconds,
        {bound: count - lags.get(bound, 0.0) for bound, count in lags_after.items()},
        {name: count - outcomes.get(name, 0.0) for name, count in outcomes_after.items()},
    )


def _camera_metrics(bench: Bench) -> tuple[dict[float, float], dict[str, float]]:
    lags: dict[float, float] = {}
    outcomes: dict[str, float] = {}
    for family in text_string_to_metric_families(bench.client.get("/api/v1/cv/metrics").text):
        for sample in family.samples:
            if sample.name == "cv_camera_lag_seconds_bucket":
                lags[float(sample.labels["le"])] = sample.value
            elif sample.name == "cv_camera_frames_total":
                outcome = sample.labels["outcome"]
                outcomes[outcome] = outcomes.get(outcome, 0.0) + sample.value
    return lags, outcomes


def histogram_quantile(cumulative: Mapping[float, float], share: float) -> float:
    """A quantile out of cumulative counts by upper bound, linear within a bucket; infinite where it lies beyond."""
    wanted, lower, below = share * max(cumulative.values(), default=0.0), 0.0, 0.0
    for bound, count in sorted(cumulative.items()):
        if count >= wanted and count > below:
            return bound if bound == float("inf") else lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return float("nan")


def report(*, single: Sequence[Single], watched: Sequence[Watched]) -> str:
    """The section of docs/benchmarks.md."""
    singles = "\n".join(
        f"| {one.name} | {percentile(one.server_ms, 0.5):.0f} ms | {percentile(one.server_ms, 0.95):.0f} ms "
        f"| {one.cpu_ms:.0f} ms | {len(one.server_ms)} |"
        for one in single
    )
    rows = "\n".join(_row(one) for one in watched)
    return f"""\
{_WIDTH}x{_HEIGHT} JPEG frames, sent one after another with all types asked. Server time is the answer's
`detection_time_ms`: decoding, every network, and what is written down. Asked: ≤ 120 ms.

| frame | server time, median | p95 | CPU time of the API | n |
|---|---|---|---|---|
{singles}

{_CAMERAS} motion JPEG cameras of that size at {_FPS} fps, something moving in every {_MOTION_EVERY}th frame,
watched for all types, beside clients that recognise a face (640x480, liveness on) again and again. Lag is the age of
a frame when it has been judged, from the service's histogram. Asked: p95 of the lag < 1 s, of recognition < 400 ms.

| clients | lag, p95 | frames judged | without motion | lost | recognition, median | p95 | answers/s | failed |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(one: Watched) -> str:
    lost = sum(one.outcomes.get(name, 0.0) for name in ("dropped", "overloaded", "backend_down", "damaged"))
    frames = (
        f"{one.lag_p95_s * 1000:.0f} ms | {one.outcomes.get('judged', 0):.0f} "
        f"| {one.outcomes.get('still', 0):.0f} | {lost:.0f}"
    )
    if one.load is None:
        return f"| 0 | {frames} | | | | |"
    latencies = one.load.latencies_ms
    return (
        f"| {one.load.clients} | {frames} | {percentile(latencies, 0.5):.0f} ms | {percentile(latencies, 0.95):.0f} ms "
        f"| {one.load.per_second:.1f} | {one.load.failures} |"
    )

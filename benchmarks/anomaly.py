"""How fast frames are judged: one at a time over HTTP, and from four cameras while staff check in."""

from __future__ import annotations

import base64
import json
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
SETTINGS = {"CAMERA_ALLOWED_CIDRS": "127.0.0.1/32", "CAMERAS_PER_REPLICA": "32", "OCR_ENABLED": "false"}
_WIDTH, _HEIGHT = 1280, 720
_STREAMING_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Single:
    """Frames sent one after another; ``server_ms`` is what the answers say, ``cpu_ms`` the API's CPU time of one."""

    name: str
    server_ms: Sequence[float]
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Cameras that show the same pictures one after another, and then again."""

    name: str
    cameras: int
    frames_per_second: int
    pictures: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the cameras of a scene, None for no cameras, and the clients beside them got.

    Attributes:
        lags: cumulative counts of judged frames, by upper bound in seconds.
        outcomes: frames by what became of them.
        cpu_s: of the API.
    """

    scene: Scene | None
    load: face.Load | None
    seconds: float
    lags: Mapping[float, float]
    outcomes: Mapping[str, float]
    cpu_s: float

    @property
    def lag_p95_s(self) -> float:
        """Interpolated within its bucket."""
        return histogram_quantile(self.lags, 0.95)


def people_frame(portrait: Image) -> bytes:
    """A camera's frame with one person, as a JPEG."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), 96, np.uint8)
    canvas[60:660, 200:800] = cv2.resize(portrait, (600, 600), interpolation=cv2.INTER_AREA)
    return encode_jpeg(canvas)


def empty_frame(still_life: Image, *, shadow: int = 0, left_px: int = 100) -> bytes:
    """A frame without anybody, and a shadow of so many levels on it.

    A shadow that comes and goes becomes a part of what the camera usually shows: in one frame of four, 24 to 72 levels
    are motion where it is seen, and none where it is not.
    """
    canvas = cv2.resize(still_life, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)
    canvas[400:650, left_px : left_px + 400] -= shadow
    return encode_jpeg(np.clip(canvas, 0, 255).astype(np.uint8))


def request_body(picture: bytes) -> bytes:
    """The spec's request, all types."""
    body = {"image": base64.b64encode(picture).decode(), "camera_id": "bench", "detection_types": TYPES}
    return json.dumps(body).encode()


def single_frames(bench: Bench, name: str, picture: bytes, *, times: int) -> Single:
    """Ask about one frame again and again, all types."""
    content = request_body(picture)
    told = []
    for number in range(10 + times):
        if number == 10:  # warm
            before_s = bench.cpu_s()["api"]
        answer = bench.client.post(DETECT, content=content, headers={"content-type": "application/json"})
        answer.raise_for_status()
        told.append(float(answer.json()["detection_time_ms"]))
    return Single(name, told[10:], (bench.cpu_s()["api"] - before_s) * 1000 / times)


@contextmanager
def cameras(bench: Bench, scene: Scene) -> Iterator[None]:
    """Cameras of a scene, watched for everything, until the block ends."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(scene.pictures))]
        for path, picture in zip(paths, scene.pictures, strict=True):
            path.write_bytes(picture)
        script = PROJECT_DIR / "benchmarks/mjpeg.py"
        command = [sys.executable, str(script), str(scene.frames_per_second), *map(str, paths)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                _register(bench, scene, _port_of(server))
                yield
            finally:
                for number in range(scene.cameras):
                    bench.client.delete(f"{CAMERAS}/bench_{number}")
                server.kill()


def _port_of(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline() if server.stdout else ""
    if not line:
        raise RuntimeError("The benchmark's own cameras did not start.")
    return int(line)


def _register(bench: Bench, scene: Scene, port: int) -> None:
    for number in range(scene.cameras):
        body = {
            "id": f"bench_{number}",
            "kind": "mjpeg",
            "url": f"http://127.0.0.1:{port}/{number}",
            "tasks": ["anomaly"],
            "frames_per_second": scene.frames_per_second,
            "rules": {"anomalies": list(TYPES), "intrusion": {}},
        }
        bench.client.post(CAMERAS, json=body).raise_for_status()
        time.sleep(0.3)  # or all of them would move in the same instant
    until_s = time.monotonic() + _STREAMING_WAIT_S
    while any(one["state"]["status"] != "streaming" for one in bench.client.get(CAMERAS).json()["items"]):
        if time.monotonic() > until_s:
            raise RuntimeError("The benchmark's own cameras are not read.")
        time.sleep(0.2)


def watch(
    bench: Bench, scene: Scene | None, body: bytes, *, clients: int, seconds: float, per_second: float | None = None
) -> Watched:
    """Let cameras run, with so many clients that check in beside them, each time at a door of its own.

    Args:
        scene: what the running cameras show; None where there are none.
        per_second: check-ins that are due, of all clients together; None for as many as are answered.
    """
    lags, outcomes = _camera_metrics(bench)
    cpu_s = bench.cpu_s()["api"]
    if clients:
        load = face.load(bench, body, clients=clients, seconds=seconds, new_cameras=True, per_second=per_second)
    else:
        load = None
        time.sleep(seconds)
    lags_after, outcomes_after = _camera_metrics(bench)
    return Watched(
        scene,
        load,
        seconds,
        {bound: count - lags.get(bound, 0.0) for bound, count in lags_after.items()},
        {name: count - outcomes.get(name, 0.0) for name, count in outcomes_after.items()},
        bench.cpu_s()["api"] - cpu_s,
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
    columns = ["cameras", "check-ins due", "lag, p95", "frames due", "looked at", "judged", "without motion"]
    columns += ["check-in, median", "p95", "answers/s", "failed", "CPU of the API"]
    return f"""\
{_WIDTH}x{_HEIGHT} JPEG frames, sent one after another with all types asked. Server time is the answer's
`detection_time_ms`: decoding, every network, and what is written down. Asked: ≤ 120 ms.

| frame | server time, median | p95 | CPU time of the API | n |
|---|---|---|---|---|
{singles}

Motion JPEG cameras of that size, watched for all types, beside clients that check in (640x480, liveness on, each time
at another door, which writes an event). Lag is the age of a frame when it has been judged, from the service's
histogram. Of the frames that were due, looked at are those that were judged or had no motion. Asked: p95 of the lag
< 1 s; ≥ 80 % looked at, and p95 of a check-in ≤ 2 times that without cameras.

| {" | ".join(columns)} |
{"|---" * len(columns)}|
{rows}
"""


def _row(one: Watched) -> str:
    frames = "| | | |"
    if one.scene is not None:
        due = one.scene.cameras * one.scene.frames_per_second * one.seconds
        judged, still = one.outcomes.get("judged", 0.0), one.outcomes.get("still", 0.0)
        frames = (
            f"{one.lag_p95_s * 1000:.0f} ms | {due:.0f} | {(judged + still) / due:.0%} | {judged:.0f} | {still:.0f}"
        )
    name, load = one.scene.name if one.scene else "none", one.load
    cpu = f"{one.cpu_s / one.seconds:.2f} cores"
    if load is None:
        return f"| {name} | 0 | {frames} | | | | | {cpu} |"
    due_text = f"{load.due_per_second:g}/s" if load.due_per_second else f"{load.clients} clients"
    return (
        f"| {name} | {due_text} | {frames} | {percentile(load.latencies_ms, 0.5):.0f} ms "
        f"| {percentile(load.latencies_ms, 0.95):.0f} ms | {load.per_second:.1f} | {load.failures} | {cpu} |"
    )

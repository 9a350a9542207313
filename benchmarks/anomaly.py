"""How fast frames are judged: one at a time over HTTP, and from many cameras while staff check in."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
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
_NOBODY = "192.0.2.1"  # an address of documentation, which no route leads to
SETTINGS = {
    "CAMERA_ALLOWED_CIDRS": f"127.0.0.1/32,{_NOBODY}/32",
    "CAMERA_PORTS": "1-65535",
    "CAMERAS_PER_REPLICA": "32",
    "OCR_ENABLED": "false",
}
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
    """Cameras that show the same pictures one after another, and then again; ``dead``: beside eight dead ones."""

    name: str
    cameras: int
    frames_per_second: int
    pictures: Sequence[bytes]
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What the cameras of a scene, None for no cameras, and the clients beside them got.

    Attributes:
        lags: cumulative counts of judged frames, by upper bound in seconds.
        outcomes: frames by what became of them.
        looked_at: frames of each camera that were judged or had no motion.
        streamed_after_s: how long after its registration the last camera showed a picture.
        cpu_s: of the API.
    """

    scene: Scene | None
    load: face.Load | None
    seconds: float
    lags: Mapping[float, float]
    outcomes: Mapping[str, float]
    looked_at: Sequence[float]
    streamed_after_s: float
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
def cameras(bench: Bench, scene: Scene) -> Iterator[float]:
    """Cameras of a scene, watched for everything, until the block ends; how many seconds after its registration the
    last of them showed a picture, dead ones aside."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(scene.pictures))]
        for path, picture in zip(paths, scene.pictures, strict=True):
            path.write_bytes(picture)
        script = PROJECT_DIR / "benchmarks/mjpeg.py"
        command = [sys.executable, str(script), str(scene.frames_per_second), *map(str, paths)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, _mute_port() as mute:
            try:
                port = _port_of(server)
                if scene.dead:
                    for number, (kind, url) in enumerate(_dead(port, mute)):
                        _register(bench, f"dead_{number}", kind, url, frames_per_second=1)
                yield _register_all(bench, scene, port)
            finally:
                for camera in bench.client.get(CAMERAS).json()["items"]:
                    bench.client.delete(f"{CAMERAS}/{camera['id']}")
                server.kill()


@contextmanager
def _mute_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as mute:
        yield mute.getsockname()[1]


def _dead(port: int, mute: int) -> list[tuple[str, str]]:
    """Kind and address of cameras that are dead, each in a way of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        refusing = closed.getsockname()[1]
    ways = [("rtsp", f"rtsp://{at}/live") for at in (f"127.0.0.1:{mute}", f"127.0.0.1:{refusing}", f"{_NOBODY}:554")]
    ways += [("mjpeg", f"http://127.0.0.1:{port}/{way}") for way in ("401", "404", "garbage", "silent")]
    return [*ways, ("snapshot", f"http://127.0.0.1:{port}/page")]


def _port_of(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline() if server.stdout else ""
    if not line:
        raise RuntimeError("The benchmark's own cameras did not start.")
    return int(line)


def _register(bench: Bench, camera_id: str, kind: str, url: str, *, frames_per_second: int) -> None:
    body = {
        "id": camera_id,
        "kind": kind,
        "url": url,
        "tasks": ["anomaly"],
        "frames_per_second": frames_per_second,
        "rules": {"anomalies": list(TYPES), "intrusion": {}},
    }
    bench.client.post(CAMERAS, json=body).raise_for_status()


def _register_all(bench: Bench, scene: Scene, port: int) -> float:
    registered_s: dict[str, float] = {}
    for number in range(scene.cameras):
        url = f"http://127.0.0.1:{port}/{number}"
        _register(bench, f"bench_{number}", "mjpeg", url, frames_per_second=scene.frames_per_second)
        registered_s[f"bench_{number}"] = time.monotonic()
        time.sleep(0.3)  # or all of them would move in the same instant
    longest_s = 0.0
    while registered_s:
        if time.monotonic() > max(registered_s.values()) + _STREAMING_WAIT_S:
            raise RuntimeError("The benchmark's own cameras are not read.")
        for one in bench.client.get(CAMERAS).json()["items"]:
            if one["state"]["status"] == "streaming" and one["id"] in registered_s:
                longest_s = max(longest_s, time.monotonic() - registered_s.pop(one["id"]))
        time.sleep(0.2)
    return longest_s


def watch(
    bench: Bench,
    scene: Scene | None,
    body: bytes,
    *,
    clients: int,
    seconds: float,
    per_second: float | None = None,
    streamed_after_s: float = 0.0,
) -> Watched:
    """Let cameras run, with so many clients that check in beside them, each time at a door of its own.

    Args:
        scene: what the running cameras show; None where there are none.
        per_second: check-ins that are due, of all clients together; None for as many as are answered.
        streamed_after_s: of the scene's cameras.
    """
    lags, outcomes = _camera_metrics(bench)
    cpu_s, began_s = bench.cpu_s()["api"], time.monotonic()
    if clients:
        load = face.load(bench, body, clients=clients, seconds=seconds, new_cameras=True, per_second=per_second)
    else:
        load = None
        time.sleep(seconds)
    lags_after, outcomes_after = _camera_metrics(bench)
    took_s = time.monotonic() - began_s  # a service that falls behind is waited for
    frames = Counter({key: count - outcomes.get(key, 0.0) for key, count in outcomes_after.items()})
    totals: Counter[str] = Counter()
    looked_at = {f"bench_{number}": 0.0 for number in range(scene.cameras)} if scene else {}
    for (camera_id, outcome), count in frames.items():
        totals[outcome] += count
        if outcome in ("judged", "still") and camera_id in looked_at:
            looked_at[camera_id] += count
    return Watched(
        scene,
        load,
        took_s,
        {bound: count - lags.get(bound, 0.0) for bound, count in lags_after.items()},
        totals,
        list(looked_at.values()),
        streamed_after_s,
        bench.cpu_s()["api"] - cpu_s,
    )


def _camera_metrics(bench: Bench) -> tuple[dict[float, float], dict[tuple[str, str], float]]:
    """Lags by upper bound, and frames by camera and outcome."""
    lags: dict[float, float] = {}
    outcomes: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(bench.client.get("/api/v1/cv/metrics").text):
        for sample in family.samples:
            if sample.name == "cv_camera_lag_seconds_bucket":
                lags[float(sample.labels["le"])] = sample.value
            elif sample.name == "cv_camera_frames_total":
                outcomes[sample.labels["camera"], sample.labels["outcome"]] = sample.value
    return lags, outcomes


def histogram_quantile(cumulative: Mapping[float, float], share: float) -> float:
    """A quantile out of cumulative counts by upper bound, linear within a bucket; infinite where it lies beyond."""
    wanted, lower, below = share * max(cumulative.values(), default=0.0), 0.0, 0.0
    for bound, count in sorted(cumulative.items()):
        if count >= wanted and count > below:
            return bound if bound == float("inf") else lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return float("nan")


def report(single: Sequence[Single]) -> str:
    """The part of docs/benchmarks.md about single frames."""
    rows = "\n".join(
        f"| {one.name} | {percentile(one.server_ms, 0.5):.0f} ms | {percentile(one.server_ms, 0.95):.0f} ms "
        f"| {one.cpu_ms:.0f} ms | {len(one.server_ms)} |"
        for one in single
    )
    return f"""\
{_WIDTH}x{_HEIGHT} JPEG frames, sent one after another with all types asked. Server time is the answer's
`detection_time_ms`: decoding, every network, and what is written down. Asked: ≤ 120 ms.

| frame | server time, median | p95 | CPU time of the API | n |
|---|---|---|---|---|
{rows}
"""


def report_watched(watched: Sequence[Watched]) -> str:
    """The part of docs/benchmarks.md about cameras beside check-ins."""
    columns = ["cameras", "all stream after", "check-ins due", "lag, p95", "frames due", "looked at", "of one camera"]
    columns += ["judged", "without motion", "dropped, late or refused", "check-in, median", "p95", "answers/s"]
    columns += ["failed", "CPU of the API"]
    rows = "\n".join(_row(one) for one in watched)
    return f"""\
Motion JPEG cameras of {_WIDTH}x{_HEIGHT}, watched for all types, beside clients that check in (640x480, liveness on,
each time at another door, which writes an event), {watched[0].seconds:.0f} s a row. Lag is the age of a frame when it
has been judged, from the service's histogram. Of the frames that were due, looked at are those that were judged or had
no motion; of one camera: the fewest and the most. Asked: p95 of the lag < 1 s; ≥ 80 % looked at; p95 of a check-in ≤ 2
times that without cameras; cameras stream within 8 s and differ by less than twice. Dead are, over RTSP, one that is
silent, one that refuses and an address that nobody has; over HTTP 401, 404, noise, a head without pictures and a page.

| {" | ".join(columns)} |
{"|---" * len(columns)}|
{rows}
"""


def _row(one: Watched) -> str:
    name, load = one.scene.name if one.scene else "none", one.load
    cells = [name, "", "0", "", "", "", "", "", "", "", "", "", "", "", f"{one.cpu_s / one.seconds:.2f} cores"]
    if one.scene is not None:
        due = one.scene.cameras * one.scene.frames_per_second * one.seconds
        judged, still = one.outcomes.get("judged", 0.0), one.outcomes.get("still", 0.0)
        missed = sum(one.outcomes.get(name, 0.0) for name in ("dropped", "late", "overloaded"))
        cells[1] = f"{one.streamed_after_s:.1f} s"
        cells[3:10] = [
            f"{one.lag_p95_s * 1000:.0f} ms",
            f"{due:.0f}",
            f"{(judged + still) / due:.0%}",
            f"{min(one.looked_at):.0f}–{max(one.looked_at):.0f}",
            f"{judged:.0f}",
            f"{still:.0f}",
            f"{missed:.0f}",
        ]
    if load is not None:
        cells[2] = f"{load.due_per_second:g}/s" if load.due_per_second else f"{load.clients} clients"
        cells[10:14] = [
            f"{percentile(load.latencies_ms, 0.5):.0f} ms",
            f"{percentile(load.latencies_ms, 0.95):.0f} ms",
            f"{load.per_second:.1f}",
            f"{load.failures}",
        ]
    return f"| {' | '.join(cells)} |"

"""How fast staff check in: single requests, eight clients, where the time goes, and the floor under it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from app.composition.models import open_loader
from app.config import Settings
from app.core.face_recognition import largest_face
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.types import Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from benchmarks.harness import Bench, percentile, timed_ms
from benchmarks.load import numbered
from scripts.local.layout import PROJECT_DIR

RECOGNIZE = "/api/v1/cv/face/recognize"
_HEALTH = "/api/v1/cv/health"
_CAMERA = "cam_bench_"  # with letters that base64 has not, so that it stands in a request once
_PROBE_PAUSE_S = 0.05
_STAGES = ("face.decode", "face.detect", "face.liveness", "face.embed", "face.search", "face.record")


@dataclass(frozen=True, slots=True)
class Load:
    """What N clients got; latencies in milliseconds.

    Attributes:
        latencies_ms: of the requests that were served.
        health_ms: of /health meanwhile.
        refused: requests answered 429, which are no failures.
        due_per_second: of all clients together; None where each sends when it has its last answer.
    """

    clients: int
    seconds: float
    latencies_ms: Sequence[float]
    health_ms: Sequence[float]
    refused: int
    failures: int
    cpu_ms: dict[str, float]
    stages_ms: dict[str, float]
    due_per_second: float | None = None

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds


def frame(portrait: Image) -> bytes:
    """A 640 x 480 camera frame with one face, as a JPEG."""
    side = 480
    canvas = np.full((480, 640, 3), 96, np.uint8)
    canvas[:, 80 : 80 + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    encoded: bytes = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return encoded


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the API process: seconds to readiness, and its memory when it is ready."""

    what: str
    ready_s: float
    resident_mb: float


def request_body(picture: bytes, *, camera_id: str = _CAMERA) -> bytes:
    """The spec's request, liveness on."""
    image = base64.b64encode(picture).decode()
    body = {"image": image, "camera_id": camera_id, "timestamp": "2025-01-17T08:30:00Z", "check_liveness": True}
    return json.dumps(body).encode()


def fill_gallery(bench: Bench, portrait: Image, others: Sequence[Path]) -> int:
    """Enrol the person of the frame and as many others as enrol well; returns how many people that makes."""
    people = 0
    for name, data in [("BENCH", frame(portrait)), *((f"P{i}", path.read_bytes()) for i, path in enumerate(others))]:
        body = {"employee_id": name, "images": [base64.b64encode(data).decode()], "allow_duplicate": True}
        people += bench.client.post("/api/v1/cv/face/enroll", json=body).status_code == 200
    return people


def single_requests_ms(bench: Bench, body: bytes, *, times: int) -> list[float]:
    """Latencies of check-ins that come one after another, each at a camera of its own."""
    next_body = numbered(body, _CAMERA)

    def ask() -> None:
        answer = bench.client.post(RECOGNIZE, content=next_body(), headers={"content-type": "application/json"})
        if not answer.json()["success"]:
            raise RuntimeError(f"The benchmark's own face was not recognised: {answer.text}")

    timed_ms(ask, times=10)
    return timed_ms(ask, times=times)


def _stage_sums(bench: Bench) -> dict[str, tuple[float, float]]:
    text = bench.client.get("/api/v1/cv/metrics").text
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        if family.name == "cv_stage_seconds":
            for sample in family.samples:
                if sample.name.endswith("_sum"):
                    sums[sample.labels["stage"]] = sample.value
                elif sample.name.endswith("_count"):
                    counts[sample.labels["stage"]] = sample.value
    return {stage: (sums[stage], counts[stage]) for stage in sums}


@contextmanager
def _asking_for_health(bench: Bench) -> Iterator[list[float]]:
    """Ask for /health all the while; the list grows by the milliseconds of each answer."""
    latencies_ms: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=bench.client.base_url, timeout=60) as client:
            while not stop.wait(_PROBE_PAUSE_S):
                latencies_ms.extend(timed_ms(lambda: client.get(_HEALTH).raise_for_status(), times=1))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield latencies_ms
    finally:
        stop.set()
        thread.join()


def load(
    bench: Bench,
    body: bytes,
    *,
    clients: int,
    seconds: float,
    new_cameras: bool = False,
    health: bool = False,
    per_second: float | None = None,
) -> Load:
    """``clients`` connections, each with a request under way all the time.

    Args:
        new_cameras: each request comes from a camera of its own, so that each writes an attendance event; else all but
            the first are debounced.
        health: ask for /health meanwhile.
        per_second: how many requests are due, of all clients together; None for as many as are answered.
    """
    url = bench.client.base_url
    command = [sys.executable, str(PROJECT_DIR / "benchmarks/load.py"), url.host, str(url.port), RECOGNIZE]
    command += [str(clients), str(seconds), _CAMERA if new_cameras else "", str(per_second or "")]
    before, stages = bench.cpu_s(), _stage_sums(bench)
    asking: AbstractContextManager[list[float]] = _asking_for_health(bench) if health else nullcontext([])
    with asking as health_ms:
        result = subprocess.run(command, input=body, capture_output=True, check=True, timeout=seconds + 600)
    after, stages_after = bench.cpu_s(), _stage_sums(bench)
    told = json.loads(result.stdout)
    statuses = {int(status): count for status, count in told["statuses"].items()}
    latencies = told["latencies_ms"]
    served = max(len(latencies), 1)
    cpu_ms = {name: (after[name] - before[name]) * 1000 / served for name in after}
    cpu_ms["client"] = told["cpu_s"] * 1000 / served
    stages_ms = {}
    for stage in _STAGES:
        total, count = (b - a for a, b in zip(stages.get(stage, (0, 0)), stages_after.get(stage, (0, 0)), strict=True))
        stages_ms[stage] = total * 1000 / count if count else 0.0
    refused = statuses.get(429, 0)
    failures = sum(statuses.values()) - statuses.get(200, 0) - refused
    return Load(clients, seconds, latencies, health_ms, refused, failures, cpu_ms, stages_ms, per_second)


@dataclass(frozen=True, slots=True)
class Floor:
    """Passes of a check-in by themselves: how many in a second, and CPU milliseconds of one."""

    per_second: float
    cpu_ms: float


def measure_floor(settings: Settings, picture: bytes, *, seconds: float) -> Floor:
    """Decode and these forward passes alone, on two single-threaded workers of one process: no HTTP, no backend."""
    engines = build_face_engines(
        open_loader(settings, streams=2),
        min_detection_score=settings.FACE_DETECTION_THRESHOLD,
        min_liveness=settings.LIVENESS_THRESHOLD,
    )
    engines.warm_up()
    cv2.setNumThreads(1)
    done = [0, 0]
    until_s, before_s = time.monotonic() + seconds, time.process_time()

    def work(worker: int) -> None:
        while time.monotonic() < until_s:
            read_frame(engines, picture)
            done[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Floor(sum(done) / seconds, (time.process_time() - before_s) * 1000 / sum(done))


def read_frame(engines: FaceEngines, picture: bytes) -> None:
    """A frame's way through the networks of a check-in."""
    image = decode_image(picture, PictureLimits(50_000_000))
    face = largest_face(engines.recognition.detect_dominant_faces(image))
    if face is None:
        raise RuntimeError("The benchmark's own face was not found.")
    engines.liveness.assess(image, [face])
    crops = engines.recognition.align(image, [face])
    engines.recognition.embed_aligned_probes(crops)
    if engines.covers is not None:
        engines.covers.detect(crops)


def _load_rows(name: str, one: Load) -> str:
    count, latencies = len(one.latencies_ms), one.latencies_ms
    return f"""\
| {name}: throughput | {one.per_second:.1f} req/s | {count} |
| {name}: median | {percentile(latencies, 0.5):.1f} ms | {count} |
| {name}: p95 | {percentile(latencies, 0.95):.1f} ms | {count} |
| {name}: failed | {one.failures} | {count} |"""


def report(
    *,
    people: int,
    single_ms: Sequence[float],
    check_ins: Load,
    debounced: Load,
    crowd: Load,
    floor: Floor,
    starts: Sequence[Start],
    picture: bytes,
) -> str:
    """The section of docs/benchmarks.md.

    Args:
        check_ins: every request writes an event.
        debounced: the same person at the same camera all the time.
        crowd: more clients than the pool has places.
    """
    stages = "\n".join(f"| {stage} | {ms:.1f} |" for stage, ms in check_ins.stages_ms.items())
    cpu = "\n".join(f"| {name} | {ms:.1f} |" for name, ms in sorted(check_ins.cpu_ms.items(), key=lambda one: -one[1]))
    served = len(check_ins.latencies_ms)
    whole_ms = sum(ms for name, ms in check_ins.cpu_ms.items() if name != "client")
    started = "\n".join(f"| {one.what} | {one.ready_s:.1f} s | {one.resident_mb:.0f} MB |" for one in starts)
    return f"""\
640x480 JPEG of {len(picture) // 1024} KiB, one face, liveness on, {people} people enrolled; whole HTTP requests with
their PostgreSQL, Milvus Lite and Valkey work. Servers, API and client share the machine's cores. A check-in writes
an attendance event and its audit row; a debounced request, the same person at the same camera again, the latter only.

| figure | value | n |
|---|---|---|
| check-ins one after another: median | {percentile(single_ms, 0.5):.1f} ms | {len(single_ms)} |
| check-ins one after another: p95 | {percentile(single_ms, 0.95):.1f} ms | {len(single_ms)} |
{_load_rows(f"{check_ins.clients} clients, check-ins", check_ins)}
{_load_rows(f"{debounced.clients} clients, debounced", debounced)}
| floor: decode and the same forward passes on two threads | {floor.per_second:.1f} /s | |
| share of the floor that the check-ins reach | {check_ins.per_second / floor.per_second:.2f} | |
| CPU of a pass of the floor | {floor.cpu_ms:.1f} ms | |
| CPU of a check-in, all processes but the client | {whole_ms:.1f} ms, {whole_ms - floor.cpu_ms:.1f} more | {served} |
| /health under {check_ins.clients} clients: p95, longest | {_two(check_ins.health_ms)} | {len(check_ins.health_ms)} |
| /health under {crowd.clients} clients, pool full: p95, longest | {_two(crowd.health_ms)} | {len(crowd.health_ms)} |
| {crowd.clients} clients: served, refused (429), failed | {_outcomes(crowd)} | |

Wall time of one check-in's stages under that load (they wait for cores), and CPU time of each process per check-in:

| stage | ms |
|---|---|
{stages}

| process | CPU ms per request |
|---|---|
{cpu}

Start of the API process with its files in the disk cache, and its memory:

| with | ready after | resident |
|---|---|---|
{started}
"""


def _two(latencies_ms: Sequence[float]) -> str:
    return f"{percentile(latencies_ms, 0.95):.0f} ms, {max(latencies_ms):.0f} ms"


def _outcomes(one: Load) -> str:
    return f"{len(one.latencies_ms)}, {one.refused}, {one.failures}"

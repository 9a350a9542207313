"""How long rooms take: whole HTTP requests with one photo, quick and detailed, and where their time goes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from app.core.room_analyzer import DEPTHS
from app.types import Image
from benchmarks.harness import Bench, percentile, timed_ms

ANALYZE = "/api/v1/cv/room/analyze"
_WARM_UP = 5
ASKED_MS = {"quick": 40, "detailed": 150}


@dataclass(frozen=True, slots=True)
class DepthTimes:
    """Milliseconds of each request at one depth, as the client and as the service saw it, and CPU time of one."""

    depth: str
    latencies_ms: Sequence[float]
    server_ms: Sequence[float]
    cpu_ms: Mapping[str, float]


def frame(photo: Image) -> bytes:
    """A 1280 x 960 JPEG, about what an app sends."""
    picture = cv2.resize(photo, (1280, 960), interpolation=cv2.INTER_CUBIC)
    encoded: bytes = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    return encoded


def request_body(picture: bytes, depth: str) -> bytes:
    """The spec's request."""
    body = {"image": base64.b64encode(picture).decode(), "room_number": "201", "analysis_depth": depth}
    return json.dumps(body).encode()


def measure_depths(bench: Bench, picture: bytes, *, times: int) -> list[DepthTimes]:
    """``times`` requests one after another at each depth."""
    return [_measure(bench, picture, depth, times=times) for depth in DEPTHS]


def _measure(bench: Bench, picture: bytes, depth: str, *, times: int) -> DepthTimes:
    content = request_body(picture, depth)
    server_ms: list[float] = []

    def ask() -> None:
        answer = bench.client.post(ANALYZE, content=content, headers={"content-type": "application/json"})
        answer.raise_for_status()
        server_ms.append(answer.json()["analysis_time_ms"])

    timed_ms(ask, times=_WARM_UP)
    server_ms.clear()
    before = bench.cpu_s()
    latencies = timed_ms(ask, times=times)
    after = bench.cpu_s()
    return DepthTimes(
        depth, latencies, tuple(server_ms), {name: (after[name] - before[name]) * 1000 / times for name in after}
    )


def report(measured: Sequence[DepthTimes], *, picture: bytes, shape: tuple[int, int]) -> str:
    """The section of docs/benchmarks.md."""
    rows = "\n".join(
        f"| {one.depth} | {percentile(one.server_ms, 0.5):.0f} ms | {percentile(one.server_ms, 0.95):.0f} ms "
        f"| ≤ {ASKED_MS[one.depth]} ms {'✓' if np.median(one.server_ms) <= ASKED_MS[one.depth] else '✗'} "
        f"| {percentile(one.latencies_ms, 0.5):.0f} ms | {one.cpu_ms['api']:.0f} ms | {len(one.latencies_ms)} |"
        for one in measured
    )
    height, width = shape
    return f"""\
One {width}x{height} JPEG of {len(picture) // 1024} KiB a request, one after another; server time is the answer's
`analysis_time_ms`: decoding, all looks, the photo into the object store, the verdict into PostgreSQL and Valkey.

| depth | server, median | server, p95 | asked | HTTP, median | CPU of the API | n |
|---|---|---|---|---|---|---|
{rows}
"""

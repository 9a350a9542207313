"""How fast documents are read over HTTP, what recognitions pay meanwhile, and whether memory stays flat."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np

import synthetic_documents as synthetic
from app.types import Image
from app.utils.image_processing import encode_jpeg
from benchmarks.face import single_requests_ms
from benchmarks.harness import Bench, percentile, proportional_mb

INVOICE = "/api/v1/cv/ocr/invoice"
_JSON = {"content-type": "application/json"}
SMALL_SIDE_PX = 640
"""Longest side of the pages that memory is watched with: less to compute, the same code."""


@dataclass(frozen=True, slots=True)
class Pages:
    """JPEG files of documents, and what to call them."""

    name: str
    files: list[bytes]


@dataclass(frozen=True, slots=True)
class Read:
    """What ``clients`` readers got; ``cpu_ms`` is the API's for one page."""

    clients: int
    latencies_ms: Sequence[float]
    successes: int
    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Latencies of recognitions, one after another, alone and while documents are read without a pause."""

    alone_ms: Sequence[float]
    beside_ms: Sequence[float]


def real_receipts(data_dir: Path) -> Pages:
    """The photographed and the scanned receipts of the evaluation set."""
    folders = ("receipts_vn", "receipts_en")
    files = [path.read_bytes() for name in folders for path in sorted((data_dir / name / "img").glob("*.jpg"))]
    return Pages(f"{len(files)} real receipts", files)


def drawn_invoices(count: int) -> Pages:
    """Synthetic invoices in every layout, for machines without photos."""
    layouts = itertools.cycle(synthetic.INVOICE_LAYOUTS)
    drawn = [
        synthetic.photographed(synthetic.vat_invoice(seed, layout).image, seed)
        for seed, layout in zip(range(count), layouts, strict=False)
    ]
    return Pages(f"{count} synthetic invoices", [encode_jpeg(image) for image in drawn])


def made_small(pages: Pages) -> Pages:
    """The same pages with ``SMALL_SIDE_PX`` on the longer side."""
    return Pages(
        f"{pages.name}, {SMALL_SIDE_PX} px on the longer side", [encode_jpeg(_shrunk(data)) for data in pages.files]
    )


def _shrunk(data: bytes) -> Image:
    image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    scale = SMALL_SIDE_PX / max(image.shape[:2])
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8) if scale < 1 else image


def request_body(data: bytes) -> bytes:
    """The spec's request."""
    return json.dumps({"image": base64.b64encode(data).decode()}).encode()


def read_pages(bench: Bench, pages: Pages, *, clients: int, count: int) -> Read:
    """Send ``count`` pages, ``clients`` at a time, each when the answer to the last one has come."""
    latencies: list[float] = []
    successes: list[bool] = []

    def send(data: bytes) -> None:
        started_at = time.perf_counter()
        answer = bench.client.post(INVOICE, content=request_body(data), headers=_JSON)
        latencies.append((time.perf_counter() - started_at) * 1000)
        answer.raise_for_status()
        successes.append(answer.json()["success"])

    chosen = itertools.islice(itertools.cycle(pages.files), count)
    cpu_before, started_at = bench.cpu_s()["api"], time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(send, chosen))
    seconds, cpu_s = time.perf_counter() - started_at, bench.cpu_s()["api"] - cpu_before
    return Read(clients, latencies, sum(successes), count / seconds, cpu_s * 1000 / count)


def recognitions_beside_documents(bench: Bench, pages: Pages, face_body: bytes, *, times: int) -> Neighbours:
    """Does a check-in starve while two clients have documents read?"""
    alone = single_requests_ms(bench, face_body, times=times)
    with _kept_busy(bench, pages, clients=2):
        beside = single_requests_ms(bench, face_body, times=times)
    return Neighbours(alone, beside)


@contextmanager
def _kept_busy(bench: Bench, pages: Pages, *, clients: int) -> Iterator[None]:
    """Documents are read all the while."""
    done = threading.Event()

    def work(first: int) -> None:
        with httpx.Client(base_url=bench.client.base_url, timeout=60) as client:
            for data in itertools.cycle(pages.files[first:] + pages.files[:first]):
                if done.is_set():
                    return
                client.post(INVOICE, content=request_body(data), headers=_JSON).raise_for_status()

    with ThreadPoolExecutor(clients) as threads:
        running = [threads.submit(work, number) for number in range(clients)]
        time.sleep(1.0)  # until the first page is being read
        try:
            yield
        finally:
            done.set()
    for work_done in running:
        work_done.result()


def watch_memory(bench: Bench, pages: Pages, *, count: int, every: int, announce: Callable[[str], None]) -> list[float]:
    """MB of the API and its workers, what they share counted once, before the first page and after each ``every``."""
    used = [proportional_mb(bench.processes["api"])]
    for done in range(every, count + 1, every):
        read_pages(bench, pages, clients=1, count=every)
        used.append(proportional_mb(bench.processes["api"]))
        announce(f"{done} pages: {used[-1]:.0f} MB")
    return used


def report(pages: Pages, reads: Sequence[Read], neighbours: Neighbours) -> str:
    """The section of docs/benchmarks.md on time."""
    rows = "\n".join(_row(one) for one in reads)
    unread = sum(len(one.latencies_ms) - one.successes for one in reads)
    alone, beside = (
        f"median {percentile(values, 0.5):.0f} ms, p95 {percentile(values, 0.95):.0f} ms"
        for values in (neighbours.alone_ms, neighbours.beside_ms)
    )
    return f"""\
`POST /ocr/invoice` over HTTP, {pages.name}, base64 and storing included; {unread} of them were answered with
`success: false`. Asked: p95 under 2 s with one client, at most 4 s with two.

| clients | median | p95 | longest | pages/s | CPU of the API, a page | n |
|---|---|---|---|---|---|---|
{rows}

Recognitions one after another, alone: {alone}; while two clients have documents read all the time:
{beside} (n = {len(neighbours.beside_ms)} each).
"""


def _row(one: Read) -> str:
    median_s, p95_s = (percentile(one.latencies_ms, share) / 1000 for share in (0.5, 0.95))
    return (
        f"| {one.clients} | {median_s:.2f} s | {p95_s:.2f} s | {max(one.latencies_ms) / 1000:.2f} s "
        f"| {one.per_second:.2f} | {one.cpu_ms / 1000:.2f} s | {len(one.latencies_ms)} |"
    )


def memory_report(pages: Pages, used: Sequence[float], *, every: int) -> str:
    """The section of docs/benchmarks.md on memory."""
    values = ", ".join(f"{value:.0f}" for value in used)
    count = (len(used) - 1) * every
    return f"""\
Memory (PSS) of the API and its workers over {count} pages ({pages.name}), MB before the first and after every {every}:
{values}. From the second figure on it grew by {used[-1] - used[1]:.0f} MB. Asked: at most 1400, flat.
"""

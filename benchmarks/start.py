"""How long the API takes to be ready: with nothing kept from an earlier start, and with it."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import proportional_mb, serving
from scripts.local.stack import open_stack


@dataclass(frozen=True, slots=True)
class Started:
    """One start, all engines warm.

    Attributes:
        cpu_s: of the API's process and its workers until it is ready: what the start costs, whoever else is at work.
        memory_mb: of them, then; proportional, so that what they share counts once.
    """

    ready_s: float
    cpu_s: float
    memory_mb: float


def measure_starts(times: int) -> list[Started]:
    """One start over an empty data directory, then ``times`` over the same one."""
    folder = Path(tempfile.mkdtemp(prefix="cv-service-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs under another account, which has to pass through
    stop = threading.Event()
    started = []
    try:
        with open_stack(folder, announce=print, stop_requested=stop) as stack:
            for _ in range(1 + times):
                with serving(stack, {}, stop) as bench:
                    cpu_s = bench.cpu_s()["api"]
                    started.append(Started(bench.ready_s, cpu_s, proportional_mb(bench.processes["api"])))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return started


def report(started: Sequence[Started]) -> str:
    """The section of docs/benchmarks.md."""
    return f"""\
From the start of the API's process to readiness, every engine loaded and warm, its files in the disk cache; medians.

| start | ready after | CPU until then | memory (PSS), with workers | n |
|---|---|---|---|---|
| the first over a data directory | {_row(started[:1])} |
| later ones | {_row(started[1:])} |
"""


def _row(starts: Sequence[Started]) -> str:
    ready_s, cpu_s, memory_mb = (
        statistics.median(values)
        for values in zip(*((one.ready_s, one.cpu_s, one.memory_mb) for one in starts), strict=True)
    )
    return f"{ready_s:.1f} s | {cpu_s:.1f} s | {memory_mb:.0f} MB | {len(starts)}"

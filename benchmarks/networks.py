"""What a pass of a network costs by itself: streams that several threads share against one network a thread, and
batches against single pictures."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from app.ml_models.runtimes import OpenVinoSession, Precision
from app.types import FloatArray

_THREADS = 2
_PASSES = 10
_BATCHES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class TriedNetwork:
    """A network of the pack; ``row_by_row`` as its manifest says."""

    name: str
    path: Path
    precision: Precision
    row_by_row: bool
    input_name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a network: CPU milliseconds a picture and hand-overs between threads a pass, each round's."""

    network: str
    name: str
    cpu_ms: Sequence[float]
    handovers: Sequence[float]


def measure(networks: Sequence[TriedNetwork], *, rounds: int) -> list[Variant]:
    """All ways in turn, ``rounds`` times, so that whatever else runs slows all of them."""
    return [variant for network in networks for variant in _measure(network, rounds)]


def _measure(network: TriedNetwork, rounds: int) -> Iterator[Variant]:
    ways = dict(_ways(network))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for run in ways.values():
        run()  # warm
    for _ in range(rounds):
        for name, run in ways.items():
            found[name].append(run())
    for name, rows in found.items():
        yield Variant(network.name, name, [cpu for cpu, _ in rows], [handovers for _, handovers in rows])


def _ways(network: TriedNetwork) -> Iterator[tuple[str, Callable[[], tuple[float, float]]]]:
    row = np.random.default_rng(1).random(network.shape, np.float32)[None]
    shared = _opened(network, streams=_THREADS)
    own = [_opened(network, streams=1) for _ in range(_THREADS)]
    yield f"{_THREADS} threads, streams of one network", lambda: _run([shared] * _THREADS, network, row)
    yield f"{_THREADS} threads, a network each", lambda: _run(own, network, row)
    whole = OpenVinoSession(network.path, precision=network.precision)
    for size in _BATCHES:
        batch = np.repeat(row, size, axis=0)
        yield f"1 thread, batches of {size}", partial(_run, [whole], network, batch)


def _opened(network: TriedNetwork, *, streams: int) -> OpenVinoSession:
    return OpenVinoSession(network.path, streams=streams, precision=network.precision, row_by_row=network.row_by_row)


def _run(sessions: Sequence[OpenVinoSession], network: TriedNetwork, batch: FloatArray) -> tuple[float, float]:
    """CPU milliseconds a picture, and voluntary switches of context a pass, of a thread for each session."""
    feed = {network.input_name: batch}

    def pass_on(session: OpenVinoSession) -> None:
        for _ in range(_PASSES):
            session.run(feed)

    threads = [threading.Thread(target=pass_on, args=(session,)) for session in sessions]
    before_s, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passes = _PASSES * len(sessions)
    cpu_ms = (time.process_time() - before_s) * 1000 / (passes * len(batch))
    return cpu_ms, (resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before) / passes


def report(variants: Sequence[Variant], *, rounds: int) -> str:
    """The section of docs/benchmarks.md."""
    rows = "\n".join(
        f"| {one.network} | {one.name} | {median(one.cpu_ms):.2f} ms "
        f"| {min(one.cpu_ms):.2f} to {max(one.cpu_ms):.2f} ms | {median(one.handovers):.1f} |"
        for one in variants
    )
    return f"""\
OpenVINO, random input. CPU time of a picture, median and range of {rounds} rounds in turn, {_PASSES} passes a thread
each; hand-overs are voluntary switches of context a pass.

| network | how | CPU a picture | range | hand-overs |
|---|---|---|---|---|
{rows}
"""

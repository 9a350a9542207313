"""What encryption at rest costs beside a check-in: opening templates, sealing them, turning a probe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from app.composition.models import open_loader
from app.config import Settings
from app.ml_models.factories.face import build_face_engines
from app.services.turns import turn_of
from app.services.vault import MasterKeys, SealPlace, Vault, new_key
from benchmarks.face import read_frame
from benchmarks.harness import percentile

_TEMPLATES = 20
"""Of one person at most, by default: what a verification opens."""


@dataclass(frozen=True, slots=True)
class SealingCosts:
    """Processor time of each, in microseconds, and of one frame's way through the networks beside it."""

    open_us: list[float]
    seal_us: list[float]
    turn_us: list[float]
    frame_us: list[float]


def measure(settings: Settings, picture: bytes, *, rounds: int) -> SealingCosts:
    """All of them in turn, so that whatever else runs slows all of them."""
    cv2.setNumThreads(1)
    engines = build_face_engines(open_loader(settings, streams=1))
    engines.warm_up()
    vault = Vault(MasterKeys(new_key()))
    turn = turn_of(vault, 1, 512)
    vectors = np.random.default_rng(1).standard_normal((_TEMPLATES, 512)).astype("<f4")
    places = [SealPlace("face_templates", "vector", f"vec_{number:032}") for number in range(_TEMPLATES)]
    plain = [vector.tobytes() for vector in vectors]
    sealed = [vault.seal(value, place, version=1) for value, place in zip(plain, places, strict=True)]
    costs = SealingCosts([], [], [], [])
    for _ in range(rounds):
        costs.frame_us.append(_cpu_us(lambda: read_frame(engines, picture)))
        costs.open_us.append(
            _cpu_us(lambda: [np.frombuffer(vault.open(*one), "<f4") for one in zip(sealed, places, strict=True)])
            / _TEMPLATES
        )
        costs.seal_us.append(
            _cpu_us(lambda: [vault.seal(*one, version=1) for one in zip(plain, places, strict=True)]) / _TEMPLATES
        )
        costs.turn_us.append(_cpu_us(lambda: vectors[:1] @ turn))
    return costs


def _cpu_us(call: Callable[[], object]) -> float:
    """Processor time of this process, all of its threads."""
    began = time.process_time_ns()
    call()
    return (time.process_time_ns() - began) / 1000


def report(costs: SealingCosts) -> str:
    """The section of docs/benchmarks.md."""
    frame = percentile(costs.frame_us, 0.5)

    def row(what: str, values: list[float], *, times: int = 1) -> str:
        middle, high = (percentile(values, share) * times for share in (0.5, 0.95))
        return f"| {what} | {middle:.0f} | {high:.0f} | {100 * middle / frame:.2f} % |"

    return f"""\
Processor time of one process, {len(costs.frame_us)} rounds of all of these in turn. The frame is a 640x480 JPEG that is
decoded and taken through detection, liveness and embedding, without HTTP and backends: a whole check-in costs more.

| what | median, us | p95, us | median, of the frame's |
|---|---|---|---|
{row("the frame", costs.frame_us)}
{row("open one template of 512 numbers", costs.open_us)}
{row(f"open {_TEMPLATES}, as verifying somebody with that many does", costs.open_us, times=_TEMPLATES)}
{row("seal one template", costs.seal_us)}
{row("turn one probe for an external index", costs.turn_us)}

A check-in against the gallery in memory opens none: that happens when the gallery is loaded or a template changes.
"""

"""Several running services under the same load in turn: A, B, A, B …, with the CPU time of each one's processes.

Check-ins come from one, eight and 32 clients; frames, rooms and documents one after another, since what each costs is
asked of them.

A service is anything that answers the specification's ``/face/enroll`` and ``/face/recognize`` on this machine: another
commit of this one, or a rival.
"""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.face import RECOGNIZE, request_body
from benchmarks.harness import Bench, percentile, process_cpu_s, timed_ms
from scripts.local.layout import PROJECT_DIR

_ENROLL = "/api/v1/cv/face/enroll"
_CAMERA = "cam_bench_"
CLIENTS = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Rival:
    """A running service.

    Attributes:
        processes: the roots of its processes; their descendants belong to it.
    """

    url: str
    processes: tuple[psutil.Process, ...]

    @classmethod
    def parse(cls, text: str) -> Rival:
        """``URL`` or ``URL@PID``: the process above all of its servers, else the one that listens there.

        Raises:
            SystemExit: nobody listens there.
        """
        url, _, pid = text.partition("@")
        if pid:
            return cls(url, (psutil.Process(int(pid)),))
        port = urlsplit(url).port
        listening = {
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid
        }
        if not listening:
            raise SystemExit(f"Nobody listens at {url}.")
        return cls(url, tuple(psutil.Process(one) for one in sorted(listening)))

    @classmethod
    def of(cls, bench: Bench) -> Rival:
        """A measurement's own service."""
        return cls(str(bench.client.base_url).rstrip("/"), tuple(bench.processes.values()))

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        return sum(process_cpu_s(process) for process in self.processes)


@dataclass(frozen=True, slots=True)
class LoadTurn:
    """One service's turn under one load."""

    rival: int
    clients: int
    seconds: float
    latencies_ms: Sequence[float]
    failures: int
    cpu_s: float


def enrol(rival: Rival, picture: bytes) -> None:
    """Let it know the person of the picture."""
    body = {"employee_id": "BENCH", "images": [base64.b64encode(picture).decode()], "replace_existing": True}
    httpx.post(f"{rival.url}{_ENROLL}", json=body, timeout=60).raise_for_status()


def take_turns(rivals: Sequence[Rival], picture: bytes, *, rounds: int, seconds: float) -> list[LoadTurn]:
    """Each load on each service in turn, ``rounds`` times; every request comes from a camera of its own."""
    body = request_body(picture)
    turns = []
    for rival in rivals:
        _load(rival, body, clients=2, seconds=2)  # warm
    for clients in CLIENTS:
        for _ in range(rounds):
            for number, rival in enumerate(rivals):
                before = rival.cpu_s()
                told = _load(rival, body, clients=clients, seconds=seconds)
                statuses = {int(status): count for status, count in told["statuses"].items()}
                failures = sum(count for status, count in statuses.items() if status not in (200, 429))
                turns.append(LoadTurn(number, clients, seconds, told["latencies_ms"], failures, rival.cpu_s() - before))
    return turns


def _load(rival: Rival, body: bytes, *, clients: int, seconds: float) -> dict[str, Any]:  # what load.py prints
    address = urlsplit(rival.url)
    command = [sys.executable, str(PROJECT_DIR / "benchmarks/load.py"), str(address.hostname), str(address.port)]
    command += [RECOGNIZE, str(clients), str(seconds), _CAMERA]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=seconds + 120)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def report(rivals: Sequence[Rival], turns: Sequence[LoadTurn], *, rounds: int) -> str:
    """The section of docs/benchmarks.md; ratios are to the first service."""
    rows = []
    for clients in CLIENTS:
        first = _rate([turn for turn in turns if turn.clients == clients and turn.rival == 0])
        for number in range(len(rivals)):
            mine = [turn for turn in turns if turn.clients == clients and turn.rival == number]
            latencies = [one for turn in mine for one in turn.latencies_ms]
            cpu_ms = sum(turn.cpu_s for turn in mine) * 1000 / max(len(latencies), 1)
            rate, each = _rate(mine), " / ".join(f"{_rate([turn]):.1f}" for turn in mine)
            rows.append(
                f"| {chr(ord('A') + number)} | {clients} | {rate:.1f} ({each}) | {rate / first:.2f} "
                f"| {percentile(latencies, 0.5):.0f} ms | {percentile(latencies, 0.95):.0f} ms | {cpu_ms:.1f} ms "
                f"| {sum(turn.failures for turn in mine)} | {len(latencies)} |"
            )
    table = "\n".join(rows)
    return f"""\
{_names(rivals)}; in turn, {rounds} times each. CPU time is that of the service and all its servers.

| service | clients | req/s (each turn) | ratio | median | p95 | CPU a request | failed | n |
|---|---|---|---|---|---|---|---|---|
{table}
"""


def _rate(turns: Sequence[LoadTurn]) -> float:
    return sum(len(turn.latencies_ms) for turn in turns) / sum(turn.seconds for turn in turns)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests of one kind, sent one after another."""

    path: str
    bodies: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class RequestCosts:
    """What one service took for one kind of request; an entry of ``cpu_ms`` is the mean of a round."""

    rival: int
    name: str
    cpu_ms: list[float]
    latencies_ms: list[float]


def ask_in_turn(rivals: Sequence[Rival], asked: Mapping[str, Asked], *, rounds: int) -> list[RequestCosts]:
    """Every body to each service in turn, ``rounds`` times, and once more before, which is not counted."""
    costs = [RequestCosts(number, name, [], []) for name in asked for number in range(len(rivals))]
    for counted in range(rounds + 1):
        for one in costs:
            latencies_ms, cpu_ms = _ask(rivals[one.rival], asked[one.name])
            if counted:
                one.latencies_ms.extend(latencies_ms)
                one.cpu_ms.append(cpu_ms)
    return costs


def _ask(rival: Rival, asked: Asked) -> tuple[list[float], float]:
    bodies = iter(asked.bodies)
    with httpx.Client(base_url=rival.url, timeout=120, headers={"content-type": "application/json"}) as client:
        before_s = rival.cpu_s()
        latencies_ms = timed_ms(
            lambda: client.post(asked.path, content=next(bodies)).raise_for_status(), times=len(asked.bodies)
        )
        return latencies_ms, (rival.cpu_s() - before_s) * 1000 / len(latencies_ms)


def report_costs(rivals: Sequence[Rival], costs: Sequence[RequestCosts], *, rounds: int) -> str:
    """The section of docs/benchmarks.md; ratios are to the first service."""
    first = {one.name: _median(one.cpu_ms) for one in costs if one.rival == 0}
    rows = "\n".join(
        f"| {one.name} | {chr(ord('A') + one.rival)} | {_median(one.cpu_ms):.0f} ms "
        f"| {min(one.cpu_ms):.0f} to {max(one.cpu_ms):.0f} ms | {_median(one.cpu_ms) / first[one.name]:.2f} "
        f"| {_median(one.latencies_ms):.0f} ms | {percentile(one.latencies_ms, 0.95):.0f} ms "
        f"| {len(one.latencies_ms)} |"
        for one in costs
    )
    return f"""\
{_names(rivals)}; one after another, in turn, {rounds} rounds. CPU time is that of the service and all its
servers, the median and the range of the rounds' means.

| asked | service | CPU a request | range | ratio | median | p95 | n |
|---|---|---|---|---|---|---|---|
{rows}
"""


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _names(rivals: Sequence[Rival]) -> str:
    return ", ".join(f"{chr(ord('A') + number)} = {rival.url}" for number, rival in enumerate(rivals))

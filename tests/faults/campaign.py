"""One fault after the other under load; what was promised is counted after each."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.faults.faults import Backend, Fault
from tests.faults.report import Report, Result
from tests.faults.stack import Stack
from tests.integration.test_replicas import Replica

BEFORE_S = 2.0
FAULT_S = 8.0
FROZEN_S = 30.0  # PostgreSQL ends a silent session after 20 s, and another replica then asks for the relay's lock
RECOVERED_WITHIN_S = 120.0  # on a machine that does other things besides
ARRIVED_WITHIN_S = 120.0
_SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """What a replica said of itself at one moment."""

    after_s: float
    status: int
    ready: int
    failed: frozenset[str]


@dataclass
class Health:
    """What the replicas say of themselves, looked at twice a second."""

    clients: Sequence[httpx.Client]
    samples: list[list[Sample]] = field(default_factory=list)

    def watch(self, seconds: float) -> None:
        """Sample for so long."""
        began = time.monotonic()
        self.samples = [[] for _ in self.clients]
        while (after_s := time.monotonic() - began) < seconds:
            for client, samples in zip(self.clients, self.samples, strict=True):
                samples.append(sample(client, after_s))
            time.sleep(_SAMPLE_S)

    def names_only(self, backend: Backend | None, *, surely: bool) -> str:
        """Empty, or in what the last words of a replica were untrue.

        Args:
            backend: which alone may be named.
            surely: whether it has to be.
        """
        for samples in self.samples:
            last = samples[-1]
            if (last.status, last.ready) != (200, 200):
                return f"/health {last.status}, /health/ready {last.ready}"
            if last.failed - {backend}:
                return f"blames {', '.join(sorted(last.failed))}"
            if surely and not last.failed:
                return "names nothing"
        return ""

    def told_after_s(self) -> float | None:
        """When the last of the replicas had named something."""
        first = [next((s.after_s for s in samples if s.failed), None) for samples in self.samples]
        return None if None in first else max(moment for moment in first if moment is not None)


def sample(client: httpx.Client, after_s: float) -> Sample:
    """Ask one replica."""
    answer = client.get("/api/v1/cv/health")
    checks = answer.json()["checks"]
    failed = frozenset(name for name in Backend if (checks.get(name.value) or {}).get("status") == "error")
    return Sample(after_s, answer.status_code, client.get("/api/v1/cv/health/ready").status_code, failed)


class Campaign:
    """The replicas under load, with what they promised."""

    def __init__(self, stack: Stack, report: Report) -> None:
        self.pair = stack.pair
        self.records = stack.records
        self._network = stack.network
        self._load = stack.load
        self._ledger = stack.ledger
        self._arrivals = stack.arrivals
        self._report = report

    def endure(self, fault: Fault) -> Result:
        """Go through one fault of a backend."""
        health = Health([each.client for each in self.pair])
        with self._measured(fault.name) as result:
            with self._network.failing(fault):
                health.watch(FAULT_S)
            result.health = health.names_only(fault.backend, surely=fault.is_outage)
            result.told_after_s = health.told_after_s() if fault.is_outage else None
            result.recovery_s = self._recover(time.monotonic(), self.pair)
        return result

    def freeze(self, victim: Replica) -> Result:
        """Stop a replica in the middle of what it does, for longer than it can keep a lock, and let it go on."""
        others = [each for each in self.pair if each is not victim]
        health = Health([each.client for each in others])
        with self._measured(f"replica {self.pair.index(victim) + 1} frozen") as result:
            self._load.targets[:] = [each.client for each in others]
            victim.process.send_signal(signal.SIGSTOP)
            try:
                result.recovery_s = self._recover(time.monotonic(), others)
                self._events_flow_since(self._arrivals.ids)
                health.watch(max(_SAMPLE_S, FROZEN_S - result.recovery_s))
            finally:
                victim.process.send_signal(signal.SIGCONT)
            result.health = health.names_only(None, surely=False)
            self._recover(time.monotonic(), self.pair)
            self._load.targets[:] = [each.client for each in self.pair]
        return result

    def kill(self, victim: Replica) -> Result:
        """End a replica as kill -9 does; it stays away."""
        others = [each for each in self.pair if each is not victim]
        health = Health([each.client for each in others])
        with self._measured("replica 1 killed") as result:
            self._load.targets[:] = [each.client for each in others]
            victim.process.kill()
            victim.process.wait(10)
            result.recovery_s = self._recover(time.monotonic(), others)
            health.watch(FAULT_S)
            result.health = health.names_only(None, surely=False)
        return result

    @contextmanager
    def _measured(self, name: str) -> Iterator[Result]:
        result = Result(name)
        load, before = self._load, self._ledger.writes()
        load.answers.clear()
        load.unexpected.clear()
        repeated = self._arrivals.redelivered
        began = time.monotonic()
        with load.running():
            time.sleep(BEFORE_S)
            yield result
        result.seconds = time.monotonic() - began
        result.answers = dict(load.answers)
        result.unexpected = list(load.unexpected)
        result.writes = self._ledger.writes() - before
        result.stale = list(self._ledger.stale_rooms)
        result.lost = self._ledger.lost(self.records)
        result.events_lost = self._missing_events()
        result.events_doubled = self._arrivals.doubled()
        result.events_repeated = self._arrivals.redelivered - repeated
        self._report.add(result)

    def _recover(self, since: float, replicas: Sequence[Replica]) -> float:
        """Seconds until each kind of request has succeeded again and the replicas say that they are well; infinite
        where that does not come."""
        deadline = since + RECOVERED_WITHIN_S
        while time.monotonic() < deadline:
            self._load.do_what_has_not_worked_since(since)
            if self._load.everything_works_since(since) and all(
                not sample(each.client, 0.0).failed for each in replicas
            ):
                return time.monotonic() - since
            time.sleep(0.1)
        return math.inf

    def _events_flow_since(self, seen: set[str]) -> None:
        self.records.wait_until(lambda: bool(self._arrivals.ids - seen), timeout_s=ARRIVED_WITHIN_S)

    def _missing_events(self) -> list[str]:
        """Events that are written and have not come to the consumer in a minute."""
        written = {row["id"] for row in self.records.rows("SELECT event_id::text AS id FROM event_outbox")}
        deadline = time.monotonic() + ARRIVED_WITHIN_S
        while (missing := written - self._arrivals.ids) and time.monotonic() < deadline:
            time.sleep(0.2)
        return sorted(missing)

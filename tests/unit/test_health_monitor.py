"""When backends are asked how they are, and what is told meanwhile."""

from __future__ import annotations

import asyncio

from app.errors import BackendUnavailable
from app.workflows.health import HealthMonitor


class Backend:
    """Answers, refuses, or keeps silent until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False
        self.free = asyncio.Event()
        self.free.set()

    async def ping(self) -> None:
        self.asked += 1
        await self.free.wait()
        if self.refuses:
            raise BackendUnavailable("fake")


async def test_probes_that_come_together_share_a_round() -> None:
    backend = Backend()
    monitor = HealthMonitor({"fake": backend.ping}, max_age_s=60)
    found = await asyncio.gather(*(monitor.check() for _ in range(5)))
    assert all(states["fake"].ok for states in found)
    assert (await monitor.check())["fake"].ok
    assert backend.asked == 1


async def test_a_refusal_is_told_at_once() -> None:
    backend = Backend()
    monitor = HealthMonitor({"fake": backend.ping}, max_age_s=0, patience_s=60)
    assert (await monitor.check())["fake"].ok
    backend.refuses = True
    assert not (await monitor.check())["fake"].ok


async def test_while_a_backend_keeps_silent_the_round_before_is_told() -> None:
    backend = Backend()
    monitor = HealthMonitor({"fake": backend.ping}, max_age_s=0, timeout_s=3600, patience_s=0)
    assert (await monitor.check())["fake"].ok
    backend.free.clear()
    backend.refuses = True
    for _ in range(3):
        assert (await monitor.check())["fake"].ok
    assert backend.asked == 2  # one round at a time
    backend.free.set()
    for _ in range(10):  # a turn of the event loop each
        states = await monitor.check()
    assert not states["fake"].ok


async def test_a_silent_backend_has_failed_after_the_time_limit() -> None:
    backend = Backend()
    backend.free.clear()
    assert not (await HealthMonitor({"fake": backend.ping}, timeout_s=0.01).check())["fake"].ok

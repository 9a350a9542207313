"""What /health says: each backend's answer to a ping, the models, the device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.errors import BackendUnavailable, DiskFull, VisionError
from app.utils import metrics

Ping = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BackendState:
    """``latency_ms`` is the duration of the ping, whatever came of it; ``reason`` is None for plain silence."""

    ok: bool
    latency_ms: float
    reason: str | None = None


class HealthMonitor:
    """Pings all backends at once, at most every ``max_age_s``, so that probes cost the backends little.

    Args:
        pings: by the backend's name; each raises BackendUnavailable on failure.
        timeout_s: a ping slower than this has failed.
        patience_s: a round of pings slower than this goes on by itself, and whoever asked is told of the round before:
            probes get their answer in time however busy the cores are, and hear of a silent backend one probe later.
    """

    def __init__(
        self,
        pings: Mapping[str, Ping],
        *,
        timeout_s: float = 1.0,
        max_age_s: float = 1.0,
        patience_s: float = 0.03,
    ) -> None:
        self._pings = pings
        self._timeout_s = timeout_s
        self._max_age_s = max_age_s
        self._patience_s = patience_s
        self._checked_at = float("-inf")
        self._states: dict[str, BackendState] = {}
        self._round: asyncio.Task[None] | None = None

    async def check(self) -> Mapping[str, BackendState]:
        """The state of every backend, by name."""
        if time.monotonic() - self._checked_at > self._max_age_s:
            if self._round is None or self._round.done():
                self._round = asyncio.create_task(self._look())
            # Callers that come together share the round. Before the first there is nothing else to tell.
            await asyncio.wait([self._round], timeout=self._patience_s if self._states else None)
        return self._states

    async def close(self) -> None:
        """End the round under way, if any."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])

    async def _look(self) -> None:
        states = await asyncio.gather(*(self._ping(ping) for ping in self._pings.values()))
        self._states = dict(zip(self._pings, states, strict=True))
        self._checked_at = time.monotonic()
        for name, state in self._states.items():
            metrics.backend_up.labels(name).set(state.ok)

    async def _ping(self, ping: Ping) -> BackendState:
        started_at = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                await ping()
        except DiskFull as error:
            ok, reason = False, error.code
        except (BackendUnavailable, TimeoutError):
            ok, reason = False, None
        except VisionError as error:
            ok, reason = False, f"{error.code}: {error.message}"
        else:
            ok, reason = True, None
        return BackendState(ok, (time.perf_counter() - started_at) * 1000, reason)

"""How tests wait: for a condition, never for a time, and for so long that a slow and busy machine keeps to it too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from app.errors import BackendUnavailable

PATIENCE_S = 120.0
"""Only a test that fails waits as long as this."""

_PAUSE_S = 0.02


def wait_until(condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait for something that comes about beside the test."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(_PAUSE_S)


async def until(condition: Callable[[], bool]) -> None:
    """As ``wait_until``, for what other threads or processes change while the loop goes on."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # they set no event
            await asyncio.sleep(_PAUSE_S)


async def recovers(call: Callable[[], Awaitable[object]]) -> None:
    """Wait until it is not refused any more for a backend that does not answer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await call()
            except BackendUnavailable:
                await asyncio.sleep(_PAUSE_S)
            else:
                return

"""Loops that run beside the requests: they survive outages, wake on a signal or a timer, and end when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.errors import VisionError
from app.utils.logging import logger


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run ``loops`` as tasks while the block lasts, then cancel them and wait."""
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def repeat(
    name: str, step: Callable[[], Awaitable[None]], *, pause_s: float, pause_after_failure_s: float
) -> None:
    """Call ``step`` for ever. A failure is logged and followed by a longer pause; it never ends the loop."""
    while True:
        try:
            await step()
        except VisionError as error:
            logger.warning("background_step_failed", loop=name, code=error.code)
            await asyncio.sleep(pause_after_failure_s)
        except Exception as error:  # noqa: BLE001  # the border of a loop that must not end
            logger.opt(exception=error).error("background_step_crashed", loop=name)
            await asyncio.sleep(pause_after_failure_s)
        else:
            await asyncio.sleep(pause_s)

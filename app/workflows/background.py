"""Loops that run beside the requests: they survive outages, wake on a signal or a timer, and end when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.errors import VisionError
from app.utils.logging import logger
from app.utils.tasks import is_being_cancelled

_PAUSE_AFTER_CRASH_S = 1.0


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run ``loops`` as tasks while the block lasts, then cancel them and wait. One that crashes is begun again."""
    tasks = [asyncio.ensure_future(_kept_going(loop)) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_going(loop: Callable[[], Awaitable[None]]) -> None:
    """Run ``loop`` to its own end or until cancelled. Without this, a bug in one would silently end, say, the relay."""
    while True:
        try:
            await loop()
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            logger.opt(exception=error).error("background_loop_cancelled_from_below")
        except Exception as error:  # noqa: BLE001  # the border of what must not end
            logger.opt(exception=error).error("background_loop_crashed")
        else:
            return
        await asyncio.sleep(_PAUSE_AFTER_CRASH_S)


async def repeat(
    name: str, step: Callable[[], Awaitable[object]], *, pause_s: float, pause_after_failure_s: float
) -> None:
    """Call ``step`` for ever. A failure is logged and followed by a longer pause; it never ends the loop."""
    while True:
        succeeded = await _attempt(name, step)
        await asyncio.sleep(pause_s if succeeded else pause_after_failure_s)


async def until_done(name: str, step: Callable[[], Awaitable[object]], *, pause_after_failure_s: float) -> None:
    """Call ``step`` until it succeeds once: work of the start that an outage may put off."""
    while not await _attempt(name, step):  # noqa: ASYNC110  # nothing signals the end of an outage
        await asyncio.sleep(pause_after_failure_s)


async def _attempt(name: str, step: Callable[[], Awaitable[object]]) -> bool:
    """Whether the step succeeded; why it did not is in the log."""
    try:
        await step()
    except VisionError as error:
        logger.warning("background_step_failed", loop=name, code=error.code)
        return False
    except Exception as error:  # noqa: BLE001  # the border of a loop that must not end
        logger.opt(exception=error).error("background_step_crashed", loop=name)
        return False
    return True

"""What a person would be told to send again later, work without a caller waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.errors import DeadlineExceeded, Overloaded, Unavailable

T = TypeVar("T")

PASSING = (Unavailable, Overloaded, DeadlineExceeded)
"""Something is down or busy; the same may succeed later."""

_TRIES = 6


async def patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step; where something is down or busy, again after 1, 2, 4, 8 and 16 s.

    Raises:
        VisionError: the last one.
    """
    for number in range(_TRIES - 1):
        try:
            return await step()
        except PASSING:
            await asyncio.sleep(2.0**number)
    return await step()

"""Inference pools whose thread has something else to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.inference import InferencePool, Priority
from tests.waiting import until


@asynccontextmanager
async def blocked(pool: InferencePool) -> AsyncIterator[None]:
    """The pool's only thread is busy meanwhile."""
    release = threading.Event()
    blocker = asyncio.ensure_future(pool.submit_at(Priority.BULK, "test", release.wait))
    await until(lambda: pool.taken_places == 1 and pool.waiting == 0)
    try:
        yield
    finally:
        release.set()
        await blocker

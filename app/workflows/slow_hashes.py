"""Turns at slow hashes: each takes a core and 64 MiB, so few are computed at once, and few may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import Overloaded
from app.utils.passwords import hash_password, is_password

_AT_ONCE = 2
_WAITING = 16


class SlowHashes:
    """Passwords and PINs, hashed and compared off the event loop; one for the process."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hash(self, secret: str) -> str:
        """What is stored of a secret.

        Raises:
            Overloaded: too many wait.
        """
        async with self._turn():
            return await asyncio.to_thread(hash_password, secret)

    async def matches(self, secret: str, stored: str | None) -> bool:
        """Whether that is the secret; takes as long where nothing is stored. Raises as ``hash``."""
        async with self._turn():
            return await asyncio.to_thread(is_password, secret, stored)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise Overloaded("Too many people sign in at this moment; try again.", code="overloaded")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

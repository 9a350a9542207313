"""The live event stream: what the outbox holds, in order, from any position on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from app.errors import BackendUnavailable
from app.services.database import PROOF_OF_LIFE_S, Database, DedicatedConnection
from app.services.stores import outbox
from app.services.stores.outbox import StoredEvent

_BATCH = 200


class EventStream:
    """One listening connection a process, any number of readers.

    Args:
        poll_s: how often a reader looks without having been woken; bounds the delay after a lost notification.
    """

    def __init__(self, database: Database, *, poll_s: float = 2.0) -> None:
        self._database = database
        self._poll_s = poll_s
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Wake the readers whenever the relay has sequenced events, until cancelled."""
        while True:
            try:
                async with self._database.dedicated_connection() as session:
                    await self._listen(session)
            except BackendUnavailable:
                pass  # logged where it was noticed
            await asyncio.sleep(self._poll_s)

    async def _listen(self, session: DedicatedConnection) -> None:
        wake = asyncio.Event()
        await session.listen("cv_events", wake.set)
        while not session.is_closed:
            try:
                async with asyncio.timeout(PROOF_OF_LIFE_S):
                    await wake.wait()
            except TimeoutError:
                await session.ping()
            else:
                wake.clear()
                async with self._changed:
                    self._changed.notify_all()

    async def last_position(self) -> int:
        """Where the stream ends now."""
        async with self._database.connection() as connection:
            return await outbox.last_position(connection)

    async def follow(self, after: int, *, may_read: Callable[[], Awaitable[bool]]) -> AsyncIterator[StoredEvent]:
        """Every event later than position ``after``, then each new one; goes on through database outages.

        Args:
            may_read: asked again and again whether the reader still may read; the stream ends when not.
        """
        position = after
        while await may_read():
            try:
                async with self._database.connection() as connection:
                    events = await outbox.events_after(connection, position, limit=_BATCH)
            except BackendUnavailable:
                events = []
            for event in events:
                yield event
                position = event.position
            if len(events) < _BATCH:
                await self.changed()

    async def changed(self) -> None:
        """Return when events may have come; after ``poll_s`` at the latest."""
        try:
            async with asyncio.timeout(self._poll_s), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

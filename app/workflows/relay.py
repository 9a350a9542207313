"""The outbox relay: gives committed events their place in the stream and carries them to RabbitMQ.

One process holds a PostgreSQL lock and is the relay; the others stand by. A frozen one loses the lock with its session,
which the server ends when nothing comes from it; when it goes on, it asks for its lock before it publishes anything
more. Publishing is at least once: an event is marked only after the
broker's confirm, so a crash in between repeats it, with the same ``event_id``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from app.errors import BackendUnavailable
from app.services.database import PROOF_OF_LIFE_S, Database, DedicatedConnection
from app.services.message_queue import MessageQueue, Unroutable
from app.services.stores import outbox
from app.utils import metrics
from app.utils.logging import logger

_BATCH = 100
# Events that come this soon after one another are sequenced together: a rush of check-ins costs no transaction each.
_GATHER_S = 0.05


class OutboxRelay:
    """Sequences and publishes.

    Args:
        queue: None where no broker is configured; events then get their place and stay.
        poll_s: how often to look without having been notified.
        standby_s: how often a process without the lock tries to get it.
        clock: seconds, which go on while the process is stopped.
    """

    def __init__(
        self,
        database: Database,
        queue: MessageQueue | None,
        *,
        poll_s: float = 1.0,
        standby_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._queue = queue
        self._poll_s = poll_s
        self._standby_s = standby_s
        self._clock = clock
        self._lock_seen_at = 0.0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Relay until cancelled, through every outage."""
        while True:
            try:
                async with self._database.dedicated_connection() as session:
                    await self._relay(session)
            except BackendUnavailable:
                pass  # logged where it was noticed
            await asyncio.sleep(self._poll_s)

    async def _relay(self, session: DedicatedConnection) -> None:
        while not await outbox.become_relay(session):  # noqa: ASYNC110  # another session's lock sends no signal
            await asyncio.sleep(self._standby_s)
        logger.info("relay_active")
        await session.listen("cv_outbox", self._wake.set)
        while True:
            self._wake.clear()
            await outbox.sequence_events(session)
            published_all = await self._publish(session)
            try:
                async with asyncio.timeout(self._poll_s):
                    # After a broker failure a new event is no reason to hurry.
                    await (self._wake.wait() if published_all else asyncio.sleep(self._poll_s))
                await asyncio.sleep(_GATHER_S)
            except TimeoutError:
                continue

    async def _publish(self, session: DedicatedConnection) -> bool:
        """Publish what waits, oldest first. False if the broker failed and the rest has to wait."""
        if self._queue is None:
            return True
        while events := await outbox.unpublished_events(session, limit=_BATCH):
            self._lock_seen_at = self._clock()
            for event in events:
                await self._fence(session)
                try:
                    await self._queue.publish(event.event_type, event.payload)
                except Unroutable:
                    await outbox.mark_unroutable(session, event.position)
                    logger.warning("event_unroutable", type=event.event_type)
                except BackendUnavailable:
                    return False
                else:
                    await outbox.mark_published(session, [event.position])
                    metrics.events_published_total.labels(event.event_type).inc()
                self._lock_seen_at = self._clock()
        return True

    async def _fence(self, session: DedicatedConnection) -> None:
        """Go on only with the lock: it lives as long as the session, and a process that was stopped has lost both.

        Raises:
            BackendUnavailable: the session has ended, and another process may be the relay.
        """
        if self._clock() - self._lock_seen_at > PROOF_OF_LIFE_S:
            await session.ping()

"""The one way to store what lives outside PostgreSQL: announce it, store it, claim it with its row."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import BackendUnavailable, VisionError
from app.services.database import Database
from app.services.stores import removals
from app.services.stores.removals import AnnouncementLapsed, Things

# A write whose answer was lost may still arrive at its backend.
_AFTER_FAILURE_S = 5.0


@asynccontextmanager
async def announced(database: Database, things: Things) -> AsyncIterator[None]:
    """Announce things for the block to store, and to claim in the transaction that writes their row.

    What the block does not claim is removed: ten minutes later however the process ended, and within seconds where it
    failed with an error of ours and PostgreSQL answers.

    Raises:
        BackendUnavailable: PostgreSQL does not answer; nothing was announced, and the block has not begun.
    """
    if not any(things.values()):
        yield
        return
    async with database.connection() as connection:
        await removals.announce(connection, things)
    try:
        yield
    except AnnouncementLapsed:
        # Some may have been stored after the worker had removed them, so all of them are listed again.
        async with database.transaction() as connection:
            for kind, keys in things.items():
                await removals.schedule_removals(connection, kind, keys)
        raise
    except VisionError:
        with contextlib.suppress(BackendUnavailable):
            async with database.connection() as connection:
                await removals.give_up(connection, things, after_s=_AFTER_FAILURE_S)
        raise

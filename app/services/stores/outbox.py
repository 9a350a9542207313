"""The SQL of the outbox: giving events their place in the stream, reading them, marking them published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from app.services.database import Connection

RELAY_LOCK = 0x6376_6F75


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """``position`` counts up without gaps that fill later; ``payload`` is the whole message."""

    position: int
    event_type: str
    payload: Mapping[str, Any]  # whatever the event's schema says


def _event(row: asyncpg.Record) -> StoredEvent:
    return StoredEvent(row["position"], row["event_type"], row["payload"])


async def become_relay(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Take the lock that makes this connection's owner the only relay; held until the connection ends."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK))


async def sequence_events(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    """Give committed events their positions. Only the relay may call this: one writer keeps the order gapless."""
    status = await connection.execute(
        "WITH fresh AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM event_outbox WHERE position IS NULL), "
        "last AS (SELECT COALESCE(max(position), 0) AS p FROM event_outbox) "
        "UPDATE event_outbox o SET position = last.p + fresh.n FROM fresh, last WHERE o.id = fresh.id"
    )
    count = int(status.rsplit(" ", 1)[-1])
    if count:
        await connection.execute("SELECT pg_notify('cv_events', '')")
    return count


async def unpublished_events(connection: asyncpg.Connection[asyncpg.Record], *, limit: int) -> list[StoredEvent]:
    """The oldest events that the broker has not confirmed."""
    rows = await connection.fetch(
        "SELECT position, event_type, payload FROM event_outbox "
        "WHERE published_at IS NULL AND NOT unroutable AND position IS NOT NULL ORDER BY position LIMIT $1",
        limit,
    )
    return [_event(row) for row in rows]


async def mark_published(connection: asyncpg.Connection[asyncpg.Record], positions: Sequence[int]) -> None:
    await connection.execute("UPDATE event_outbox SET published_at = NOW() WHERE position = ANY($1)", list(positions))


async def mark_unroutable(connection: asyncpg.Connection[asyncpg.Record], position: int) -> None:
    """Set an event aside that no queue wants, so that it does not block those behind it."""
    await connection.execute("UPDATE event_outbox SET unroutable = TRUE WHERE position = $1", position)


async def backlog(connection: Connection) -> tuple[int, float]:
    """How many events the broker has not confirmed, and the age of the oldest in seconds."""
    row = await connection.fetchrow(
        "SELECT count(*) AS n, COALESCE(EXTRACT(EPOCH FROM NOW() - min(created_at)), 0)::float AS age "
        "FROM event_outbox WHERE published_at IS NULL AND NOT unroutable"
    )
    return (int(row["n"]), float(row["age"])) if row else (0, 0.0)


async def events_after(connection: Connection, position: int, *, limit: int) -> list[StoredEvent]:
    """Events later than ``position``, in order."""
    rows = await connection.fetch(
        "SELECT position, event_type, payload FROM event_outbox WHERE position > $1 ORDER BY position LIMIT $2",
        position,
        limit,
    )
    return [_event(row) for row in rows]


async def last_position(connection: Connection) -> int:
    """The position of the newest event; 0 where there is none."""
    return int(await connection.fetchval("SELECT COALESCE(max(position), 0) FROM event_outbox"))


async def delete_old_events(connection: Connection, *, days: int, only_published: bool) -> str:
    """Remove events older than ``days``; the newest stays, because the next position is counted from it.

    Args:
        only_published: keep what the broker has not confirmed; false where no broker is configured.
    """
    return await connection.execute(
        "DELETE FROM event_outbox WHERE created_at < NOW() - $1 * INTERVAL '1 day' "
        "AND (published_at IS NOT NULL OR unroutable OR NOT $2) "
        "AND position < (SELECT max(position) FROM event_outbox)",
        days,
        only_published,
    )

"""The SQL of the outbox: writing events, giving them their place in the stream, reading them, marking them published.

``publish_event`` takes the caller's transaction, so an event exists exactly when the change that it reports does.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.services.database import Connection, Row, affected
from app.utils import clock, metrics

RELAY_LOCK = 0x6376_6F75
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """``position`` counts up without gaps that fill later; ``payload`` is the whole message."""

    position: int
    event_type: str
    payload: Mapping[str, Any]  # whatever the event's schema says
    written_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event on its way into the outbox; ``body`` is the whole message."""

    event_type: str
    body: Mapping[str, object]
    event_id: str
    occurred_at: datetime


def new_event(
    event_type: str, payload: Mapping[str, object], *, occurred_at: datetime, event_id: str = ""
) -> OutboxEvent:
    """An event with the fields that every event has; see ``publish_event``."""
    event_id = event_id or str(uuid.uuid4())
    body = {
        **payload,
        "event_id": event_id,
        "type": event_type,
        "schema_version": SCHEMA_VERSION,
        "occurred_at": clock.iso(occurred_at),
    }
    return OutboxEvent(event_type, body, event_id, occurred_at)


def _event(row: Row) -> StoredEvent:
    return StoredEvent(row["position"], row["event_type"], row["payload"], row["created_at"])


async def publish_event(
    connection: Connection,
    event_type: str,
    payload: Mapping[str, object],
    *,
    key: str,
    occurred_at: datetime,
    event_id: str = "",
) -> str:
    """Write an event into the outbox, inside the transaction of ``connection``.

    Args:
        event_type: also the routing key.
        payload: the event's own fields, JSON-serialisable.
        key: events of one key are published in the order they were written, such as an employee id.
        event_id: a UUID, where the caller has to know it beforehand.

    Returns:
        The event id, by which consumers recognise a repeated delivery.
    """
    event = new_event(event_type, payload, occurred_at=occurred_at, event_id=event_id)
    # The notification wakes the relay at commit; a lost one only costs the relay's polling interval.
    await connection.execute(
        "WITH written AS (INSERT INTO event_outbox (event_id, event_type, event_key, payload, occurred_at) "
        "VALUES ($1, $2, $3, $4, $5) RETURNING event_id) SELECT pg_notify('cv_outbox', '') FROM written",
        event.event_id,
        event_type,
        key,
        dict(event.body),
        occurred_at,
    )
    metrics.events_total.labels(event_type).inc()
    return event.event_id


async def become_relay(connection: Connection) -> bool:
    """Take the lock that makes this connection's owner the only relay; held until the connection ends."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK))


async def sequence_events(connection: Connection) -> int:
    """Give committed events their positions. Only the relay may call this: one writer keeps the order gapless."""
    status = await connection.execute(
        "WITH fresh AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM event_outbox WHERE position IS NULL), "
        "last AS (SELECT COALESCE(max(position), 0) AS p FROM event_outbox) "
        "UPDATE event_outbox o SET position = last.p + fresh.n FROM fresh, last WHERE o.id = fresh.id"
    )
    count = affected(status)
    if count:
        await connection.execute("SELECT pg_notify('cv_events', '')")
    return count


async def unpublished_events(connection: Connection, *, limit: int) -> list[StoredEvent]:
    """The oldest events that the broker has not confirmed."""
    rows = await connection.fetch(
        "SELECT position, event_type, payload, created_at FROM event_outbox "
        "WHERE published_at IS NULL AND NOT unroutable AND position IS NOT NULL ORDER BY position LIMIT $1",
        limit,
    )
    return [_event(row) for row in rows]


async def mark_published(connection: Connection, positions: Sequence[int]) -> None:
    await connection.execute("UPDATE event_outbox SET published_at = NOW() WHERE position = ANY($1)", list(positions))


async def mark_unroutable(connection: Connection, position: int) -> None:
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
        "SELECT position, event_type, payload, created_at FROM event_outbox "
        "WHERE position > $1 ORDER BY position LIMIT $2",
        position,
        limit,
    )
    return [_event(row) for row in rows]


async def last_position(connection: Connection) -> int:
    """The position of the newest event; 0 where there is none."""
    return int(await connection.fetchval("SELECT COALESCE(max(position), 0) FROM event_outbox"))


async def delete_old_events(connection: Connection, *, days: int, only_published: bool, carriers: Sequence[str]) -> str:
    """Remove events older than ``days``, except for what a webhook has still to deliver. The newest stays, because the
    next position is counted from it.

    Args:
        only_published: keep what the broker has not confirmed; false where no broker is configured.
        carriers: keep what these have not delivered; names of ``delivery_positions``.
    """
    return await connection.execute(
        "DELETE FROM event_outbox WHERE created_at < NOW() - $1 * INTERVAL '1 day' "
        "AND (published_at IS NOT NULL OR unroutable OR NOT $2) "
        "AND position < (SELECT max(position) FROM event_outbox) "
        "AND NOT EXISTS (SELECT FROM webhooks w WHERE w.enabled AND w.position < event_outbox.position) "
        "AND NOT EXISTS (SELECT FROM delivery_positions d "
        "WHERE d.name = ANY($3) AND d.position < event_outbox.position)",
        days,
        only_published,
        list(carriers),
    )

"""The SQL of webhooks: subscriptions, how far each has come, and what could not be delivered.

A subscription is at a position of the event stream. Whoever delivers holds a claim on it; each step forward asks
for the claim, so one who slept through its end can't move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.services.database import Connection, Row, affected
from app.services.stores.outbox import StoredEvent

_COLUMNS = (
    "id, url, description, types, enabled, secret, position, attempts, next_attempt_at, last_error, "
    "last_success_at, created_at, updated_at"
)


@dataclass(frozen=True, slots=True)
class WebhookColumns:
    """What may change about a subscription. ``types``: patterns of event types; none means all."""

    url: str
    description: str | None
    types: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A subscription as stored. ``secret`` is sealed; ``attempts`` counts failures at the event that is next."""

    id: str
    columns: WebhookColumns
    secret: bytes
    position: int
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a receiver did not take."""

    id: int
    event: StoredEvent
    attempts: int
    error: str
    failed_at: datetime


def _record(row: Row) -> WebhookRecord:
    return WebhookRecord(
        id=row["id"],
        columns=WebhookColumns(row["url"], row["description"], tuple(row["types"]), row["enabled"]),
        secret=row["secret"],
        position=row["position"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        last_error=row["last_error"],
        last_success_at=row["last_success_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def insert_webhook(
    connection: Connection, webhook_id: str, columns: WebhookColumns, *, secret: bytes, most: int
) -> WebhookRecord | None:
    """Add a subscription to what happens from now on; None where there are ``most`` already."""
    row = await connection.fetchrow(
        "INSERT INTO webhooks (id, url, description, types, enabled, secret, position) "  # noqa: S608
        "SELECT $1, $2, $3, $4, $5, $6, COALESCE((SELECT max(position) FROM event_outbox), 0) "
        f"WHERE (SELECT count(*) FROM webhooks) < $7 RETURNING {_COLUMNS}",
        webhook_id,
        columns.url,
        columns.description,
        list(columns.types),
        columns.enabled,
        secret,
        most,
    )
    return _record(row) if row else None


async def update_webhook(connection: Connection, webhook_id: str, columns: WebhookColumns) -> WebhookRecord | None:
    """Change a subscription and try it again at once; None if there is no such one."""
    row = await connection.fetchrow(
        "UPDATE webhooks SET url = $2, description = $3, types = $4, enabled = $5, attempts = 0, "  # noqa: S608
        f"next_attempt_at = NOW(), claim = NULL, updated_at = NOW() WHERE id = $1 RETURNING {_COLUMNS}",
        webhook_id,
        columns.url,
        columns.description,
        list(columns.types),
        columns.enabled,
    )
    return _record(row) if row else None


async def lock_secrets(connection: Connection) -> list[tuple[str, bytes]]:
    """The sealed secrets of all subscriptions, by id, locked until the transaction ends."""
    rows = await connection.fetch("SELECT id, secret FROM webhooks ORDER BY id FOR UPDATE")
    return [(row["id"], row["secret"]) for row in rows]


async def seal_otherwise(connection: Connection, webhook_id: str, sealed: bytes) -> None:
    """The same secret, sealed with another key."""
    await connection.execute("UPDATE webhooks SET secret = $2 WHERE id = $1", webhook_id, sealed)


async def replace_secret(connection: Connection, webhook_id: str, secret: bytes) -> bool:
    """Sign with another secret from now on; False if there is no such subscription."""
    status = await connection.execute(
        "UPDATE webhooks SET secret = $2, claim = NULL, updated_at = NOW() WHERE id = $1", webhook_id, secret
    )
    return affected(status) == 1


async def find_webhook(connection: Connection, webhook_id: str, *, lock: bool = False) -> WebhookRecord | None:
    """One subscription; with ``lock`` against other writers until the transaction ends."""
    ending = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM webhooks WHERE id = $1{ending}", webhook_id)  # noqa: S608
    return _record(row) if row else None


async def list_webhooks(connection: Connection) -> list[WebhookRecord]:
    """All subscriptions, oldest first; ``insert_webhook`` bounds them."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM webhooks ORDER BY created_at, id")  # noqa: S608
    return [_record(row) for row in rows]


async def delete_webhook(connection: Connection, webhook_id: str) -> bool:
    """Remove a subscription and its dead letters."""
    return affected(await connection.execute("DELETE FROM webhooks WHERE id = $1", webhook_id)) == 1


async def claim_due(connection: Connection, claim: str, *, lease: timedelta, limit: int) -> list[WebhookRecord]:
    """Take subscriptions that events wait for and nobody else serves."""
    rows = await connection.fetch(
        "UPDATE webhooks SET claim = $1, claimed_until = NOW() + $2 WHERE id IN ("  # noqa: S608
        "SELECT id FROM webhooks WHERE enabled AND next_attempt_at <= NOW() "
        "AND (claim IS NULL OR claimed_until < NOW()) "
        "AND position < (SELECT COALESCE(max(position), 0) FROM event_outbox) "
        f"ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        claim,
        lease,
        limit,
    )
    return [_record(row) for row in rows]


async def advance(
    connection: Connection, webhook_id: str, claim: str, position: int, *, lease: timedelta, delivered: bool
) -> bool:
    """Move behind ``position`` and hold on to the claim; False if the claim was lost."""
    status = await connection.execute(
        "UPDATE webhooks SET position = $3, attempts = 0, claimed_until = NOW() + $4, "
        "last_error = CASE WHEN $5 THEN NULL ELSE last_error END, "
        "last_success_at = CASE WHEN $5 THEN NOW() ELSE last_success_at END "
        "WHERE id = $1 AND claim = $2 AND enabled",
        webhook_id,
        claim,
        position,
        lease,
        delivered,
    )
    return affected(status) == 1


async def postpone(connection: Connection, webhook_id: str, claim: str, *, wait: timedelta, error: str) -> None:
    """Note a failure at the next event and give the claim back until ``wait`` is over."""
    await connection.execute(
        "UPDATE webhooks SET attempts = attempts + 1, next_attempt_at = NOW() + $3, last_error = $4, claim = NULL "
        "WHERE id = $1 AND claim = $2",
        webhook_id,
        claim,
        wait,
        error,
    )


async def switch_off(connection: Connection, webhook_id: str, claim: str, *, error: str) -> None:
    """End a subscription whose receiver says that it is gone."""
    await connection.execute(
        "UPDATE webhooks SET enabled = FALSE, last_error = $3, claim = NULL, updated_at = NOW() "
        "WHERE id = $1 AND claim = $2",
        webhook_id,
        claim,
        error,
    )


async def release(connection: Connection, webhook_id: str, claim: str) -> None:
    """Give a claim back."""
    await connection.execute("UPDATE webhooks SET claim = NULL WHERE id = $1 AND claim = $2", webhook_id, claim)


async def add_dead_letter(
    connection: Connection, webhook_id: str, event: StoredEvent, *, attempts: int, error: str
) -> None:
    """Keep an event that was given up; once, whoever says so."""
    await connection.execute(
        "INSERT INTO webhook_dead_letters (webhook_id, position, event_type, payload, written_at, attempts, error) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (webhook_id, position) DO NOTHING",
        webhook_id,
        event.position,
        event.event_type,
        dict(event.payload),
        event.written_at,
        attempts,
        error,
    )


async def dead_letters(
    connection: Connection, webhook_id: str, *, after: int = 0, limit: int, only: Sequence[int] | None = None
) -> list[DeadLetter]:
    """Events that were given up, in their order, from behind the number ``after`` on; ``only`` those numbers."""
    rows = await connection.fetch(
        "SELECT id, position, event_type, payload, written_at, attempts, error, failed_at FROM webhook_dead_letters "
        "WHERE webhook_id = $1 AND id > $2 AND ($4::bigint[] IS NULL OR id = ANY($4)) ORDER BY id LIMIT $3",
        webhook_id,
        after,
        limit,
        None if only is None else list(only),
    )
    return [
        DeadLetter(
            row["id"],
            StoredEvent(row["position"], row["event_type"], row["payload"], row["written_at"]),
            row["attempts"],
            row["error"],
            row["failed_at"],
        )
        for row in rows
    ]


async def delete_dead_letter(connection: Connection, letter_id: int) -> None:
    """Forget an event that was given up, as after it was delivered at last."""
    await connection.execute("DELETE FROM webhook_dead_letters WHERE id = $1", letter_id)


async def count_dead_letters(connection: Connection) -> int:
    """How many events of all subscriptions were given up and are still kept."""
    return int(await connection.fetchval("SELECT count(*) FROM webhook_dead_letters"))


async def delete_old_dead_letters(connection: Connection, *, days: int) -> None:
    """Remove what was given up longer than ``days`` ago."""
    await connection.execute("DELETE FROM webhook_dead_letters WHERE failed_at < NOW() - $1 * INTERVAL '1 day'", days)

"""Things whose row is gone, or has not come yet, and that a backend holds.

The list is written in the transaction that removes the row, so a crash or an outage in between only delays the
removal; ``RemovalWorker`` in the workflows does the removing. What nothing but its row would ever find is announced
before it is stored, and claimed with its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.services.database import Connection

# Far longer than storing something and writing its row may take.
_UNCLAIMED_S = 600.0


class Kind(StrEnum):
    """Where a thing lives."""

    FACE_VECTOR = "face_vector"
    IMAGE_VECTOR = "image_vector"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Removal:
    id: int
    kind: Kind
    key: str


async def schedule_removals(connection: Connection, kind: Kind, keys: Sequence[str]) -> None:
    """Note that these have to go, and wake the worker when the transaction commits."""
    if keys:
        await _note(connection, kind, keys, after_s=0.0)
        await connection.execute("SELECT pg_notify('cv_removals', '')")


async def announce(connection: Connection, kind: Kind, keys: Sequence[str]) -> None:
    """These are about to be stored: they go again in ten minutes, unless a row claims them."""
    await _note(connection, kind, keys, after_s=_UNCLAIMED_S)


async def claim(connection: Connection, kind: Kind, keys: Sequence[str]) -> None:
    """Announced things stay: the transaction writes the row that they belong to."""
    if keys:
        await connection.execute(
            "DELETE FROM pending_removals WHERE kind = $1 AND key = ANY($2)", kind.value, list(keys)
        )


async def _note(connection: Connection, kind: Kind, keys: Sequence[str], *, after_s: float) -> None:
    await connection.executemany(
        "INSERT INTO pending_removals (kind, key, retry_at) VALUES ($1, $2, NOW() + $3 * INTERVAL '1 second')",
        [(kind.value, key, after_s) for key in keys],
    )


async def due_removals(connection: Connection, *, limit: int) -> list[Removal]:
    """The oldest ones that are due, locked against other workers until the transaction ends."""
    rows = await connection.fetch(
        "SELECT id, kind, key FROM pending_removals WHERE retry_at <= NOW() "
        "ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit,
    )
    return [Removal(row["id"], Kind(row["kind"]), row["key"]) for row in rows]


async def finish_removals(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute("DELETE FROM pending_removals WHERE id = ANY($1)", list(ids))


async def postpone_removals(connection: Connection, ids: Sequence[int]) -> None:
    """Try again later: after 2, 4, 8 … seconds, at most five minutes."""
    await connection.execute(
        "UPDATE pending_removals SET attempts = attempts + 1, "
        "retry_at = NOW() + LEAST(POWER(2, attempts + 1), 300) * INTERVAL '1 second' WHERE id = ANY($1)",
        list(ids),
    )


async def count_removals(connection: Connection) -> int:
    """How many are due or have failed; what is announced may still be claimed."""
    return int(
        await connection.fetchval("SELECT count(*) FROM pending_removals WHERE attempts > 0 OR retry_at <= NOW()")
    )


async def pending_keys(connection: Connection) -> set[str]:
    """Everything that is listed: the worker will remove it by itself, unless a row claims it."""
    return {row["key"] for row in await connection.fetch("SELECT key FROM pending_removals")}

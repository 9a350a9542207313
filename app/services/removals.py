"""Things whose row is gone and that a backend still holds.

The list is written in the transaction that removes the row, so a crash or an outage in between only delays the
removal; ``RemovalWorker`` in the workflows does the removing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.services.database import Connection


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
        await connection.executemany(
            "INSERT INTO pending_removals (kind, key) VALUES ($1, $2)", [(kind.value, key) for key in keys]
        )
        await connection.execute("SELECT pg_notify('cv_removals', '')")


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
    return int(await connection.fetchval("SELECT count(*) FROM pending_removals"))

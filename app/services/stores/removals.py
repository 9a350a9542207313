"""Things outside PostgreSQL whose row is gone, or has not come yet: vectors and objects.

Whatever lives outside is announced here before it is stored, and claimed in the transaction that writes its row: what
nobody claims goes again. The list is also written in the transaction that removes a row. So a crash or an outage at any
moment only delays a removal; ``RemovalWorker`` in the workflows does the removing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from app.errors import DeadlineExceeded
from app.services.database import Connection

# Far longer than storing something and writing its row may take.
_UNCLAIMED_S = 600.0


class Kind(StrEnum):
    """Where a thing lives."""

    FACE_VECTOR = "face_vector"
    IMAGE_VECTOR = "image_vector"
    OBJECT = "object"


Things: TypeAlias = Mapping[Kind, Sequence[str]]
"""The keys of things by where they live. A key is used once, and never again."""


class AnnouncementLapsed(DeadlineExceeded):
    """Storing took so long that what was announced is being removed; the transaction must not be committed."""

    code = "storing_too_slow"

    def __init__(self) -> None:
        super().__init__("Storing took too long, and nothing was kept; send it again.")


@dataclass(frozen=True, slots=True)
class Removal:
    id: int
    key: str


async def schedule_removals(connection: Connection, kind: Kind, keys: Sequence[str]) -> None:
    """Note that these have to go."""
    await _note(connection, {kind: keys}, announced=False, after_s=0.0)


async def announce(connection: Connection, things: Things) -> None:
    """These are about to be stored: they go again in ten minutes, unless a row claims them."""
    await _note(connection, things, announced=True, after_s=_UNCLAIMED_S)


async def claim(connection: Connection, things: Things) -> None:
    """Announced things stay: the transaction writes the row that they belong to.

    Raises:
        AnnouncementLapsed: their time was up, and the worker has taken some of them.
    """
    kinds, keys = _columns(things)
    if not keys:
        return
    claimed = await connection.fetchval(
        "WITH claimed AS (DELETE FROM pending_removals p USING unnest($1::text[], $2::text[]) AS t (kind, key) "
        "WHERE p.kind = t.kind AND p.key = t.key AND p.announced RETURNING p.id) SELECT count(*) FROM claimed",
        kinds,
        keys,
    )
    if claimed != len(keys):
        raise AnnouncementLapsed


async def give_up(connection: Connection, things: Things, *, after_s: float) -> None:
    """Let announced things go sooner. What was claimed stays, even where the claim's commit is still under way."""
    kinds, keys = _columns(things)
    if not keys:
        return
    await connection.execute(
        "UPDATE pending_removals p SET retry_at = NOW() + $3 * INTERVAL '1 second' "
        "FROM unnest($1::text[], $2::text[]) AS t (kind, key) WHERE p.kind = t.kind AND p.key = t.key AND p.announced",
        kinds,
        keys,
        after_s,
    )


async def _note(connection: Connection, things: Things, *, announced: bool, after_s: float) -> None:
    kinds, keys = _columns(things)
    if keys:
        await connection.execute(
            "INSERT INTO pending_removals (kind, key, announced, retry_at) "
            "SELECT t.kind, t.key, $3, NOW() + $4 * INTERVAL '1 second' "
            "FROM unnest($1::text[], $2::text[]) AS t (kind, key)",
            kinds,
            keys,
            announced,
            after_s,
        )


def _columns(things: Things) -> tuple[list[str], list[str]]:
    pairs = [(kind.value, key) for kind, keys in things.items() for key in keys]
    return [kind for kind, _ in pairs], [key for _, key in pairs]


async def take_removals(connection: Connection, kind: Kind, *, limit: int, lease_s: float) -> list[Removal]:
    """Some that are due, for the caller alone during the lease; each take counts as an attempt.

    After the lease they are due again, so a worker that died has only delayed them.
    """
    rows = await connection.fetch(
        "UPDATE pending_removals SET attempts = attempts + 1, announced = FALSE, "
        "retry_at = NOW() + $3 * INTERVAL '1 second' WHERE id IN (SELECT id FROM pending_removals "
        "WHERE kind = $1 AND retry_at <= NOW() ORDER BY retry_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, key",
        kind.value,
        limit,
        lease_s,
    )
    return [Removal(row["id"], row["key"]) for row in rows]


async def finish_removals(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute("DELETE FROM pending_removals WHERE id = ANY($1)", list(ids))


async def postpone_removals(connection: Connection, ids: Sequence[int]) -> None:
    """Try again later: after 2, 4, 8 … seconds, at most five minutes."""
    await connection.execute(
        "UPDATE pending_removals SET retry_at = NOW() + LEAST(POWER(2, LEAST(attempts, 10)), 300) "
        "* INTERVAL '1 second' WHERE id = ANY($1)",
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

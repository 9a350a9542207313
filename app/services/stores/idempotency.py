"""The SQL of idempotency keys: who carries a request out, whether it took effect, and its answer.

A row holds digests and an answer that only the same request can open (``workflows/idempotency.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.services.database import Connection, affected


@dataclass(frozen=True, slots=True)
class KeyState:
    """What is known of a key.

    Attributes:
        fingerprint: of the request that used it first.
        is_in_flight: somebody carries that request out now.
        has_acted: a write of it was committed.
        is_answered: it came to an end; ``sealed_answer`` is None where the answer was too large to keep.
    """

    fingerprint: bytes
    is_in_flight: bool
    has_acted: bool
    is_answered: bool
    sealed_answer: bytes | None


async def take_key(
    connection: Connection,
    digest: bytes,
    *,
    fingerprint: bytes,
    token: bytes,
    lease_s: float,
    lifetime: timedelta,
) -> bool:
    """Become the one who carries the request out: where the key is new or outlived, or whoever had it is gone and left
    nothing behind."""
    taken = await connection.fetchval(
        "INSERT INTO idempotency_keys AS k (digest, fingerprint, token, leased_until) "
        "VALUES ($1, $2, $3, NOW() + $4 * INTERVAL '1 second') ON CONFLICT (digest) DO UPDATE SET "
        "fingerprint = $2, token = $3, leased_until = EXCLUDED.leased_until, created_at = NOW(), has_acted = FALSE, "
        "answered_at = NULL, sealed_answer = NULL "
        "WHERE k.created_at < NOW() - $5::interval OR (k.answered_at IS NULL AND NOT k.has_acted "
        "AND k.leased_until < NOW() AND k.fingerprint = $2) RETURNING TRUE",
        digest,
        fingerprint,
        token,
        lease_s,
        lifetime,
    )
    return bool(taken)


async def find_key_state(connection: Connection, digest: bytes) -> KeyState | None:
    row = await connection.fetchrow(
        "SELECT fingerprint, answered_at IS NULL AND leased_until >= NOW() AS is_in_flight, has_acted, "
        "answered_at IS NOT NULL AS is_answered, sealed_answer FROM idempotency_keys WHERE digest = $1",
        digest,
    )
    return KeyState(**row) if row else None


async def extend_lease(connection: Connection, digest: bytes, token: bytes, *, lease_s: float) -> None:
    await connection.execute(
        "UPDATE idempotency_keys SET leased_until = NOW() + $3 * INTERVAL '1 second' WHERE digest = $1 AND token = $2",
        digest,
        token,
        lease_s,
    )


async def note_effect(connection: Connection, digest: bytes, token: bytes) -> bool:
    """Note that the transaction is the request's effect; False where somebody else carries the request out now."""
    status = await connection.execute(
        "UPDATE idempotency_keys SET has_acted = TRUE WHERE digest = $1 AND token = $2", digest, token
    )
    return affected(status) == 1


async def keep_answer(connection: Connection, digest: bytes, token: bytes, sealed_answer: bytes | None) -> None:
    await connection.execute(
        "UPDATE idempotency_keys SET answered_at = NOW(), sealed_answer = $3 WHERE digest = $1 AND token = $2",
        digest,
        token,
        sealed_answer,
    )


async def give_key_back(connection: Connection, digest: bytes, token: bytes) -> None:
    """Let the request be carried out again, unless it took effect; then the key only says so."""
    await connection.execute(
        "WITH freed AS (DELETE FROM idempotency_keys WHERE digest = $1 AND token = $2 AND NOT has_acted) "
        "UPDATE idempotency_keys SET leased_until = NOW() - INTERVAL '1 second' "
        "WHERE digest = $1 AND token = $2 AND has_acted",
        digest,
        token,
    )


async def delete_old_keys(connection: Connection, *, lifetime: timedelta, max_bytes: int) -> None:
    """Remove keys that have outlived their time, and the oldest answers beyond ``max_bytes`` of all.

    A row is counted with some 200 bytes beside its answer.
    """
    await connection.execute("DELETE FROM idempotency_keys WHERE created_at < NOW() - $1::interval", lifetime)
    await connection.execute(
        "DELETE FROM idempotency_keys WHERE digest IN (SELECT digest FROM (SELECT digest, answered_at, "
        "sum(200 + COALESCE(octet_length(sealed_answer), 0)) OVER (ORDER BY created_at DESC, digest) AS total "
        "FROM idempotency_keys) k WHERE total > $1 AND answered_at IS NOT NULL)",
        max_bytes,
    )

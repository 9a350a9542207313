"""The SQL of active liveness sessions.

``sealed_state`` is there while a session is open, and from its success until it is spent; ``sketches`` stay until the
row goes, so that the same frames do not pass twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.services.database import Connection, Row


class SessionStatus(StrEnum):
    """Where a session is; ``spent`` has let somebody in, and lets nobody in again."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A row, but for the nonce."""

    id: str
    challenges: tuple[str, ...]
    status: SessionStatus
    done: int
    frames: int
    score: float | None
    guidance: str
    reason: str | None
    version: int
    sealed_state: bytes | None
    age_s: float
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """What one request adds; ``sealed_state`` is None where the session ends with it."""

    status: SessionStatus
    done: int
    frames: int
    score: float | None
    guidance: str
    reason: str | None
    sealed_state: bytes | None
    sketches: bytes


_OVER = "status IN ('open', 'passed') AND expires_at <= NOW()"
_COLUMNS = (
    f"id, challenges, CASE WHEN {_OVER} THEN 'expired' ELSE status END AS status, done, frames, score, guidance, "
    "reason, version, sealed_state, EXTRACT(EPOCH FROM NOW() - created_at)::float8 AS age_s, expires_at"
)


async def add_session(
    connection: Connection,
    session_id: str,
    *,
    key_id: int | None,
    nonce_digest: bytes,
    challenges: Sequence[str],
    guidance: str,
    lifetime_s: float,
) -> StoredSession:
    """A new session, open for that time."""
    [row] = await connection.fetch(
        "INSERT INTO liveness_sessions (id, key_id, nonce_digest, challenges, guidance, expires_at) "  # noqa: S608
        f"VALUES ($1, $2, $3, $4, $5, NOW() + $6 * INTERVAL '1 second') RETURNING {_COLUMNS}",
        session_id,
        key_id,
        nonce_digest,
        list(challenges),
        guidance,
        lifetime_s,
    )
    return _session(row)


async def find_session(connection: Connection, session_id: str, *, key_id: int | None) -> StoredSession | None:
    """The session, where that key began it."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM liveness_sessions WHERE id = $1 AND key_id IS NOT DISTINCT FROM $2",  # noqa: S608
        session_id,
        key_id,
    )
    return None if row is None else _session(row)


async def is_nonce_of(connection: Connection, session_id: str, nonce_digest: bytes) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT nonce_digest = $2 FROM liveness_sessions WHERE id = $1", session_id, nonce_digest
        )
    )


async def save_progress(
    connection: Connection, session_id: str, progress: SessionProgress, *, version: int, spendable_s: float
) -> bool:
    """Write what came of a request; False where another one was faster, or the session is over.

    Args:
        version: that the request began with.
        spendable_s: how long a session that passes may be spent.
    """
    return bool(
        await connection.fetchval(
            "UPDATE liveness_sessions SET status = $3::text, done = $4, frames = $5, score = $6, guidance = $7, "
            "reason = $8, sealed_state = $9, sketches = COALESCE(sketches, '') || $10, version = version + 1, "
            "expires_at = CASE WHEN $3::text = 'passed' THEN NOW() + $11 * INTERVAL '1 second' ELSE expires_at END "
            "WHERE id = $1 AND version = $2 AND status = 'open' AND expires_at > NOW() RETURNING TRUE",
            session_id,
            version,
            progress.status.value,
            progress.done,
            progress.frames,
            progress.score,
            progress.guidance,
            progress.reason,
            progress.sealed_state,
            progress.sketches,
            spendable_s,
        )
    )


async def spend_session(connection: Connection, session_id: str, *, key_id: int | None) -> StoredSession | None:
    """Take a session that passed, and what it knew of the person; nobody takes it again. None where there is none."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM liveness_sessions WHERE id = $1 AND key_id IS NOT DISTINCT FROM $2 "  # noqa: S608
        "AND status = 'passed' AND expires_at > NOW() FOR UPDATE",
        session_id,
        key_id,
    )
    if row is None:
        return None
    await connection.execute(
        "UPDATE liveness_sessions SET status = 'spent', sealed_state = NULL, version = version + 1 WHERE id = $1",
        session_id,
    )
    return _session(row)


async def earlier_sketches(connection: Connection, session_id: str, *, limit: int) -> list[bytes]:
    """The sketches of the newest other sessions, whoever's."""
    rows = await connection.fetch(
        "SELECT sketches FROM liveness_sessions WHERE sketches IS NOT NULL AND id <> $1 "
        "ORDER BY created_at DESC LIMIT $2",
        session_id,
        limit,
    )
    return [row["sketches"] for row in rows]


async def end_overdue_sessions(connection: Connection) -> None:
    """Forget what sessions knew whose time is over."""
    await connection.execute(
        "UPDATE liveness_sessions SET status = 'expired', sealed_state = NULL, version = version + 1 "  # noqa: S608
        f"WHERE {_OVER}"
    )


async def delete_old_sessions(connection: Connection, *, days: int) -> None:
    """Remove sessions that were begun more than ``days`` ago, with their sketches."""
    await connection.execute("DELETE FROM liveness_sessions WHERE created_at < NOW() - $1 * INTERVAL '1 day'", days)


def _session(row: Row) -> StoredSession:
    return StoredSession(
        **{**dict(row), "challenges": tuple(row["challenges"]), "status": SessionStatus(row["status"])}
    )

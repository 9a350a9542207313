"""The SQL of browsers' sessions. Only digests are stored."""

from __future__ import annotations

import secrets

from app.services.database import Connection
from app.services.stores.keys import ApiKey, api_key, digest

_PREFIX = "cvs_"


async def begin_session(connection: Connection, *, key_id: int, lifetime_h: int | None, idle_min: int) -> str:
    """A session in the name of a key: its secret, shown once. Those that have ended go.

    Args:
        lifetime_h: after which it ends however much it is used; None sets no such end.
        idle_min: after which a session that nobody uses has ended.
    """
    secret = _PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "DELETE FROM cv_sessions WHERE ends_at < NOW() OR seen_at < NOW() - $1 * INTERVAL '1 minute'", idle_min
    )
    await connection.execute(
        "INSERT INTO cv_sessions (digest, key_id, ends_at) VALUES ($1, $2, NOW() + $3 * INTERVAL '1 hour')",
        digest(secret),
        key_id,
        lifetime_h,
    )
    return secret


async def find_session_key(connection: Connection, secret: str, *, idle_min: int) -> ApiKey | None:
    """The key in whose name a session is, unless the session or the key has ended."""
    row = await connection.fetchrow(
        "SELECT id, label, scopes, created_at, last_used_at, revoked_at FROM cv_sessions JOIN api_keys ON id = key_id "
        "WHERE cv_sessions.digest = $1 AND revoked_at IS NULL AND seen_at > NOW() - $2 * INTERVAL '1 minute' "
        "AND (ends_at IS NULL OR ends_at > NOW())",
        digest(secret),
        idle_min,
    )
    return api_key(row) if row else None


async def note_use(connection: Connection, secret: str) -> None:
    """Note that a session is used, at most four times a minute."""
    await connection.execute(
        "UPDATE cv_sessions SET seen_at = NOW() WHERE digest = $1 AND seen_at < NOW() - INTERVAL '15 seconds'",
        digest(secret),
    )


async def end_session(connection: Connection, secret: str) -> None:
    """End one session."""
    await connection.execute("DELETE FROM cv_sessions WHERE digest = $1", digest(secret))


async def end_sessions_of(connection: Connection, key_id: int, *, but: str | None = None) -> None:
    """End every session in the name of a key, but for the one of that secret."""
    await connection.execute(
        "DELETE FROM cv_sessions WHERE key_id = $1 AND digest <> $2", key_id, digest(but) if but else b""
    )

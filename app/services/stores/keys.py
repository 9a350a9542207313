"""API keys in PostgreSQL: only their SHA-256 is stored. Keys are 256 random bits, so a plain fast hash is enough."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection, Row, affected
from app.types import Scope

PREFIX = "cvk_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the database knows it; the secret itself is never stored. A scope of another release opens nothing."""

    id: int
    label: str
    scopes: frozenset[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def new_secret() -> str:
    """A fresh key, shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored and looked up; how long a look-up takes reveals at most something about a digest."""
    return hashlib.sha256(secret.encode()).digest()


async def add_key(connection: Connection, secret: str, *, label: str, scopes: Sequence[Scope]) -> tuple[int, bool]:
    """Store a key; one that is stored already keeps its id and gets the new label and scopes.

    Returns:
        Its id, and whether it is new.
    """
    [row] = await connection.fetch(
        "INSERT INTO api_keys (digest, label, scopes) VALUES ($1, $2, $3) "
        "ON CONFLICT (digest) DO UPDATE SET label = $2, scopes = $3 RETURNING id, xmax = 0 AS is_new",
        digest(secret),
        label,
        list(scopes),
    )
    return row["id"], row["is_new"]


async def find_key(connection: Connection, secret: str) -> ApiKey | None:
    """The key of that secret, unless it is unknown or revoked. Notes its use, at most once a minute."""
    presented = digest(secret)
    row = await connection.fetchrow(
        "SELECT id, label, scopes, created_at, last_used_at, revoked_at, digest FROM api_keys "
        "WHERE digest = $1 AND revoked_at IS NULL",
        presented,
    )
    if row is None or not hmac.compare_digest(row["digest"], presented):
        return None
    await connection.execute(
        "UPDATE api_keys SET last_used_at = NOW() "
        "WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < NOW() - INTERVAL '1 minute')",
        row["id"],
    )
    return api_key(row)


async def find_key_by_id(connection: Connection, key_id: int) -> ApiKey | None:
    """The key, unless it is unknown or revoked."""
    row = await connection.fetchrow(
        "SELECT id, label, scopes, created_at, last_used_at, revoked_at FROM api_keys "
        "WHERE id = $1 AND revoked_at IS NULL",
        key_id,
    )
    return api_key(row) if row else None


def api_key(row: Row) -> ApiKey:
    """A key as its row has it."""
    return ApiKey(
        id=row["id"],
        label=row["label"],
        scopes=frozenset(row["scopes"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


async def list_keys(connection: Connection) -> list[ApiKey]:
    """All keys but those by which people act, revoked ones too, oldest first."""
    rows = await connection.fetch(
        "SELECT id, label, scopes, created_at, last_used_at, revoked_at FROM api_keys "
        "WHERE id NOT IN (SELECT key_id FROM cv_users) ORDER BY id"
    )
    return [api_key(row) for row in rows]


async def revoke_key(connection: Connection, key_id: int) -> bool:
    """End a key; False if there is no such key or it was revoked before."""
    status = await connection.execute(
        "UPDATE api_keys SET revoked_at = NOW() WHERE id = $1 AND revoked_at IS NULL", key_id
    )
    return affected(status) == 1

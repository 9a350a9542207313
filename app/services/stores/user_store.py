"""The SQL of people who sign in. Each acts by a row of ``api_keys`` that no secret opens, labelled by the name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # of rows

from app.services.database import Connection, Row
from app.types import Scope, StaffRole

_DIGEST_BYTES = 32
_COLUMNS = "key_id, name, roles, created_at, signed_in_at, password_hash <> '' AS has_password"


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in; ``key_id`` is what the audit has of them.

    Attributes:
        has_password: False for whom an identity provider vouches for, who says their roles too.
    """

    key_id: int
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    signed_in_at: datetime | None
    has_password: bool


@dataclass(frozen=True, slots=True)
class ExternalUser:
    """Somebody as an identity provider knows them, for good: names may change hands, subjects do not."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """What a password is held against."""

    key_id: int
    password_hash: str


async def add_user(
    connection: Connection, name: str, *, password_hash: str, roles: Sequence[StaffRole], scopes: Sequence[Scope]
) -> User | None:
    """Store a person; None where somebody has that name."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('cv_users.' || $1))", name)
    if await connection.fetchval("SELECT 1 FROM cv_users WHERE name = $1 AND ended_at IS NULL", name):
        return None
    key_id = await connection.fetchval(
        "INSERT INTO api_keys (digest, label, scopes) VALUES ($1, $2, $3) RETURNING id",
        secrets.token_bytes(_DIGEST_BYTES),
        name,
        list(scopes),
    )
    await connection.execute(
        "INSERT INTO cv_users (key_id, name, password_hash, roles) VALUES ($1, $2, $3, $4)",
        key_id,
        name,
        password_hash,
        list(roles),
    )
    return await find_user(connection, name)


async def add_external_user(
    connection: Connection, external: ExternalUser, name: str, *, roles: Sequence[StaffRole], scopes: Sequence[Scope]
) -> User | None:
    """Store somebody without a password; None where another person has that name."""
    user = await add_user(connection, name, password_hash="", roles=roles, scopes=scopes)
    if user is not None:
        await connection.execute(
            "UPDATE cv_users SET issuer = $2, subject = $3 WHERE key_id = $1",
            user.key_id,
            external.issuer,
            external.subject,
        )
    return user


async def find_external_user(connection: Connection, external: ExternalUser) -> tuple[User | None, bool]:
    """Who that is here, and whether their access has ended. One sign-in of theirs at a time, until the transaction
    ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext('cv_users.' || $1 || $2))", external.issuer, external.subject
    )
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, ended_at IS NOT NULL AS has_ended "  # noqa: S608  # constants of this file
        "FROM cv_users WHERE issuer = $1 AND subject = $2",
        external.issuer,
        external.subject,
    )
    if row is None:
        return None, False
    values = dict(row)
    has_ended = bool(values.pop("has_ended"))
    return _user(values), has_ended


async def find_user(connection: Connection, name: str) -> User | None:
    """The person of that name, unless there is none or they ended."""
    found = await _users(connection, "name = $1", name)
    return found[0] if found else None


async def find_user_by_key(connection: Connection, key_id: int) -> User | None:
    """As ``find_user``, by what they act by."""
    found = await _users(connection, "key_id = $1", key_id)
    return found[0] if found else None


async def list_users(connection: Connection) -> list[User]:
    """Everybody, by name."""
    return await _users(connection, "TRUE")


async def _users(connection: Connection, condition: str, *values: object) -> list[User]:
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM cv_users WHERE ended_at IS NULL AND {condition} ORDER BY name",  # noqa: S608  # as above
        *values,
    )
    return [_user(row) for row in rows]


def _user(row: Row | Mapping[str, Any]) -> User:
    return User(**{**row, "roles": tuple(row["roles"])})


async def find_credentials(connection: Connection, name: str) -> StoredPassword | None:
    """What the password of that person is held against; None for who has none."""
    row = await connection.fetchrow(
        "SELECT key_id, password_hash FROM cv_users WHERE name = $1 AND ended_at IS NULL AND password_hash <> ''",
        name,
    )
    return StoredPassword(**row) if row else None


async def set_roles(
    connection: Connection, key_id: int, *, roles: Sequence[StaffRole], scopes: Sequence[Scope]
) -> None:
    """Let a person work as something else from now on."""
    await connection.execute("UPDATE cv_users SET roles = $2 WHERE key_id = $1", key_id, list(roles))
    await connection.execute("UPDATE api_keys SET scopes = $2 WHERE id = $1", key_id, list(scopes))


async def set_password(connection: Connection, key_id: int, password_hash: str) -> None:
    """Give a person another password."""
    await connection.execute("UPDATE cv_users SET password_hash = $2 WHERE key_id = $1", key_id, password_hash)


async def note_sign_in(connection: Connection, key_id: int) -> None:
    """Note that a person signed in now."""
    await connection.execute("UPDATE cv_users SET signed_in_at = NOW() WHERE key_id = $1", key_id)


async def end_user(connection: Connection, key_id: int) -> None:
    """End a person's access for good. The row stays, for the audit's sake."""
    await connection.execute("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, NOW()) WHERE id = $1", key_id)
    await connection.execute("UPDATE cv_users SET ended_at = NOW() WHERE key_id = $1 AND ended_at IS NULL", key_id)

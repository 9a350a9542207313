"""The SQL of tickets, each for one use: to open the event stream, for clients that send no header, or to end a sign-in
that began here and goes by an identity provider. Only digests are stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection

_PREFIX = "cvt_"


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket, shown once."""

    secret: str
    expires_at: datetime


async def issue_ticket(connection: Connection, *, key_id: int | None, lifetime_s: float) -> NewTicket:
    """A ticket in the name of a key; those that nobody used in time go."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    await connection.execute("DELETE FROM event_tickets WHERE expires_at < NOW()")
    expires_at = await connection.fetchval(
        "INSERT INTO event_tickets (digest, key_id, expires_at) VALUES ($1, $2, NOW() + $3 * INTERVAL '1 second') "
        "RETURNING expires_at",
        _digest(secret),
        key_id,
        lifetime_s,
    )
    return NewTicket(secret, expires_at)


async def redeem_ticket(connection: Connection, secret: str) -> tuple[bool, int | None]:
    """Use a ticket up: whether it was good, and whose it was."""
    row = await connection.fetchrow(
        "DELETE FROM event_tickets WHERE digest = $1 RETURNING key_id, expires_at > NOW() AS is_good", _digest(secret)
    )
    return (bool(row["is_good"]), row["key_id"]) if row else (False, None)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

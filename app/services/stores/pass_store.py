"""The SQL of PINs and cards that staff check in by. Of a card only the digest is stored, of a PIN only a slow hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.services.database import Connection, affected
from app.services.stores.keys import digest

CARD_PREFIX = "cvc_"
_CARD_BYTES = 18


@dataclass(frozen=True, slots=True)
class Passes:
    """What somebody may check in by beside their face; the moments are None where there is no such thing."""

    employee_id: str
    pin_set_at: datetime | None
    card_issued_at: datetime | None
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class PinTry:
    """A try that is counted already. Without ``pin_hash`` there is nothing to compare with; ``locked_until`` lies in
    the future where this was one too many before."""

    pin_hash: str | None
    locked_until: datetime | None


async def find_passes(connection: Connection, employee_id: str) -> Passes | None:
    row = await connection.fetchrow(
        "SELECT employee_id, pin_set_at, card_issued_at, "
        "CASE WHEN locked_until > NOW() THEN locked_until END AS locked_until "
        "FROM attendance_passes WHERE employee_id = $1",
        employee_id,
    )
    return Passes(**row) if row else None


async def set_pin(connection: Connection, employee_id: str, pin_hash: str) -> None:
    """Give somebody another PIN, which lifts a lock."""
    await connection.execute(
        "INSERT INTO attendance_passes (employee_id, pin_hash, pin_set_at) VALUES ($1, $2, NOW()) "
        "ON CONFLICT (employee_id) DO UPDATE SET pin_hash = $2, pin_set_at = NOW(), failures = 0, locked_until = NULL",
        employee_id,
        pin_hash,
    )


async def end_pin(connection: Connection, employee_id: str) -> bool:
    """Take somebody's PIN away; False where there was none."""
    done = await connection.execute(
        "UPDATE attendance_passes SET pin_hash = NULL, pin_set_at = NULL, failures = 0, locked_until = NULL "
        "WHERE employee_id = $1 AND pin_hash IS NOT NULL",
        employee_id,
    )
    return affected(done) == 1


async def begin_try(connection: Connection, employee_id: str, *, tries: int, lock: timedelta) -> PinTry | None:
    """Count a try as wrong before anything is compared, so that many at once are no more than ``tries`` either; None
    where nobody has such a PIN. The last one locks for ``lock``."""
    failures = "CASE WHEN locked_until IS NULL THEN failures + 1 ELSE 1 END"
    pin_hash = await connection.fetchval(
        f"UPDATE attendance_passes SET failures = {failures}, "  # noqa: S608  # constants
        f"locked_until = CASE WHEN {failures} >= $2 THEN NOW() + $3::interval END "
        "WHERE employee_id = $1 AND pin_hash IS NOT NULL AND (locked_until IS NULL OR locked_until <= NOW()) "
        "RETURNING pin_hash",
        employee_id,
        tries,
        lock,
    )
    passes = None if pin_hash is not None else await find_passes(connection, employee_id)
    if pin_hash is None and (passes is None or passes.pin_set_at is None):
        return None
    return PinTry(pin_hash, passes.locked_until if passes else None)


async def forget_tries(connection: Connection, employee_id: str) -> None:
    """After the right PIN."""
    await connection.execute(
        "UPDATE attendance_passes SET failures = 0, locked_until = NULL WHERE employee_id = $1", employee_id
    )


async def issue_card(connection: Connection, employee_id: str) -> str:
    """What a new card says, shown once; the one before opens nothing any more."""
    card = CARD_PREFIX + secrets.token_urlsafe(_CARD_BYTES)
    await connection.execute(
        "INSERT INTO attendance_passes (employee_id, card_digest, card_issued_at) VALUES ($1, $2, NOW()) "
        "ON CONFLICT (employee_id) DO UPDATE SET card_digest = $2, card_issued_at = NOW()",
        employee_id,
        digest(card),
    )
    return card


async def end_card(connection: Connection, employee_id: str) -> bool:
    """Let somebody's card open nothing any more; False where there was none."""
    done = await connection.execute(
        "UPDATE attendance_passes SET card_digest = NULL, card_issued_at = NULL "
        "WHERE employee_id = $1 AND card_digest IS NOT NULL",
        employee_id,
    )
    return affected(done) == 1


async def holder_of(connection: Connection, card: str) -> str | None:
    """Whose card that is; None where it opens nothing."""
    found: str | None = await connection.fetchval(
        "SELECT employee_id FROM attendance_passes WHERE card_digest = $1", digest(card)
    )
    return found


async def delete_passes(connection: Connection, employee_id: str) -> bool:
    """Remove what somebody may check in by; whether there was a row."""
    return affected(await connection.execute("DELETE FROM attendance_passes WHERE employee_id = $1", employee_id)) == 1

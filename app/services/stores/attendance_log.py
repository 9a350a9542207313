"""The SQL of the attendance as people look at it: a day at a time, and what waits for somebody to confirm it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.services.database import Connection, Row
from app.types import AttendanceAction, AttendanceMethod, AttendanceState

_COLUMNS = (
    "l.id, l.event_id, l.employee_id, to_jsonb(e)->>'name' AS employee_name, l.camera_id, l.action, l.method, "
    "l.liveness, l.confidence, l.is_offline, l.state, l.happened_at, l.received_at, l.decided_by, l.decided_at "
    "FROM attendance_log l LEFT JOIN employees e ON e.id = l.employee_id"
)


@dataclass(frozen=True, slots=True)
class AttendanceEntry:
    """Somebody came or went. ``event_id`` is None while nobody confirmed it, and where its event was debounced."""

    id: int
    event_id: UUID | None
    employee_id: str
    employee_name: str | None
    camera_id: str
    action: AttendanceAction
    method: AttendanceMethod
    liveness: str
    confidence: float | None
    is_offline: bool
    state: AttendanceState
    happened_at: datetime
    received_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttendanceFilter:
    """Which entries; None leaves it open. ``since`` belongs to them, ``before`` does not."""

    since: datetime | None = None
    before: datetime | None = None
    employee_id: str | None = None
    state: AttendanceState | None = None


def _entry(row: Row) -> AttendanceEntry:
    kinds = {
        "action": AttendanceAction(row["action"]),
        "method": AttendanceMethod(row["method"]),
        "state": AttendanceState(row["state"]),
    }
    return AttendanceEntry(**{**row, **kinds})


async def list_entries(
    connection: Connection, wanted: AttendanceFilter, *, after: tuple[datetime, int] | None, limit: int
) -> list[AttendanceEntry]:
    """Entries by their moment, from behind ``after``, the moment and id of one, on."""
    moment, entry_id = after or (None, 0)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} WHERE ($1::timestamptz IS NULL OR l.happened_at >= $1) "  # constants
        "AND ($2::timestamptz IS NULL OR l.happened_at < $2) AND ($3::text IS NULL OR l.employee_id = $3) "
        "AND ($4::text IS NULL OR l.state = $4) AND ($5::timestamptz IS NULL OR (l.happened_at, l.id) > ($5, $6)) "
        "ORDER BY l.happened_at, l.id LIMIT $7",
        wanted.since,
        wanted.before,
        wanted.employee_id,
        wanted.state,
        moment,
        entry_id,
        limit,
    )
    return [_entry(row) for row in rows]


async def find_entry(connection: Connection, entry_id: int) -> AttendanceEntry | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} WHERE l.id = $1", entry_id)  # constants
    return _entry(row) if row else None


async def lock_entry(connection: Connection, entry_id: int) -> AttendanceEntry | None:
    """As ``find_entry``; nobody else decides on it until the transaction ends."""
    await connection.execute("SELECT 1 FROM attendance_log WHERE id = $1 FOR UPDATE", entry_id)
    return await find_entry(connection, entry_id)


async def decide_entry(
    connection: Connection, entry_id: int, state: AttendanceState, *, event_id: str | None, decided_by: str | None
) -> None:
    """Write what a person said of an entry."""
    await connection.execute(
        "UPDATE attendance_log SET state = $2, event_id = $3::uuid, decided_by = $4, decided_at = NOW() WHERE id = $1",
        entry_id,
        state,
        event_id,
        decided_by,
    )


async def delete_old_log(connection: Connection, *, days: int) -> None:
    """Remove entries of moments that lie more than ``days`` back."""
    await connection.execute("DELETE FROM attendance_log WHERE happened_at < NOW() - $1 * INTERVAL '1 day'", days)

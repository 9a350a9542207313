"""The SQL of stays. What says who a guest is lies sealed in one column; the others narrow lists and name nobody."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID

from app.core.stays.record import Record, StayField, StayKind, day_of, kind_of, missing_of
from app.services.database import Connection, Row, affected
from app.services.stores.sealed_details import SealedDetails

SEALED = SealedDetails("stays", "stay")
_LATEST_DAYS = 400
"""Behind the last change, whatever departure was written: a slip of the year keeps nobody for ever."""


@dataclass(frozen=True, slots=True)
class StoredStay:
    """A guest's record. ``id`` is for cursors alone; callers know the ``stay_id``."""

    id: int
    stay_id: UUID
    record: Record
    created_at: datetime
    created_by: str | None
    changed_at: datetime
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class StayFilter:
    """All that is set must hold.

    Attributes:
        arriving_on: the day of arrival.
        present_on: a day of the stay, that of arrival included and that of departure not.
    """

    kind: StayKind | None = None
    room_number: str | None = None
    complete: bool | None = None
    arriving_on: date | None = None
    present_on: date | None = None


async def insert_stay(connection: Connection, record: Record, *, created_by: str | None) -> StoredStay:
    """Write a stay; inside a transaction."""
    stay_id: int = await connection.fetchval("SELECT nextval(pg_get_serial_sequence('stays', 'id'))")
    columns = await _columns(connection, stay_id, record)
    rows = await connection.fetch(
        "INSERT INTO stays (id, kind, room_number, arrival, departure, is_complete, details, key_version, created_by, "
        "changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING *",
        stay_id,
        *columns,
        created_by,
    )
    return _stay(connection, rows[0])


async def update_stay(connection: Connection, stay_id: int, record: Record, *, changed_by: str | None) -> StoredStay:
    """Put a record in the place of another; inside a transaction that holds the row."""
    columns = await _columns(connection, stay_id, record)
    rows = await connection.fetch(
        "UPDATE stays SET kind = $2, room_number = $3, arrival = $4, departure = $5, is_complete = $6, details = $7, "
        "key_version = $8, changed_by = $9, changed_at = NOW() WHERE id = $1 RETURNING *",
        stay_id,
        *columns,
        changed_by,
    )
    return _stay(connection, rows[0])


async def _columns(connection: Connection, stay_id: int, record: Record) -> tuple[object, ...]:
    room = record.get("room_number")
    return (
        kind_of(record),
        room.value if room else None,
        day_of(record, "arrival"),
        day_of(record, "departure"),
        not missing_of(record),
        *await SEALED.seal(connection, stay_id, {name: asdict(field) for name, field in record.items()}),
    )


def _opened(connection: Connection, row: Row) -> Record:
    return {name: StayField(**field) for name, field in SEALED.open(connection, row).items()}


def _stay(connection: Connection, row: Row) -> StoredStay:
    return StoredStay(
        id=row["id"],
        stay_id=row["public_id"],
        record=_opened(connection, row),
        created_at=row["created_at"],
        created_by=row["created_by"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )


async def find_stay(connection: Connection, stay_id: UUID) -> StoredStay | None:
    row = await connection.fetchrow("SELECT * FROM stays WHERE public_id = $1", stay_id)
    return _stay(connection, row) if row else None


async def lock_stay(connection: Connection, stay_id: UUID) -> StoredStay | None:
    """As ``find_stay``, nobody else's to change until the transaction ends."""
    row = await connection.fetchrow("SELECT * FROM stays WHERE public_id = $1 FOR UPDATE", stay_id)
    return _stay(connection, row) if row else None


async def list_stays(
    connection: Connection, wanted: StayFilter, *, before_id: int | None, limit: int
) -> list[StoredStay]:
    """Stays, those written last first, with smaller ids than ``before_id``."""
    rows = await connection.fetch(
        "SELECT * FROM stays WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR room_number = $2) "
        "AND ($3::bool IS NULL OR is_complete = $3) AND ($4::date IS NULL OR arrival = $4) "
        "AND ($5::date IS NULL OR (arrival <= $5 AND (departure IS NULL OR departure > $5 OR arrival = $5))) "
        "AND ($6::bigint IS NULL OR id < $6) ORDER BY id DESC LIMIT $7",
        wanted.kind,
        wanted.room_number,
        wanted.complete,
        wanted.arriving_on,
        wanted.present_on,
        before_id,
        limit,
    )
    return [_stay(connection, row) for row in rows]


async def delete_stay(connection: Connection, stay_id: UUID) -> bool:
    """Whether there was one."""
    return affected(await connection.execute("DELETE FROM stays WHERE public_id = $1", stay_id)) == 1


async def delete_past_stays(connection: Connection, *, days: int) -> int:
    """Erase the stays that ended, or where nobody knows that were changed last, more than ``days`` ago; how many."""
    status = await connection.execute(
        "DELETE FROM stays WHERE LEAST(COALESCE(departure, changed_at::date), changed_at::date + $2::int) "
        "< CURRENT_DATE - $1::int",
        days,
        _LATEST_DAYS,
    )
    return affected(status)

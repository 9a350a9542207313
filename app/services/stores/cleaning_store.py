"""The SQL of cleanings: when somebody began and ended, and what that teaches. Its times are PostgreSQL's alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection, Row

# A start without a stop is forgotten after that; a stop so soon was a slip of the finger. Neither teaches anything.
LONGEST_MIN = 240
_SHORTEST_MIN = 2
_LEARNT_FROM = 50  # the newest of a type, so that what has changed is learnt
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Cleaning:
    """A cleaning; ``stopped_at`` is None while it goes on. ``room_type`` is empty where none was named."""

    room_number: str
    room_type: str
    started_at: datetime
    started_by: str | None
    stopped_at: datetime | None
    stopped_by: str | None


@dataclass(frozen=True, slots=True)
class CleaningTime:
    """What the newest cleanings of a type of room took: the middle one and the ninth of ten, in minutes."""

    room_type: str
    cleanings: int
    median_minutes: int
    slow_minutes: int


async def find_open(connection: Connection, room_number: str) -> Cleaning | None:
    """The cleaning that goes on in a room, unless it was forgotten."""
    row = await connection.fetchrow(
        "SELECT * FROM room_cleanings WHERE room_number = $1 AND stopped_at IS NULL "
        "AND started_at > NOW() - $2 * INTERVAL '1 minute'",
        room_number,
        LONGEST_MIN,
    )
    return _cleaning(row) if row else None


async def start(connection: Connection, room_number: str, *, room_type: str, started_by: str | None) -> Cleaning:
    """A new cleaning; one that was forgotten in this room ends."""
    await connection.execute(
        "UPDATE room_cleanings SET stopped_at = NOW() WHERE room_number = $1 AND stopped_at IS NULL", room_number
    )
    [row] = await connection.fetch(
        "INSERT INTO room_cleanings (room_number, room_type, started_by) VALUES ($1, $2, $3) RETURNING *",
        room_number,
        room_type,
        started_by,
    )
    return _cleaning(row)


async def stop(connection: Connection, room_number: str, *, stopped_by: str | None) -> Cleaning:
    """End the cleaning that goes on in a room."""
    [row] = await connection.fetch(
        "UPDATE room_cleanings SET stopped_at = NOW(), stopped_by = $2 "
        "WHERE room_number = $1 AND stopped_at IS NULL RETURNING *",
        room_number,
        stopped_by,
    )
    return _cleaning(row)


async def learnt_times(connection: Connection, *, room_type: str | None = None) -> list[CleaningTime]:
    """What was learnt, by type of room; of ``room_type`` alone where it is given. Too few cleanings teach nothing."""
    rows = await connection.fetch(
        "SELECT room_type, count(*) AS cleanings, "
        "ceil(percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes))::int AS median_minutes, "
        "ceil(percentile_cont(0.9) WITHIN GROUP (ORDER BY minutes))::int AS slow_minutes "
        "FROM (SELECT *, row_number() OVER (PARTITION BY room_type ORDER BY id DESC) AS age FROM ("
        "SELECT id, room_type, extract(epoch FROM stopped_at - started_at) / 60 AS minutes FROM room_cleanings "
        "WHERE stopped_at IS NOT NULL AND ($1::text IS NULL OR room_type = $1)) AS ended "
        "WHERE minutes >= $2 AND minutes < $3) AS counted WHERE age <= $4 "
        "GROUP BY room_type HAVING count(*) >= $5 ORDER BY room_type",
        room_type,
        _SHORTEST_MIN,
        LONGEST_MIN,
        _LEARNT_FROM,
        _FEWEST,
    )
    return [CleaningTime(**row) for row in rows]


async def delete_old_cleanings(connection: Connection, *, days: int) -> None:
    await connection.execute("DELETE FROM room_cleanings WHERE started_at < NOW() - $1 * INTERVAL '1 day'", days)


def _cleaning(row: Row) -> Cleaning:
    return Cleaning(**{name: row[name] for name in Cleaning.__slots__})

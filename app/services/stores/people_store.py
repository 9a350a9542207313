"""The SQL of who is enrolled: people with what the hotel's table says of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection, Row
from app.services.stores.folding import folded_sql
from app.utils.text_folding import folded

# Through JSON, because the hotel's own table may lack what ours has beside the name.
_PEOPLE = (
    "SELECT f.employee_id, to_jsonb(e)->>'name' AS name, to_jsonb(e)->>'department' AS department, "
    "to_jsonb(e)->>'position' AS position, count(*) AS templates, min(f.enrolled_at) AS enrolled_at, "
    "max(f.enrolled_at) AS last_enrolled_at FROM employee_faces f JOIN employees e ON e.id = f.employee_id "
    "WHERE f.is_active"
)
_NAME, _DEPARTMENT = folded_sql("to_jsonb(e)->>'name'"), folded_sql("to_jsonb(e)->>'department'")
_GROUPS = " GROUP BY f.employee_id, e.* "


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """A person with at least one active template."""

    employee_id: str
    name: str | None
    department: str | None
    position: str | None
    templates: int
    enrolled_at: datetime
    last_enrolled_at: datetime


def _person(row: Row) -> EnrolledPerson:
    return EnrolledPerson(**row)


async def list_people(
    connection: Connection, *, name: str | None, department: str | None, after: str, limit: int
) -> list[EnrolledPerson]:
    """People by id, from behind ``after`` on.

    Args:
        name: a part of it, in any case and without marks; ``department`` likewise, but the whole.
    """
    rows = await connection.fetch(
        f"{_PEOPLE} AND f.employee_id > $1 "
        f"AND ($2::text IS NULL OR position($2 in {_NAME}) > 0) "
        f"AND ($3::text IS NULL OR {_DEPARTMENT} = $3) "
        f"{_GROUPS} ORDER BY f.employee_id LIMIT $4",
        after,
        folded(name) if name else None,
        folded(department) if department else None,
        limit,
    )
    return [_person(row) for row in rows]


async def find_person(connection: Connection, employee_id: str) -> EnrolledPerson | None:
    row = await connection.fetchrow(f"{_PEOPLE} AND f.employee_id = $1 {_GROUPS}", employee_id)
    return _person(row) if row else None


async def ids_in_other_case(connection: Connection, employee_id: str) -> list[str]:
    """Enrolled ids that differ from this one in nothing but case; none where it is enrolled itself."""
    rows = await connection.fetch(
        "SELECT DISTINCT employee_id FROM employee_faces WHERE is_active AND lower(employee_id) = lower($1) "
        "AND NOT EXISTS (SELECT FROM employee_faces WHERE is_active AND employee_id = $1) LIMIT 5",
        employee_id,
    )
    return [row["employee_id"] for row in rows]

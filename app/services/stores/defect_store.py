"""The SQL of defects: what is broken in a room, as a ticket with a state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.services.database import Connection, Row


class DefectState(StrEnum):
    """``DISMISSED``: it was none, or nothing will be done."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    DISMISSED = "dismissed"


LIVE = (DefectState.OPEN, DefectState.IN_PROGRESS)
"""In these states a room has each defect once."""


@dataclass(frozen=True, slots=True)
class ReportedDefect:
    """What somebody reports; ``photo`` counts from 0 among the photos of the analysis that the report names."""

    label: str
    note: str | None
    photo: int | None


@dataclass(frozen=True, slots=True)
class Defect:
    """A ticket. ``id`` is for cursors; callers know the ``defect_id``.

    ``photo_key`` shows it, a crop where the analysis saw something of that label; None without a photo, or once that is
    erased.
    """

    id: int
    defect_id: UUID
    room_number: str
    label: str
    note: str | None
    state: DefectState
    analysis_id: int | None
    photo_key: str | None
    reported_at: datetime
    reported_by: str | None
    changed_at: datetime
    changed_by: str | None


async def report_defect(
    connection: Connection,
    room_number: str,
    defect: ReportedDefect,
    *,
    analysis_id: int | None,
    reported_by: str | None,
) -> None:
    """Open a ticket; one that is live already takes the new note and photo."""
    await connection.execute(
        "INSERT INTO room_defects AS known (room_number, label, note, analysis_id, photo, reported_by) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (room_number, label) WHERE state IN ('open', 'in_progress') "
        "DO UPDATE SET note = COALESCE(EXCLUDED.note, known.note), changed_at = NOW(), changed_by = $6, "
        "analysis_id = CASE WHEN EXCLUDED.photo IS NULL THEN known.analysis_id ELSE EXCLUDED.analysis_id END, "
        "photo = COALESCE(EXCLUDED.photo, known.photo)",
        room_number,
        defect.label,
        defect.note,
        analysis_id,
        defect.photo,
        reported_by,
    )


_DEFECTS = (
    "SELECT defects.*, details.photo_keys, details.crop_keys, details.evidence FROM room_defects AS defects "
    "LEFT JOIN room_analysis_details AS details USING (analysis_id) "
)


async def find_defect(connection: Connection, defect_id: UUID) -> Defect | None:
    row = await connection.fetchrow(f"{_DEFECTS} WHERE public_id = $1", defect_id)
    return _defect(row) if row else None


async def list_defects(
    connection: Connection, *, room_number: str | None, state: DefectState | None, before: int | None, limit: int
) -> list[Defect]:
    """Tickets, newest first, with smaller ids than ``before``."""
    rows = await connection.fetch(
        f"{_DEFECTS} WHERE ($1::text IS NULL OR room_number = $1) AND ($2::text IS NULL OR state = $2) "
        "AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        room_number,
        state,
        before,
        limit,
    )
    return [_defect(row) for row in rows]


async def is_live(connection: Connection, room_number: str, label: str, *, beside: int) -> bool:
    """Whether a ticket other than ``beside`` is live for the same."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM room_defects WHERE room_number = $1 AND label = $2 AND id <> $3 "
            "AND state IN ('open', 'in_progress'))",
            room_number,
            label,
            beside,
        )
    )


async def change_defect(
    connection: Connection, defect_id: UUID, *, state: DefectState, note: str | None, changed_by: str | None
) -> None:
    await connection.execute(
        "UPDATE room_defects SET state = $2, note = $3, changed_at = NOW(), changed_by = $4 WHERE public_id = $1",
        defect_id,
        state,
        note,
        changed_by,
    )


async def delete_old_defects(connection: Connection, *, days: int) -> None:
    """Erase tickets that ended so long ago."""
    await connection.execute(
        "DELETE FROM room_defects WHERE state IN ('done', 'dismissed') AND changed_at < NOW() - $1 * INTERVAL '1 day'",
        days,
    )


def _defect(row: Row) -> Defect:
    return Defect(
        id=row["id"],
        defect_id=row["public_id"],
        room_number=row["room_number"],
        label=row["label"],
        note=row["note"],
        state=DefectState(row["state"]),
        analysis_id=row["analysis_id"],
        photo_key=_photo_key(row),
        reported_at=row["reported_at"],
        reported_by=row["reported_by"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )


def _photo_key(row: Row) -> str | None:
    number, keys = row["photo"], row["photo_keys"] or []
    if number is None or number >= len(keys):
        return None
    seen = row["evidence"].get(row["label"], {})
    if seen.get("photo") == number and "crop" in seen:
        crop: str = row["crop_keys"][seen["crop"]]
        return crop
    photo: str = keys[number]
    return photo

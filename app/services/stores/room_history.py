"""The SQL that reads a room's analyses back, each with the one that decided something before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection, Row
from app.services.stores.room_store import NewAnalysis


@dataclass(frozen=True, slots=True)
class LoggedAnalysis(NewAnalysis):
    """An analysis as it was written down, with the corrections that people gave; without photos and crops once they
    are erased. ``before_id`` is the analysis of this room before it that decided something."""

    id: int
    analyzed_at: datetime
    analyzed_by: str | None
    corrected_to: str | None
    before_id: int | None


_ANALYSES = (
    "SELECT log.*, details.depth, details.uncertain, details.checklist, details.image_ids, details.photo_keys, "
    "details.crop_keys, details.evidence, details.views, details.changes, order_of.before_id, "
    "(SELECT status FROM room_feedback AS said WHERE said.analysis_id = log.id ORDER BY said.id DESC LIMIT 1) "
    "AS corrected_to FROM (SELECT id, max(id) FILTER (WHERE overall_status <> 'unknown') "
    "OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_id "
    "FROM room_analysis_logs WHERE room_number = $1) AS order_of JOIN room_analysis_logs AS log USING (id) "
    "LEFT JOIN room_analysis_details AS details ON details.analysis_id = log.id "
)


async def list_analyses(
    connection: Connection, room_number: str, *, before: int | None, limit: int
) -> list[LoggedAnalysis]:
    """A room's analyses, newest first, those older than the id ``before``."""
    rows = await connection.fetch(
        f"{_ANALYSES} WHERE $2::bigint IS NULL OR log.id < $2 ORDER BY log.id DESC LIMIT $3",
        room_number,
        before,
        limit,
    )
    return [_analysis(row) for row in rows]


async def find_analyses(connection: Connection, room_number: str, ids: Sequence[int]) -> list[LoggedAnalysis]:
    """Those analyses of this room."""
    rows = await connection.fetch(f"{_ANALYSES} WHERE log.id = ANY($2)", room_number, list(ids))
    return [_analysis(row) for row in rows]


def _analysis(row: Row) -> LoggedAnalysis:
    return LoggedAnalysis(
        id=row["id"],
        overall_status=row["overall_status"],
        ready_for_guest=row["ready_for_guest"],
        uncertain=bool(row["uncertain"]),
        confidence=row["confidence"],
        tags=row["tags"] or [],
        checklist=row["checklist"] or {},
        cleaning_minutes=row["estimated_cleaning_time"],
        depth=row["depth"] or "",
        image_ids=row["image_ids"] or [],
        photo_keys=row["photo_keys"] or [],
        crop_keys=row["crop_keys"] or [],
        evidence=row["evidence"] or {},
        views=row["views"] or [],
        changes=row["changes"] or [],
        analyzed_at=row["analyzed_at"],
        analyzed_by=row["analyzed_by"],
        corrected_to=row["corrected_to"],
        before_id=row["before_id"],
    )

"""The SQL of false alarms. Every function runs on the caller's connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.services.database import Connection, affected


async def note_false_alarm(connection: Connection, incident_id: int, *, actor: str) -> bool:
    """Note that nothing had happened; False if that was said before, or there is no such incident."""
    status = await connection.execute(
        "UPDATE anomaly_incidents SET false_alarm_at = NOW(), false_alarm_by = $2 "
        "WHERE id = $1 AND false_alarm_at IS NULL",
        incident_id,
        actor,
    )
    return affected(status) == 1


async def take_back_false_alarm(connection: Connection, incident_id: int) -> bool:
    """False if it was none."""
    status = await connection.execute(
        "UPDATE anomaly_incidents SET false_alarm_at = NULL, false_alarm_by = NULL "
        "WHERE id = $1 AND false_alarm_at IS NOT NULL",
        incident_id,
    )
    return affected(status) == 1


async def newest_frames(connection: Connection, incident_id: int, *, limit: int) -> list[str]:
    """The objects of its newest stored frames."""
    rows = await connection.fetch(
        "SELECT COALESCE(max(original_key), frame_key) AS key, max(detection_id) AS newest FROM incident_detections "
        "WHERE incident_id = $1 AND frame_key IS NOT NULL GROUP BY frame_key ORDER BY newest DESC LIMIT $2",
        incident_id,
        limit,
    )
    return [row["key"] for row in rows]


async def drop_places(connection: Connection, incident_id: int) -> None:
    """Forget the places that an incident is known by."""
    await connection.execute("DELETE FROM usual_places WHERE incident_id = $1", incident_id)


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """An incident that was none, and the views of its camera's frame that it is known by."""

    incident_id: int
    incident_public_id: UUID
    anomaly_type: str
    told_by: str
    told_at: datetime
    views: list[int]


async def false_alarms_of(connection: Connection, camera_id: str, *, limit: int) -> list[FalseAlarm]:
    """The false alarms that still hold something back at a camera, newest first."""
    rows = await connection.fetch(
        "SELECT i.id AS incident_id, i.public_id AS incident_public_id, i.anomaly_type, i.false_alarm_by AS told_by, "
        "i.false_alarm_at AS told_at, array_agg(DISTINCT p.view ORDER BY p.view) AS views "
        "FROM usual_places p JOIN anomaly_incidents i ON i.id = p.incident_id "
        "WHERE p.camera_id = $1 AND i.false_alarm_at IS NOT NULL "
        "GROUP BY i.id ORDER BY i.false_alarm_at DESC, i.id DESC LIMIT $2",
        camera_id,
        limit,
    )
    return [FalseAlarm(**row) for row in rows]


async def count_places(connection: Connection, incident_id: int) -> int:
    """How many places are known by an incident."""
    return int(await connection.fetchval("SELECT count(*) FROM usual_places WHERE incident_id = $1", incident_id))


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """A stored frame of an incident that people have closed, and whether it was a false alarm."""

    key: str
    anomaly_type: str
    false_alarm: bool


async def judged_frames(connection: Connection, *, of_each: int) -> list[JudgedFrame]:
    """The newest frames of every incident that people resolved or called a false alarm, so many of each."""
    rows = await connection.fetch(
        "SELECT frame.key, i.anomaly_type, i.false_alarm_at IS NOT NULL AS false_alarm FROM anomaly_incidents i, "
        "LATERAL (SELECT frame_key AS key FROM incident_detections WHERE incident_id = i.id AND frame_key IS NOT NULL "
        "GROUP BY frame_key ORDER BY max(detection_id) DESC LIMIT $1) AS frame "
        "WHERE i.false_alarm_at IS NOT NULL OR i.resolved_at IS NOT NULL ORDER BY i.id",
        of_each,
    )
    return [JudgedFrame(**row) for row in rows]

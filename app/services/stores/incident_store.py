"""The SQL of detections and incidents. Every function runs on the caller's connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.services.database import Connection, Row, affected
from app.types import Severity

_COLUMNS = (
    "i.id, i.public_id, i.camera_id, i.anomaly_type, i.zone, i.origin, i.severity, i.confidence, i.description, "
    "i.started_at, i.last_seen_at, i.ended_at, i.alerted_at, i.acknowledged_at, i.acknowledged_by, i.resolved_at, "
    "i.resolved_by, i.escalated_at, i.clip_key, i.original_clip_key, i.false_alarm_at, i.false_alarm_by"
)
_SELECT = (
    f"SELECT {_COLUMNS}, "  # noqa: S608
    "(SELECT count(*) FROM incident_detections d WHERE d.incident_id = i.id) AS detections, "
    "(SELECT d.frame_key FROM incident_detections d WHERE d.incident_id = i.id AND d.frame_key IS NOT NULL "
    "ORDER BY d.detection_id DESC LIMIT 1) AS frame_key, "
    "(SELECT d.marked_key FROM incident_detections d WHERE d.incident_id = i.id AND d.marked_key IS NOT NULL "
    "ORDER BY d.detection_id LIMIT 1) AS marked_key FROM anomaly_incidents i "
)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went on at a camera. ``frame_key`` is the newest stored frame's object, ``marked_key`` that of the
    frame that decided, with its boxes; ``original_clip_key`` of the clip with all faces, where ``clip_key`` has not."""

    id: int
    public_id: UUID
    camera_id: str
    anomaly_type: str
    zone: str | None
    origin: str
    severity: str
    confidence: float
    description: str
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    alerted_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    escalated_at: datetime | None
    clip_key: str | None
    original_clip_key: str | None
    false_alarm_at: datetime | None
    false_alarm_by: str | None
    detections: int
    frame_key: str | None
    marked_key: str | None


@dataclass(frozen=True, slots=True)
class FrameKeys:
    """Objects of one frame: as it is shown, with boxes, and with all faces."""

    shown: str
    marked: str | None = None
    original: str | None = None

    def present(self) -> list[str]:
        """Those that there are."""
        return [key for key in (self.shown, self.marked, self.original) if key is not None]


@dataclass(frozen=True, slots=True)
class IncidentKey:
    """How an incident is named; ``public_id`` tells nobody how many there are."""

    id: int
    public_id: UUID


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are listed; None stands for any."""

    camera_id: str | None = None
    anomaly_type: str | None = None
    resolved: bool | None = None


def _incident(row: Row) -> Incident:
    return Incident(**row)


async def lock_incidents(connection: Connection, camera_id: str) -> None:
    """Wait until no other transaction begins or joins incidents of this camera; held until this one ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('incidents:' || $1, 0))", camera_id)


async def find_current(
    connection: Connection, camera_id: str, anomaly_type: str, *, zone: str | None, seen_at: datetime, within: timedelta
) -> IncidentKey | None:
    """The incident that a detection belongs to: still going on, or over or resolved no longer than ``within``."""
    found = await connection.fetchrow(
        "SELECT id, public_id FROM anomaly_incidents WHERE camera_id = $1 AND anomaly_type = $2 "
        "AND zone IS NOT DISTINCT FROM $3 AND last_seen_at >= $4 AND (resolved_at IS NULL OR resolved_at >= $4) "
        "ORDER BY id DESC LIMIT 1",
        camera_id,
        anomaly_type,
        zone,
        seen_at - within,
    )
    return IncidentKey(**found) if found else None


async def insert_incident(
    connection: Connection,
    camera_id: str,
    anomaly_type: str,
    *,
    zone: str | None,
    origin: str,
    severity: str,
    confidence: float,
    description: str,
    seen_at: datetime,
    alerted: bool = True,
) -> IncidentKey:
    """Begin an incident; ``alerted``: its alert goes out in the same transaction."""
    [row] = await connection.fetch(
        "INSERT INTO anomaly_incidents (camera_id, anomaly_type, zone, origin, severity, confidence, description, "
        "started_at, last_seen_at, alerted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) RETURNING id, public_id",
        camera_id,
        anomaly_type,
        zone,
        origin,
        severity,
        confidence,
        description,
        seen_at,
        seen_at if alerted else None,
    )
    return IncidentKey(**row)


async def number_of(connection: Connection, public_id: UUID) -> int | None:
    """The number of the incident of that public id."""
    found = await connection.fetchval("SELECT id FROM anomaly_incidents WHERE public_id = $1", public_id)
    return None if found is None else int(found)


async def join_incident(
    connection: Connection,
    incident_id: int,
    *,
    severity: Severity,
    confidence: float,
    seen_at: datetime,
    may_alert: bool,
) -> bool:
    """Note that it was seen again, and take back that it had ended; it is as severe as it ever was.

    Args:
        may_alert: whether an alert that was held back so far may go out now.

    Returns:
        Whether it has to go out in this transaction.
    """
    row = await connection.fetchrow(
        "WITH old AS (SELECT alerted_at FROM anomaly_incidents WHERE id = $1 FOR UPDATE) "
        "UPDATE anomaly_incidents i SET last_seen_at = GREATEST(i.last_seen_at, $2), "
        "confidence = GREATEST(i.confidence, $3), ended_at = NULL, "
        "alerted_at = CASE WHEN $4 THEN COALESCE(i.alerted_at, $2) ELSE i.alerted_at END, "
        "severity = ($5::text[])[GREATEST(array_position($5::text[], i.severity::text), $6)] "
        "FROM old WHERE i.id = $1 RETURNING old.alerted_at IS NULL AND i.alerted_at IS NOT NULL AS is_due",
        incident_id,
        seen_at,
        confidence,
        may_alert,
        list(Severity),
        list(Severity).index(severity) + 1,
    )
    return bool(row and row["is_due"])


async def end_quiet_incidents(connection: Connection, *, quiet: timedelta) -> None:
    """Note that what has not been seen for ``quiet`` is over: it ended when it was seen last."""
    await connection.execute(
        "UPDATE anomaly_incidents SET ended_at = last_seen_at "
        "WHERE ended_at IS NULL AND last_seen_at < NOW() - $1::interval",
        quiet,
    )


async def insert_detection(
    connection: Connection,
    camera_id: str,
    anomaly_type: str,
    *,
    confidence: float,
    severity: str,
    location: Mapping[str, int] | None,
    image_url: str | None,
    frame: FrameKeys | None,
    incident_id: int | None,
    alert_sent: bool,
    seen_at: datetime,
) -> int:
    """Write a detection into the spec's table, and beside it what it belongs to."""
    detection_id = int(
        await connection.fetchval(
            "INSERT INTO anomaly_detections (camera_id, anomaly_type, confidence, severity, location, image_url, "
            "detected_at, alert_sent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            camera_id,
            anomaly_type,
            confidence,
            severity,
            dict(location) if location else None,
            image_url,
            seen_at,
            alert_sent,
        )
    )
    await connection.execute(
        "INSERT INTO incident_detections (detection_id, incident_id, frame_key, marked_key, original_key, seen_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        detection_id,
        incident_id,
        frame and frame.shown,
        frame and frame.marked,
        frame and frame.original,
        seen_at,
    )
    return detection_id


async def attach_frame(connection: Connection, detection_id: int, *, image_url: str, frame: FrameKeys) -> None:
    """Give a detection the frame that was stored after it."""
    await connection.execute("UPDATE anomaly_detections SET image_url = $2 WHERE id = $1", detection_id, image_url)
    await connection.execute(
        "UPDATE incident_detections SET frame_key = $2, marked_key = $3, original_key = $4 WHERE detection_id = $1",
        detection_id,
        frame.shown,
        frame.marked,
        frame.original,
    )


async def attach_clip(connection: Connection, incident_id: int, clip_key: str, *, original_key: str | None) -> bool:
    """Give an incident its clip; False if it has one, or there is no such incident."""
    status = await connection.execute(
        "UPDATE anomaly_incidents SET clip_key = $2, original_clip_key = $3 WHERE id = $1 AND clip_key IS NULL",
        incident_id,
        clip_key,
        original_key,
    )
    return affected(status) == 1


async def drop_clip(connection: Connection, incident_id: int) -> list[str]:
    """Take an incident's clips out of the records; their objects are the caller's to remove."""
    return await _drop_clips(connection, "id = $1", incident_id)


async def drop_old_clips(connection: Connection, *, days: int, limit: int) -> list[str]:
    """Take clips older than ``days`` out of the records; their objects are the caller's to remove."""
    return await _drop_clips(connection, "started_at < NOW() - $1 * INTERVAL '1 day' LIMIT $2", days, limit)


async def _drop_clips(connection: Connection, which: str, *values: int) -> list[str]:
    rows = await connection.fetch(
        "WITH old AS (SELECT id, clip_key, original_clip_key FROM anomaly_incidents "  # noqa: S608  # constants only
        f"WHERE clip_key IS NOT NULL AND {which} FOR UPDATE SKIP LOCKED) "
        "UPDATE anomaly_incidents i SET clip_key = NULL, original_clip_key = NULL FROM old WHERE i.id = old.id "
        "RETURNING old.clip_key, old.original_clip_key",
        *values,
    )
    return [key for row in rows for key in row.values() if key is not None]


async def find_incident(connection: Connection, incident_id: int) -> Incident | None:
    row = await connection.fetchrow(_SELECT + "WHERE i.id = $1", incident_id)
    return _incident(row) if row else None


async def list_incidents(connection: Connection, wanted: IncidentFilter, *, before: int, limit: int) -> list[Incident]:
    """Incidents with smaller ids than ``before``, newest first."""
    rows = await connection.fetch(
        _SELECT + "WHERE i.id < $1 AND ($2::text IS NULL OR i.camera_id = $2) "
        "AND ($3::text IS NULL OR i.anomaly_type = $3) "
        "AND ($4::boolean IS NULL OR (i.resolved_at IS NOT NULL) = $4) ORDER BY i.id DESC LIMIT $5",
        before,
        wanted.camera_id,
        wanted.anomaly_type,
        wanted.resolved,
        limit,
    )
    return [_incident(row) for row in rows]


async def acknowledge_incident(connection: Connection, incident_id: int, *, actor: str) -> bool:
    """Note who saw it; False if somebody did before, or there is none."""
    return (
        affected(
            await connection.execute(
                "UPDATE anomaly_incidents SET acknowledged_at = NOW(), acknowledged_by = $2 "
                "WHERE id = $1 AND acknowledged_at IS NULL",
                incident_id,
                actor,
            )
        )
        == 1
    )


async def resolve_incident(connection: Connection, incident_id: int, *, actor: str) -> bool:
    """Close it and all its detections; False if that was done before, or there is none."""
    status = await connection.execute(
        "UPDATE anomaly_incidents SET resolved_at = NOW(), resolved_by = $2, "
        "acknowledged_at = COALESCE(acknowledged_at, NOW()), acknowledged_by = COALESCE(acknowledged_by, $2) "
        "WHERE id = $1 AND resolved_at IS NULL",
        incident_id,
        actor,
    )
    await connection.execute(
        "UPDATE anomaly_detections SET resolved_at = NOW(), resolved_by = $2 WHERE resolved_at IS NULL "
        "AND id IN (SELECT detection_id FROM incident_detections WHERE incident_id = $1)",
        incident_id,
        actor,
    )
    return affected(status) == 1


async def drop_frames(connection: Connection, incident_id: int) -> list[FrameKeys]:
    """Take the frames of an incident out of the records, also where they show another; their objects are the caller's
    to remove."""
    return await _drop_frames(
        connection,
        "frame_key IN (SELECT frame_key FROM incident_detections WHERE incident_id = $1 AND frame_key IS NOT NULL)",
        incident_id,
    )


async def drop_old_frames(connection: Connection, *, days: int, limit: int) -> list[FrameKeys]:
    """Take frames older than ``days`` out of the records; their objects are the caller's to remove."""
    which = "frame_key IS NOT NULL AND seen_at < NOW() - $1 * INTERVAL '1 day' LIMIT $2 FOR UPDATE SKIP LOCKED"
    return await _drop_frames(connection, which, days, limit)


async def _drop_frames(connection: Connection, which: str, *values: int) -> list[FrameKeys]:
    """Each frame once, with all that one of its detections kept of it."""
    rows = await connection.fetch(
        "WITH old AS (SELECT detection_id, frame_key, marked_key, original_key "  # noqa: S608  # constants only
        f"FROM incident_detections WHERE {which}), "
        "bare AS (UPDATE anomaly_detections SET image_url = NULL WHERE id IN (SELECT detection_id FROM old)), "
        "gone AS (UPDATE incident_detections d SET frame_key = NULL, marked_key = NULL, original_key = NULL "
        "FROM old WHERE d.detection_id = old.detection_id RETURNING old.*) "
        "SELECT frame_key, max(marked_key) AS marked_key, max(original_key) AS original_key FROM gone "
        "GROUP BY frame_key ORDER BY frame_key",
        *values,
    )
    return [FrameKeys(*row.values()) for row in rows]


@dataclass(frozen=True, slots=True)
class OriginalFrame:
    """A frame with all faces. ``key``: of its object."""

    detection_id: int
    seen_at: datetime
    key: str


async def original_frames(connection: Connection, incident_id: int, *, limit: int) -> list[OriginalFrame]:
    """The newest frames of an incident as its camera saw them, newest first."""
    rows = await connection.fetch(
        "SELECT max(detection_id) AS detection_id, max(seen_at) AS seen_at, "
        "COALESCE(max(original_key), frame_key) AS key FROM incident_detections "
        "WHERE incident_id = $1 AND frame_key IS NOT NULL GROUP BY frame_key ORDER BY 1 DESC LIMIT $2",
        incident_id,
        limit,
    )
    return [OriginalFrame(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class AlertedDetection:
    """The detection whose alert nobody has acknowledged."""

    incident: Incident
    detection_id: int
    location: Mapping[str, int] | None
    image_url: str | None


async def begin_escalations(connection: Connection, *, after: timedelta, limit: int) -> list[AlertedDetection]:
    """Take incidents whose alert is older than ``after`` and that nobody has acknowledged; each once."""
    taken = await connection.fetch(
        "UPDATE anomaly_incidents SET escalated_at = NOW() WHERE id IN ("
        "SELECT id FROM anomaly_incidents WHERE alerted_at < NOW() - $1::interval AND acknowledged_at IS NULL "
        "AND resolved_at IS NULL AND escalated_at IS NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
        after,
        limit,
    )
    found = []
    for row in taken:
        incident = await find_incident(connection, row["id"])
        detection = await connection.fetchrow(
            "SELECT a.id, a.location, a.image_url FROM anomaly_detections a "
            "JOIN incident_detections d ON d.detection_id = a.id "
            "WHERE d.incident_id = $1 AND a.alert_sent ORDER BY a.id DESC LIMIT 1",
            row["id"],
        )
        if incident and detection:
            found.append(AlertedDetection(incident, detection["id"], detection["location"], detection["image_url"]))
    return found


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about an incident."""

    id: int
    text: str
    written_by: str
    written_at: datetime


async def add_note(connection: Connection, incident_id: int, text: str, *, actor: str, most: int) -> bool:
    """Keep a note; False where the incident has ``most`` already."""
    status = await connection.execute(
        "INSERT INTO incident_notes (incident_id, text, written_by) SELECT $1, $2, $3 "
        "WHERE (SELECT count(*) FROM incident_notes WHERE incident_id = $1) < $4",
        incident_id,
        text,
        actor,
        most,
    )
    return affected(status) == 1


async def list_notes(connection: Connection, incident_id: int) -> list[Note]:
    """The notes of an incident, oldest first; ``add_note`` bounds them."""
    rows = await connection.fetch(
        "SELECT id, text, written_by, written_at FROM incident_notes WHERE incident_id = $1 ORDER BY id", incident_id
    )
    return [Note(**row) for row in rows]

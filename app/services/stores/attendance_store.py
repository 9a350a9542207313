"""The SQL of attendance: one statement decides, writes and answers for a person who comes or goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.services.database import Connection
from app.services.stores.audit import origin
from app.services.stores.face_matrix import FACES
from app.services.stores.face_store import Identity
from app.services.stores.matrix_store import unseen
from app.services.stores.outbox import OutboxEvent
from app.types import AttendanceAction, AttendanceMethod, AttendanceState
from app.utils import metrics

# Moments of the last events of a person and camera, beside the newest: two kilobytes a row. A device that sends one
# sighting twice, with more events than these in between, makes two of it.
_MARKS_KEPT = 255

# Coming and going are debounced apart from each other.
_MARKS = {AttendanceAction.CHECK_IN: "attendance_marks", AttendanceAction.CHECK_OUT: "attendance_exits"}

# Who is known by a face counts while the template does, and if whoever looked had seen every change.
_BY_TEMPLATE = """
    SELECT f.employee_id, e.name FROM known, employee_faces f JOIN employees e ON e.id = f.employee_id
    WHERE f.vector_id = $1 AND f.employee_id = $2 AND f.is_active AND NOT known.is_behind
"""
_BY_NUMBER = "SELECT e.id AS employee_id, e.name FROM employees e WHERE e.id = $2 AND $1::text IS NULL"

# The mark is the right to the one event of a window around a moment: two statements that ask at once wait for each
# other on its row.
_RECORD = f"""
WITH known AS MATERIALIZED (
    SELECT {unseen(FACES, "$3::text")} AS is_behind
), person AS MATERIALIZED (
    PERSON
), mark AS (
    INSERT INTO MARKS AS m (employee_id, camera_id, event_id, marked_at)
    SELECT employee_id, $4, $6::uuid, COALESCE($14, NOW()) FROM person WHERE $6::uuid IS NOT NULL
    ON CONFLICT (employee_id, camera_id) DO UPDATE SET event_id = EXCLUDED.event_id, marked_at = EXCLUDED.marked_at,
        earlier = (m.earlier || m.marked_at)[GREATEST(1, cardinality(m.earlier) + 2 - {_MARKS_KEPT}):]
    WHERE NOT EXISTS (SELECT FROM unnest(m.earlier || m.marked_at) AS other
        WHERE other > EXCLUDED.marked_at - $5::interval AND other < EXCLUDED.marked_at + $5::interval)
    RETURNING employee_id
), event AS (
    INSERT INTO event_outbox (event_id, event_type, event_key, payload, occurred_at)
    SELECT $6::uuid, $7, employee_id, $8::jsonb || jsonb_build_object('employee_name', name), $9
    FROM mark JOIN person USING (employee_id)
    RETURNING event_id
), logged AS (
    INSERT INTO attendance_log (event_id, employee_id, camera_id, action, method, liveness, confidence, is_offline,
        state, happened_at, received_at)
    SELECT $6::uuid, employee_id, $4, $16, $17, $18, $19, $20, $21, COALESCE($14, NOW()), NOW() FROM person
    WHERE $21::text = 'unconfirmed' OR $21::text = 'counted' AND EXISTS (SELECT FROM mark)
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO audit_log (action, subject, actor, request_id, key_id, details)
    SELECT $15, employee_id, $10, $11, $12, $13::jsonb FROM person
)
SELECT known.is_behind, person.employee_id, person.name,
    (SELECT count(pg_notify('cv_outbox', '')) FROM event) AS events
FROM known LEFT JOIN person ON TRUE
"""  # noqa: S608  # constants only
_RECORDS = {
    (action, has_template): _RECORD.replace("MARKS", marks).replace("PERSON", person)
    for action, marks in _MARKS.items()
    for has_template, person in ((True, _BY_TEMPLATE), (False, _BY_NUMBER))
}


@dataclass(frozen=True, slots=True)
class SeenTemplate:
    """By which template somebody was recognised, and what its gallery had seen; no snapshot: that is not asked. Without
    a template the person is known by something else."""

    vector_id: str | None
    employee_id: str
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What the log of attendance has of a sighting.

    Attributes:
        confidence: calibrated match probability; None where no face decided.
        is_offline: a device kept it while it had no connection.
        state: None where the log has the sighting already.
    """

    method: AttendanceMethod
    liveness: str
    confidence: float | None
    is_offline: bool
    state: AttendanceState | None


@dataclass(frozen=True, slots=True)
class WrittenSighting:
    """What came of a sighting. Without ``identity`` nothing was written: the template counts no more, or, with
    ``is_behind``, there are changes that the gallery had not seen."""

    identity: Identity | None
    is_behind: bool
    has_event: bool


async def write_sighting(
    connection: Connection,
    template: SeenTemplate,
    *,
    camera_id: str,
    action: AttendanceAction,
    moment: datetime | None,
    window: timedelta,
    event: OutboxEvent | None,
    entry: LogEntry,
    audit_action: str,
    actor: str | None,
    details: Mapping[str, object],
) -> WrittenSighting:
    """Write the audit row, and the event with its line of the log unless one was written within ``window`` of the
    moment. An unconfirmed line is written without an event, once a moment.

    Sightings may come in any order, hours late: none counts that is nearer than the window to any of the last events
    of this person, camera and action.

    Args:
        moment: None is now, by the database's clock, in which replicas with wrong clocks agree.
        event: without the person's name, which is read here; None where this sighting may not become one.
        details: of the audit.
    """
    request_id, key_id = origin()
    row = await connection.fetchrow(
        _RECORDS[action, template.vector_id is not None],
        template.vector_id,
        template.employee_id,
        template.snapshot,
        camera_id,
        window,
        event.event_id if event else None,
        event.event_type if event else None,
        dict(event.body) if event else None,
        event.occurred_at if event else None,
        actor,
        request_id,
        key_id,
        dict(details),
        moment,
        audit_action,
        action,
        entry.method,
        entry.liveness,
        entry.confidence,
        entry.is_offline,
        entry.state,
    )
    if row is None or row["employee_id"] is None:
        return WrittenSighting(None, is_behind=bool(row and row["is_behind"]), has_event=False)
    if row["events"] and event:
        metrics.events_total.labels(event.event_type).inc()
    return WrittenSighting(Identity(row["employee_id"], row["name"]), is_behind=False, has_event=bool(row["events"]))

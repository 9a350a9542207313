"""What is stored about one person, wherever it is, and the consents that people gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.services.database import Connection
from app.services.stores.pass_store import Passes, find_passes

# What else bears the id: as a signature of whoever did it, or in what a job or a webhook left.
_OTHERS = {
    "images": "image_metadata WHERE uploaded_by = $1",
    "room_analyses": "room_analysis_logs WHERE analyzed_by = $1",
    "room_corrections": "room_feedback WHERE given_by = $1",
    "room_cleanings": "room_cleanings WHERE $1 IN (started_by, stopped_by)",
    "room_references": "room_references WHERE set_by = $1",
    "room_defects": "room_defects WHERE $1 IN (reported_by, changed_by)",
    "documents": "ocr_results WHERE processed_by = $1",
    "claims": "lost_claims WHERE $1 IN (created_by, changed_by)",
    "attendance_decisions": "attendance_log WHERE decided_by = $1",
    "stays": "stays WHERE $1 IN (created_by, changed_by)",
    "enrolments": "employee_faces WHERE enrolled_by = $1",
    "incidents": "anomaly_incidents WHERE $1 IN (acknowledged_by, resolved_by)",
    "incident_notes": "incident_notes WHERE written_by = $1",
    "job_items": "job_items WHERE outcome->>'employee_id' = $1",
    "undelivered_events": "webhook_dead_letters WHERE payload->>'employee_id' = $1",
}
_COUNTS = ", ".join(f"(SELECT count(*) FROM {where}) AS {name}" for name, where in _OTHERS.items())  # noqa: S608


@dataclass(frozen=True, slots=True)
class Consent:
    """That a person agreed, on which day, and to which text."""

    given_on: date
    text_version: str


@dataclass(frozen=True, slots=True)
class RecordedConsent:
    given_on: date
    text_version: str
    recorded_at: datetime
    recorded_by: str | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What our own ``employees`` table holds."""

    name: str | None
    department: str | None
    position: str | None


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """A face template without its vector; ``has_picture``: its crop is kept."""

    vector_id: str
    model_id: str | None
    image_angle: str | None
    quality_score: float | None
    enrolled_at: datetime
    enrolled_by: str | None
    is_active: bool
    has_picture: bool


@dataclass(frozen=True, slots=True)
class AttendanceRecord:
    """That somebody came or went at a camera; without an event nobody confirmed it."""

    camera_id: str
    action: str
    event_id: UUID | None
    marked_at: datetime


@dataclass(frozen=True, slots=True)
class EventRecord:
    event_id: UUID
    event_type: str
    occurred_at: datetime
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    at: datetime
    action: str
    subject: str
    actor: str | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """Everything; ``others`` counts what else bears the person's id. Lists are newest first."""

    person: PersonRow | None
    templates: tuple[TemplateRecord, ...]
    consents: tuple[RecordedConsent, ...]
    passes: Passes | None
    attendance: tuple[AttendanceRecord, ...]
    events: tuple[EventRecord, ...]
    audit: tuple[AuditRecord, ...]
    others: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        lists = (self.templates, self.consents, self.attendance, self.events, self.audit)
        return self.person is None and self.passes is None and not any(lists) and not any(self.others.values())


async def add_consent(connection: Connection, employee_id: str, consent: Consent, *, recorded_by: str | None) -> None:
    await connection.execute(
        "INSERT INTO face_consents (employee_id, given_on, text_version, recorded_by) VALUES ($1, $2, $3, $4)",
        employee_id,
        consent.given_on,
        consent.text_version,
        recorded_by,
    )


async def delete_consents(connection: Connection, employee_id: str) -> None:
    await connection.execute("DELETE FROM face_consents WHERE employee_id = $1", employee_id)


async def person_record(connection: Connection, employee_id: str, *, owns_employees: bool, limit: int) -> PersonRecord:
    """All of a person, at most ``limit`` entries a list.

    Args:
        owns_employees: whether ``employees`` is our table, and not the hotel's.
    """
    person = await connection.fetchrow(
        "SELECT name, department, position FROM employees WHERE id = $1 AND $2", employee_id, owns_employees
    )
    templates = await connection.fetch(
        "SELECT f.vector_id, t.model_id, f.image_angle, f.quality_score, f.enrolled_at, f.enrolled_by, f.is_active, "
        "t.crop_key IS NOT NULL AS has_picture FROM employee_faces f LEFT JOIN face_templates t "
        "USING (employee_id, vector_id) WHERE f.employee_id = $1 ORDER BY f.id DESC LIMIT $2",
        employee_id,
        limit,
    )
    consents = await connection.fetch(
        "SELECT given_on, text_version, recorded_at, recorded_by FROM face_consents WHERE employee_id = $1 "
        "ORDER BY id DESC LIMIT $2",
        employee_id,
        limit,
    )
    attendance = await connection.fetch(
        "SELECT camera_id, action, event_id, happened_at AS marked_at FROM attendance_log WHERE employee_id = $1 "
        # The newest marks are older than the log where nobody came since there is one.
        "UNION ALL SELECT camera_id, 'check_in' AS action, event_id, marked_at FROM attendance_marks m "
        "WHERE employee_id = $1 AND NOT EXISTS (SELECT FROM attendance_log l WHERE l.event_id = m.event_id) "
        "UNION ALL SELECT camera_id, 'check_out' AS action, event_id, marked_at FROM attendance_exits m "
        "WHERE employee_id = $1 AND NOT EXISTS (SELECT FROM attendance_log l WHERE l.event_id = m.event_id) "
        "ORDER BY marked_at DESC LIMIT $2",
        employee_id,
        limit,
    )
    events = await connection.fetch(
        "SELECT event_id, event_type, occurred_at, payload FROM event_outbox WHERE payload->>'employee_id' = $1 "
        "ORDER BY id DESC LIMIT $2",
        employee_id,
        limit,
    )
    audit = await connection.fetch(
        "SELECT at, action, subject, actor, details FROM audit_log WHERE subject = $1 OR actor = $1 "
        "OR details->>'employee_id' = $1 OR details->'employee_ids' ? $1 ORDER BY id DESC LIMIT $2",
        employee_id,
        limit,
    )
    others = await connection.fetchrow(f"SELECT {_COUNTS}", employee_id)  # constants only
    return PersonRecord(
        person=PersonRow(**person) if person else None,
        templates=tuple(TemplateRecord(**row) for row in templates),
        consents=tuple(RecordedConsent(**row) for row in consents),
        passes=await find_passes(connection, employee_id),
        attendance=tuple(AttendanceRecord(**row) for row in attendance),
        events=tuple(EventRecord(**row) for row in events),
        audit=tuple(AuditRecord(**row) for row in audit),
        others=dict(others or {}),
    )

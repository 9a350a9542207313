"""What is stored about a person, as it is exported."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import ConfigDict, Field

from app.models.common import Moment, Response
from app.services.stores.privacy_store import PersonRecord
from app.types import AttendanceAction
from app.utils import clock
from app.workflows.privacy import MAX_ENTRIES

_MOMENT = "2025-01-10T10:00:00.000Z"


class ExportedPerson(Response):
    """Where the service keeps its own table of people."""

    name: str | None
    department: str | None
    position: str | None


class ExportedTemplate(Response):
    """A face template. The numbers themselves are no use to anybody but a matcher, and stay here."""

    vector_id: str
    model_id: str | None
    image_angle: str | None
    quality_score: float | None
    enrolled_at: Moment
    enrolled_by: str | None
    is_active: bool
    has_picture: bool = Field(description="The cut-out face is kept, too (FACE_KEEP_CROPS)")


class ExportedConsent(Response):
    """What the person agreed to."""

    given_on: date
    text_version: str
    recorded_at: Moment
    recorded_by: str | None


class ExportedPasses(Response):
    """Since when there is a PIN or a card to check in by; what they say nobody can read."""

    pin_set_at: Moment | None
    card_issued_at: Moment | None


class ExportedAttendance(Response):
    """That somebody came or went at a camera, as long as it is kept here; without an event nobody confirmed it."""

    camera_id: str
    action: AttendanceAction
    event_id: UUID | None
    marked_at: Moment


class ExportedEvent(Response):
    """An event that tells of the person, as long as it is kept here."""

    event_id: UUID
    event_type: str
    occurred_at: Moment
    payload: dict[str, object]


class ExportedAuditEntry(Response):
    """What was done to the person's data, or by somebody who signed with the person's id."""

    at: Moment
    action: str
    subject: str
    actor: str | None
    details: dict[str, object]


class PersonExportResponse(Response):
    """Everything that is stored about a person, newest first. `complete` is false where a list is cut off."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "exported_at": "2025-01-17T15:00:00.000Z",
                "complete": True,
                "person": {"name": "Nguyen Van A", "department": "reception", "position": "receptionist"},
                "templates": [
                    {
                        "vector_id": "vec_66a025bf923a44a79974748b34ade17b",
                        "model_id": "sface-2021dec",
                        "image_angle": "frontal",
                        "quality_score": 0.95,
                        "enrolled_at": _MOMENT,
                        "enrolled_by": "HR01",
                        "is_active": True,
                        "has_picture": False,
                    }
                ],
                "consents": [
                    {
                        "given_on": "2025-01-10",
                        "text_version": "2025-01 vi",
                        "recorded_at": _MOMENT,
                        "recorded_by": "HR01",
                    }
                ],
                "passes": {"pin_set_at": _MOMENT, "card_issued_at": _MOMENT},
                "attendance": [
                    {
                        "camera_id": "cam_lobby_01",
                        "action": "check_in",
                        "event_id": "0d9f7a3e-2f7b-4c62-9d5e-8f0f4f1f7f10",
                        "marked_at": _MOMENT,
                    }
                ],
                "events": [
                    {
                        "event_id": "0d9f7a3e-2f7b-4c62-9d5e-8f0f4f1f7f10",
                        "event_type": "attendance.events",
                        "occurred_at": _MOMENT,
                        "payload": {"employee_id": "EMP001", "camera_id": "cam_lobby_01", "action": "check_in"},
                    }
                ],
                "audit": [
                    {
                        "at": _MOMENT,
                        "action": "face.enroll",
                        "subject": "EMP001",
                        "actor": "HR01",
                        "details": {"templates": 1, "consent": "2025-01 vi"},
                    }
                ],
                "others": {"images": 3, "room_analyses": 12},
            }
        },
    )

    employee_id: str
    exported_at: Moment
    complete: bool
    person: ExportedPerson | None
    templates: list[ExportedTemplate]
    consents: list[ExportedConsent]
    passes: ExportedPasses | None
    attendance: list[ExportedAttendance]
    events: list[ExportedEvent]
    audit: list[ExportedAuditEntry]
    others: dict[str, int] = Field(description="How many other records bear the id, most as a signature, by kind")

    @classmethod
    def of(cls, employee_id: str, record: PersonRecord) -> PersonExportResponse:
        lists = (record.templates, record.consents, record.attendance, record.events, record.audit)
        return cls(
            employee_id=employee_id,
            exported_at=clock.now(),
            complete=all(len(entries) < MAX_ENTRIES for entries in lists),
            person=ExportedPerson.like(record.person) if record.person else None,
            templates=[ExportedTemplate.like(entry) for entry in record.templates],
            consents=[ExportedConsent.like(entry) for entry in record.consents],
            passes=ExportedPasses.like(record.passes) if record.passes else None,
            attendance=[ExportedAttendance.like(entry) for entry in record.attendance],
            events=[ExportedEvent.like(entry) for entry in record.events],
            audit=[ExportedAuditEntry.like(entry) for entry in record.audit],
            others=dict(record.others),
        )

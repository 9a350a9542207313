"""Attendance: one event a person, camera and window, however many frames, requests and replicas see them.

The window lies around the moment at which the picture was taken, so what a device kept while it was offline counts as
if it had been sent at once. A moment that cannot be right is replaced by the database's clock.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.liveness import LivenessProof
from app.services.database import Connection, Database
from app.services.stores import face_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import Identity
from app.services.stores.outbox import publish_event
from app.types import shown
from app.utils import clock

_MAX_AHEAD = timedelta(minutes=5)  # a client's clock that nobody sets may be this fast


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person recognised at a camera.

    Attributes:
        confidence: calibrated match probability.
        taken_at: the client's moment, reported in event and audit beside ours; None where it named none.
        liveness: how it was shown that the person is alive.
    """

    identity: Identity
    confidence: float
    camera_id: str
    taken_at: datetime | None
    liveness: LivenessProof


@dataclass(frozen=True, slots=True)
class AttendanceRules:
    """The settings that decide: the window, how old a client's moment may be, whether an unchecked face counts."""

    debounce: timedelta
    max_age: timedelta
    needs_liveness: bool


class AttendanceBook:
    """Writes attendance events. The row in PostgreSQL decides."""

    def __init__(self, *, database: Database, rules: AttendanceRules) -> None:
        self._database = database
        self._rules = rules

    async def record(self, sighting: Sighting, *, actor: str | None) -> tuple[str | None, tuple[str, ...]]:
        """Write the event unless one was written for about that moment, and the audit row in any case.

        Returns:
            The event's id, or None with the reason as a warning. ``clock_skew`` warns that the client's moment was
            not believed, whatever came of it.
        """
        received_at = clock.now()
        warnings: tuple[str, ...] = () if self._believes(sighting.taken_at, received_at) else ("clock_skew",)
        if self._rules.needs_liveness and sighting.liveness is LivenessProof.NONE:
            async with self._database.connection() as connection:
                await _audit(connection, sighting, actor, received_at)
            return None, (*warnings, "attendance_needs_liveness")
        event_id = str(uuid.uuid4())
        async with self._database.transaction() as connection:
            due = await face_store.mark_attendance(
                connection,
                sighting.identity.employee_id,
                sighting.camera_id,
                window=self._rules.debounce,
                event_id=event_id,
                moment=None if warnings else sighting.taken_at,
            )
            if due:
                await _publish(connection, sighting, event_id, received_at)
            await _audit(connection, sighting, actor, received_at)
        return (event_id, warnings) if due else (None, (*warnings, "attendance_debounced"))

    def _believes(self, taken_at: datetime | None, received_at: datetime) -> bool:
        return taken_at is None or received_at - self._rules.max_age <= taken_at <= received_at + _MAX_AHEAD


async def _publish(connection: Connection, sighting: Sighting, event_id: str, received_at: datetime) -> None:
    await publish_event(
        connection,
        "attendance.events",
        {
            "employee_id": sighting.identity.employee_id,
            "employee_name": sighting.identity.name,
            "timestamp": clock.iso(sighting.taken_at or received_at),
            "received_at": clock.iso(received_at),
            "camera_id": sighting.camera_id,
            "confidence": shown(sighting.confidence),
            "liveness_checked": sighting.liveness is not LivenessProof.NONE,
            "liveness": sighting.liveness.value,
            "action": "check_in",
        },
        key=sighting.identity.employee_id,
        occurred_at=received_at,
        event_id=event_id,
    )


async def _audit(connection: Connection, sighting: Sighting, actor: str | None, received_at: datetime) -> None:
    await add_audit_entry(
        connection,
        "face.recognize",
        subject=sighting.identity.employee_id,
        actor=actor,
        details={
            "camera_id": sighting.camera_id,
            "confidence": shown(sighting.confidence),
            "liveness": sighting.liveness.value,
            "taken_at": clock.iso(sighting.taken_at or received_at),
        },
    )

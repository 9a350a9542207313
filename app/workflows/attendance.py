"""Attendance: one event a person, camera and window, however many frames, requests and replicas see them.

The window lies around the moment at which the picture was taken, so what a device kept while it was offline counts as
if it had been sent at once. A moment that cannot be right is replaced by the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.liveness import LivenessProof
from app.services.database import Connection, Database
from app.services.stores import attendance_store
from app.services.stores.attendance_store import SeenTemplate, WrittenSighting
from app.services.stores.face_store import Identity
from app.services.stores.fences import is_fenced, pass_fence
from app.services.stores.outbox import OutboxEvent, new_event
from app.types import shown
from app.utils import clock

_MAX_AHEAD = timedelta(minutes=5)  # a client's clock that nobody sets may be this fast


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person recognised at a camera.

    Attributes:
        template: by which they were recognised.
        confidence: calibrated match probability.
        taken_at: the client's moment, reported in event and audit beside ours; None where it named none.
        liveness: how it was shown that the person is alive.
    """

    template: SeenTemplate
    confidence: float
    camera_id: str
    taken_at: datetime | None
    liveness: LivenessProof


@dataclass(frozen=True, slots=True)
class Attendance:
    """What was written down. Without ``identity`` that is nothing, because the gallery that the person was found in
    was not what PostgreSQL has. Without ``event_id`` the warnings say why; ``clock_skew`` warns that the client's
    moment was not believed, whatever came of it."""

    identity: Identity | None
    event_id: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttendanceRules:
    """The settings that decide: the window, how old a client's moment may be, whether an unchecked face counts."""

    debounce: timedelta
    max_age: timedelta
    needs_liveness: bool


class AttendanceBook:
    """Writes attendance events; PostgreSQL decides which are due."""

    def __init__(self, *, database: Database, rules: AttendanceRules) -> None:
        self._database = database
        self._rules = rules

    async def record(self, sighting: Sighting, *, actor: str | None) -> Attendance:
        """Write the event unless one was written for about that moment, and the audit row in any case: all in one
        statement."""
        received_at = clock.now()
        is_believed = self._believes(sighting.taken_at, received_at)
        may_count = sighting.liveness is not LivenessProof.NONE or not self._rules.needs_liveness
        event = _event(sighting, received_at) if may_count else None
        moment = sighting.taken_at if is_believed else None
        if is_fenced():
            async with self._database.transaction() as connection:
                written = await self._write(connection, sighting, event, actor, moment, received_at)
                if written.identity is not None:
                    await pass_fence(connection, sighting.template.employee_id)
        else:
            async with self._database.connection() as connection:
                written = await self._write(connection, sighting, event, actor, moment, received_at)
        warnings = () if is_believed else ("clock_skew",)
        if event is not None and written.has_event:
            return Attendance(written.identity, event.event_id, warnings)
        reason = "attendance_debounced" if may_count else "attendance_needs_liveness"
        return Attendance(written.identity, None, (*warnings, reason))

    def _believes(self, taken_at: datetime | None, received_at: datetime) -> bool:
        return taken_at is None or received_at - self._rules.max_age <= taken_at <= received_at + _MAX_AHEAD

    async def _write(
        self,
        connection: Connection,
        sighting: Sighting,
        event: OutboxEvent | None,
        actor: str | None,
        moment: datetime | None,
        received_at: datetime,
    ) -> WrittenSighting:
        return await attendance_store.write_sighting(
            connection,
            sighting.template,
            camera_id=sighting.camera_id,
            moment=moment,
            window=self._rules.debounce,
            event=event,
            actor=actor,
            details={
                "camera_id": sighting.camera_id,
                "confidence": shown(sighting.confidence),
                "liveness": sighting.liveness.value,
                "taken_at": clock.iso(sighting.taken_at or received_at),
            },
        )


def _event(sighting: Sighting, received_at: datetime) -> OutboxEvent:
    return new_event(
        "attendance.events",
        {
            "employee_id": sighting.template.employee_id,
            "timestamp": clock.iso(sighting.taken_at or received_at),
            "received_at": clock.iso(received_at),
            "camera_id": sighting.camera_id,
            "confidence": shown(sighting.confidence),
            "liveness_checked": sighting.liveness is not LivenessProof.NONE,
            "liveness": sighting.liveness.value,
            "action": "check_in",
        },
        occurred_at=received_at,
    )

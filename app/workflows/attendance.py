"""Attendance: one event a person, camera, action and window, however many frames, requests and replicas see them.

The window lies around the moment at which the picture was taken, so what a device kept while it was offline counts as
if it had been sent at once. A moment that cannot be right is replaced by the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.liveness import LivenessProof
from app.services.database import Connection, Database
from app.services.stores import attendance_store
from app.services.stores.attendance_store import LogEntry, SeenTemplate, WrittenSighting
from app.services.stores.face_store import Identity
from app.services.stores.fences import is_fenced, pass_fence
from app.services.stores.outbox import OutboxEvent, new_event
from app.types import AttendanceAction, AttendanceMethod, AttendanceState, shown
from app.utils import clock

_MAX_AHEAD = timedelta(minutes=5)  # a client's clock that nobody sets may be this fast

# The audit's word for each way; it was that of recognition alone before there were others.
_AUDIT_ACTIONS = {
    AttendanceMethod.FACE: "face.recognize",
    AttendanceMethod.PIN: "attendance.pin",
    AttendanceMethod.CARD: "attendance.card",
}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person who comes or goes, at a camera.

    Attributes:
        template: by which they were recognised.
        confidence: calibrated match probability; None where no face decided.
        taken_at: the client's moment, reported in event and audit beside ours; None where it named none.
        liveness: how it was shown that the person is alive.
        action: whether the person comes or goes.
        method: by what the person is known.
        is_offline: a device kept it while it had no connection.
        is_doubted: liveness had to be shown and could not be, so a person decides whether it counts.
    """

    template: SeenTemplate
    confidence: float | None
    camera_id: str
    taken_at: datetime | None
    liveness: LivenessProof
    action: AttendanceAction = AttendanceAction.CHECK_IN
    method: AttendanceMethod = AttendanceMethod.FACE
    is_offline: bool = False
    is_doubted: bool = False


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
        statement. What only a person can let count is written for them to see, without an event."""
        received_at = clock.now()
        is_believed = self._believes(sighting.taken_at, received_at)
        is_shown = sighting.liveness is not LivenessProof.NONE or sighting.method is not AttendanceMethod.FACE
        may_count = is_shown or not self._rules.needs_liveness
        is_unconfirmed = sighting.is_doubted or (sighting.is_offline and not may_count)
        event = _event(sighting, received_at) if may_count and not is_unconfirmed else None
        moment = sighting.taken_at if is_believed else None
        if is_fenced():
            async with self._database.transaction() as connection:
                written = await self._write(connection, sighting, event, actor, moment, received_at, is_unconfirmed)
                if written.identity is not None:
                    await pass_fence(connection, sighting.template.employee_id)
        else:
            async with self._database.connection() as connection:
                written = await self._write(connection, sighting, event, actor, moment, received_at, is_unconfirmed)
        warnings = () if is_believed else ("clock_skew",)
        if event is not None and written.has_event:
            return Attendance(written.identity, event.event_id, warnings)
        if is_unconfirmed:
            reason = "attendance_unconfirmed"
        else:
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
        is_unconfirmed: bool,
    ) -> WrittenSighting:
        counted = AttendanceState.COUNTED if event is not None else None
        return await attendance_store.write_sighting(
            connection,
            sighting.template,
            camera_id=sighting.camera_id,
            action=sighting.action,
            moment=moment,
            window=self._rules.debounce,
            event=event,
            entry=LogEntry(
                method=sighting.method,
                liveness=sighting.liveness.value,
                confidence=_shown(sighting.confidence),
                is_offline=sighting.is_offline,
                state=AttendanceState.UNCONFIRMED if is_unconfirmed else counted,
            ),
            audit_action=_AUDIT_ACTIONS[sighting.method],
            actor=actor,
            details={
                "camera_id": sighting.camera_id,
                "confidence": _shown(sighting.confidence),
                "liveness": sighting.liveness.value,
                "taken_at": clock.iso(sighting.taken_at or received_at),
            },
        )


def _shown(confidence: float | None) -> float | None:
    return None if confidence is None else shown(confidence)


def _event(sighting: Sighting, received_at: datetime) -> OutboxEvent:
    return attendance_event(
        employee_id=sighting.template.employee_id,
        taken_at=sighting.taken_at or received_at,
        received_at=received_at,
        camera_id=sighting.camera_id,
        confidence=_shown(sighting.confidence),
        liveness=sighting.liveness,
        action=sighting.action,
        method=sighting.method,
        is_offline=sighting.is_offline,
    )


def attendance_event(
    *,
    employee_id: str,
    taken_at: datetime,
    received_at: datetime,
    camera_id: str,
    confidence: float | None,
    liveness: LivenessProof,
    action: AttendanceAction,
    method: AttendanceMethod,
    is_offline: bool,
    confirmed_by: str | None = None,
) -> OutboxEvent:
    """The event of one coming or going, without the person's name.

    Args:
        confirmed_by: who let it count, where that was for a person to say.
    """
    body: dict[str, object] = {
        "employee_id": employee_id,
        "timestamp": clock.iso(taken_at),
        "received_at": clock.iso(received_at),
        "camera_id": camera_id,
        "confidence": confidence,
        "liveness_checked": liveness is not LivenessProof.NONE,
        "liveness": liveness.value,
        "action": action.value,
        "method": method.value,
        "offline": is_offline,
    }
    if confirmed_by is not None:
        body["confirmed_by"] = confirmed_by
    return new_event("attendance.events", body, occurred_at=received_at)

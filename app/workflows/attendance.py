"""Attendance: one event a person, camera and window, however many frames, requests and replicas see them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.errors import BackendUnavailable
from app.services.cache import Cache, attendance_key
from app.services.database import Connection, Database
from app.services.stores import face_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import Identity
from app.services.stores.outbox import publish_event
from app.types import shown
from app.utils import clock


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person recognised at a camera.

    Attributes:
        confidence: calibrated match probability.
        taken_at: the client's moment, told on in the event beside ours.
        liveness_checked: whether a liveness check was passed.
    """

    identity: Identity
    confidence: float
    camera_id: str
    taken_at: datetime
    liveness_checked: bool


@dataclass(frozen=True, slots=True)
class AttendanceRules:
    """The settings that decide: the window, and whether an unchecked face counts."""

    debounce: timedelta
    needs_liveness: bool


class AttendanceBook:
    """Writes attendance events. The row in PostgreSQL decides; Redis only saves the look at it."""

    def __init__(self, *, database: Database, cache: Cache, rules: AttendanceRules) -> None:
        self._database = database
        self._cache = cache
        self._rules = rules

    async def record(self, sighting: Sighting, *, actor: str | None) -> tuple[str | None, tuple[str, ...]]:
        """Write the event unless one was written a moment ago, and the audit row in any case.

        Returns:
            The event's id, or None with the reason as a warning.
        """
        if self._rules.needs_liveness and not sighting.liveness_checked:
            await self._audit_alone(sighting, actor)
            return None, ("attendance_needs_liveness",)
        if await self._is_known_to_be_written(sighting):
            await self._audit_alone(sighting, actor)
            return None, ("attendance_debounced",)
        event_id = str(uuid.uuid4())
        async with self._database.transaction() as connection:
            due = await face_store.mark_attendance(
                connection,
                sighting.identity.employee_id,
                sighting.camera_id,
                window=self._rules.debounce,
                event_id=event_id,
            )
            if due:
                await _publish(connection, sighting, event_id)
            await _audit(connection, sighting, actor)
        if not due:
            return None, ("attendance_debounced",)
        await self._remember_written(sighting)
        return event_id, ()

    async def _is_known_to_be_written(self, sighting: Sighting) -> bool:
        try:
            until_s = await self._cache.get_member(attendance_key(sighting.identity.employee_id), sighting.camera_id)
        except BackendUnavailable:
            return False
        return until_s is not None and time.time() < float(until_s)

    async def _remember_written(self, sighting: Sighting) -> None:
        window_s = self._rules.debounce.total_seconds()
        if window_s <= 0:
            return
        key = attendance_key(sighting.identity.employee_id)
        try:
            await self._cache.set_member(key, sighting.camera_id, f"{time.time() + window_s:.3f}", ttl_s=window_s)
        except BackendUnavailable:
            return

    async def _audit_alone(self, sighting: Sighting, actor: str | None) -> None:
        async with self._database.connection() as connection:
            await _audit(connection, sighting, actor)


async def _publish(connection: Connection, sighting: Sighting, event_id: str) -> None:
    received_at = clock.now()
    await publish_event(
        connection,
        "attendance.events",
        {
            "employee_id": sighting.identity.employee_id,
            "employee_name": sighting.identity.name,
            "timestamp": clock.iso(sighting.taken_at),
            "received_at": clock.iso(received_at),
            "camera_id": sighting.camera_id,
            "confidence": shown(sighting.confidence),
            "liveness_checked": sighting.liveness_checked,
            "action": "check_in",
        },
        key=sighting.identity.employee_id,
        occurred_at=received_at,
        event_id=event_id,
    )


async def _audit(connection: Connection, sighting: Sighting, actor: str | None) -> None:
    await add_audit_entry(
        connection,
        "face.recognize",
        subject=sighting.identity.employee_id,
        actor=actor,
        details={"camera_id": sighting.camera_id, "confidence": shown(sighting.confidence)},
    )

"""The alarm panel: cameras armed, disarmed and muted; test alarms; alerts repeated that nobody acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.errors import InvalidInput, NotFound
from app.services.database import Database
from app.services.stores import camera_store, incident_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.camera_store import CameraRecord
from app.types import Severity
from app.utils import clock
from app.utils.logging import logger
from app.workflows.safety.alerts import ESCALATED_LEVEL, Alert
from app.workflows.safety.incidents import Incident, Origin

__all__ = ["AlarmChange", "AlarmPanel", "CameraRecord"]

_ESCALATED_AT_ONCE = 100
_TEST_TYPE = "test"


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """Which cameras, and what becomes of their alarms. Neither ids nor a group: all cameras.

    ``armed`` False: intruders raise no alarm; fire, smoke and water do. ``mute_minutes``: no alert of any type goes out
    for that long, 0 ends it; what is still seen afterwards is alerted then. None leaves things as they are.
    """

    camera_ids: tuple[str, ...] | None
    group: str | None
    armed: bool | None
    mute_minutes: int | None


class AlarmPanel:
    """Alarms of cameras over PostgreSQL.

    Args:
        escalate_after: how old an alert becomes before it is repeated at a higher level; zero repeats none.
    """

    def __init__(self, *, database: Database, escalate_after: timedelta) -> None:
        self._database = database
        self._escalate_after = escalate_after

    async def change(self, change: AlarmChange, *, actor: str) -> Sequence[CameraRecord]:
        """Arm, disarm or mute; it holds from the next frame on, on every replica.

        Returns:
            The cameras that were meant, by id.

        Raises:
            NotFound: one of the cameras, or all of the group, do not exist.
        """
        async with self._database.transaction() as connection:
            changed = await camera_store.set_alarms(
                connection,
                camera_ids=change.camera_ids,
                group=change.group,
                armed=change.armed,
                mute_minutes=change.mute_minutes,
            )
            missing = sorted(set(change.camera_ids or ()) - {camera.id for camera in changed})
            if missing:
                raise NotFound(f"There is no camera {missing[0]}.", code="camera_not_found")
            if change.group is not None and not changed:
                raise NotFound(f"There is no camera in the group {change.group}.", code="camera_group_not_found")
            details = {"armed": change.armed, "mute_minutes": change.mute_minutes}
            for camera in changed:
                await add_audit_entry(connection, "camera.alarms", subject=camera.id, actor=actor, details=details)
        return changed

    async def test(self, camera_id: str, *, actor: str) -> Incident:
        """Raise an alarm that everybody can tell from a real one; it goes the whole way, muted or not.

        Raises:
            NotFound: there is no such camera.
        """
        now = clock.now()
        async with self._database.transaction() as connection:
            if await camera_store.find_camera(connection, camera_id) is None:
                raise NotFound(f"There is no camera {camera_id}.", code="camera_not_found")
            severity, confidence = Severity.LOW.value, 1.0
            description = f"Test alarm by {actor}; nothing has happened."
            key = await incident_store.insert_incident(
                connection,
                camera_id,
                _TEST_TYPE,
                zone=None,
                origin=Origin.TEST.value,
                severity=severity,
                confidence=confidence,
                description=description,
                seen_at=now,
            )
            detection_id = await incident_store.insert_detection(
                connection,
                camera_id,
                _TEST_TYPE,
                confidence=confidence,
                severity=severity,
                location=None,
                image_url=None,
                frame=None,
                incident_id=key.id,
                alert_sent=True,
                seen_at=now,
            )
            alert = Alert(
                incident_id=key.id,
                incident_public_id=key.public_id,
                detection_id=detection_id,
                camera_id=camera_id,
                anomaly_type=_TEST_TYPE,
                confidence=confidence,
                severity=severity,
                description=description,
                location=None,
                zone=None,
                image_url=None,
                taken_at=now,
                seen_at=now,
                origin=Origin.TEST.value,
            )
            await alert.publish(connection, occurred_at=now)
            await add_audit_entry(connection, "camera.test_alarm", subject=camera_id, actor=actor)
            incident = await incident_store.find_incident(connection, key.id)
        if incident is None:
            raise InvalidInput("The test alarm was removed while it was made.", code="incident_not_found")
        return incident

    async def escalate(self) -> None:
        """Repeat, once and at level 2, each alert that nobody has acknowledged in time."""
        if not self._escalate_after:
            return
        async with self._database.transaction() as connection:
            due = await incident_store.begin_escalations(
                connection, after=self._escalate_after, limit=_ESCALATED_AT_ONCE
            )
            now = clock.now()
            for one in due:
                incident = one.incident
                alert = Alert(
                    incident_id=incident.id,
                    incident_public_id=incident.public_id,
                    detection_id=one.detection_id,
                    camera_id=incident.camera_id,
                    anomaly_type=incident.anomaly_type,
                    confidence=incident.confidence,
                    severity=incident.severity,
                    description=incident.description,
                    location=one.location,
                    zone=incident.zone,
                    image_url=one.image_url,
                    taken_at=incident.started_at,
                    seen_at=incident.last_seen_at,
                    origin=incident.origin,
                    level=ESCALATED_LEVEL,
                )
                await alert.publish(connection, occurred_at=now)
        for one in due:
            logger.warning("incident_escalated", incident=one.incident.id, camera=one.incident.camera_id)

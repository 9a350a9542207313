"""Writes detections down, joins them to incidents and raises alerts; lists, acknowledges and resolves incidents.

One alert an incident: the event is in the outbox exactly when the incident's row exists. An alert never waits
long for the object store: a frame that takes too long is stored behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.errors import BackendUnavailable, Conflict, NotFound
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import camera_store, incident_store
from app.services.stores.audit import add_audit_entry, add_looks
from app.services.stores.camera_store import AlarmState
from app.services.stores.fences import pass_fence
from app.services.stores.incident_store import Incident, IncidentFilter, IncidentKey, Note, OriginalFrame
from app.services.stores.removals import Kind, schedule_removals
from app.types import Reference
from app.utils import clock, metrics
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.announcements import announced
from app.workflows.safety.alerts import Alert
from app.workflows.safety.evidence import Evidence, Finding, FramePictures, Origin, Recorded
from app.workflows.safety.frame_objects import FrameObjects
from app.workflows.safety.late_frames import LateFrame, LateFrames
from app.workflows.safety.rules import ABOUT_PEOPLE

__all__ = [
    "Evidence",
    "Finding",
    "FramePictures",
    "Incident",
    "IncidentBook",
    "IncidentFilter",
    "LeaseLost",
    "Note",
    "Origin",
    "OriginalFrame",
    "Recorded",
]

_FRAME_WAIT_S = 0.3
_FRAME_BATCH = 500
# Longer than a camera worker's pause between two rows of one incident and the quiet that ends it.
_QUIET = timedelta(seconds=45)
_MOST_NOTES = 100
_MOST_ORIGINALS = 100


class LeaseLost(Conflict):
    """Another replica has taken the camera; nothing was written."""

    code = "camera_lease_lost"


class IncidentBook:
    """The record of detections and incidents.

    Args:
        cooldown: an incident seen again within this time after its end is the same one, and raises no second alert.
        frame_days: how long frames are kept.
    """

    def __init__(self, *, database: Database, storage: ObjectStorage, cooldown: timedelta, frame_days: int) -> None:
        self._database = database
        self._storage = storage
        self._cooldown = cooldown
        self._frame_days = frame_days
        self._late_frames = LateFrames(database, storage)

    async def record(self, evidence: Evidence, findings: Sequence[Finding]) -> list[Recorded]:
        """Write the findings of one frame, with their frame, and alert where an incident begins.

        Returns:
            In the order of the findings.

        Raises:
            LeaseLost: the camera's worker is no longer its holder.
        """
        if not findings:
            return []
        seen_at = clock.now()
        frame = FrameObjects.named(evidence.pictures, evidence.camera_id, seen_at)
        async with announced(self._database, frame.things):
            stored = await self._store_soon(frame)
            async with self._database.transaction() as connection:
                await _fence(connection, evidence)
                await pass_fence(connection, evidence.camera_id)
                recorded = await self._write_all(connection, evidence, findings, seen_at, frame if stored else None)
                if stored:
                    await frame.claim_kept(connection, recorded)
        if not stored:
            self._late_frames.add(LateFrame(frame, tuple(recorded)))
        for finding, one in zip(findings, recorded, strict=True):
            metrics.detections_total.labels(finding.anomaly_type, str(one.alerted).lower()).inc()
        return recorded

    async def close(self) -> None:
        """Store the frames that still wait, within a few seconds."""
        await self._late_frames.close()

    async def _store_soon(self, frame: FrameObjects) -> bool:
        """Whether the frame was stored within the time that an alert may wait for it."""
        try:
            async with asyncio.timeout(_FRAME_WAIT_S):
                await frame.store(self._storage)
        except (TimeoutError, BackendUnavailable):
            return False
        return True

    async def _write_all(
        self,
        connection: Connection,
        evidence: Evidence,
        findings: Sequence[Finding],
        seen_at: datetime,
        frame: FrameObjects | None,
    ) -> list[Recorded]:
        await incident_store.lock_incidents(connection, evidence.camera_id)
        alarms = await camera_store.alarm_state(connection, evidence.camera_id)
        recorded = [await self._write(connection, evidence, finding, seen_at, frame, alarms) for finding in findings]
        if evidence.actor is not None:
            await add_audit_entry(
                connection,
                "anomaly.detect",
                subject=evidence.camera_id,
                actor=evidence.actor,
                details={"detection_ids": [one.detection_id for one in recorded]},
            )
        return recorded

    async def _write(
        self,
        connection: Connection,
        evidence: Evidence,
        finding: Finding,
        seen_at: datetime,
        frame: FrameObjects | None,
        alarms: AlarmState,
    ) -> Recorded:
        incident, alerted = None, False
        # A disarmed camera raises no alarm about people; fire, smoke and water always count.
        if finding.alert and (alarms.armed or finding.anomaly_type not in ABOUT_PEOPLE):
            incident, alerted = await self._join_or_begin(
                connection, evidence, finding, seen_at, may_alert=not alarms.is_muted(seen_at)
            )
        image_url = self._storage.url(frame.keys.shown) if frame else None
        detection_id = await incident_store.insert_detection(
            connection,
            evidence.camera_id,
            finding.anomaly_type,
            confidence=finding.confidence,
            severity=finding.severity.value,
            location=finding.rectangle,
            image_url=image_url,
            frame=frame.keys_of(incident.id if incident else None, alerted=alerted) if frame else None,
            incident_id=incident.id if incident else None,
            alert_sent=alerted,
            seen_at=seen_at,
        )
        if alerted and incident is not None:
            await self._alert(connection, evidence, finding, seen_at, image_url, incident, detection_id)
        return Recorded(detection_id, incident, alerted)

    async def _join_or_begin(
        self, connection: Connection, evidence: Evidence, finding: Finding, seen_at: datetime, *, may_alert: bool
    ) -> tuple[IncidentKey, bool]:
        """The incident, and whether its alert goes out now: one that was muted does when it is seen again later."""
        current = await incident_store.find_current(
            connection,
            evidence.camera_id,
            finding.anomaly_type,
            zone=finding.zone,
            seen_at=seen_at,
            within=self._cooldown,
        )
        if current is not None:
            is_due = await incident_store.join_incident(
                connection,
                current.id,
                severity=finding.severity,
                confidence=finding.confidence,
                seen_at=seen_at,
                may_alert=may_alert,
            )
            return current, is_due
        new = await incident_store.insert_incident(
            connection,
            evidence.camera_id,
            finding.anomaly_type,
            zone=finding.zone,
            origin=evidence.origin.value,
            severity=finding.severity.value,
            confidence=finding.confidence,
            description=finding.description,
            seen_at=seen_at,
            alerted=may_alert,
        )
        return new, may_alert

    async def _alert(
        self,
        connection: Connection,
        evidence: Evidence,
        finding: Finding,
        seen_at: datetime,
        image_url: str | None,
        incident: IncidentKey,
        detection_id: int,
    ) -> None:
        alert = Alert(
            incident_id=incident.id,
            incident_public_id=incident.public_id,
            detection_id=detection_id,
            camera_id=evidence.camera_id,
            anomaly_type=finding.anomaly_type,
            confidence=finding.confidence,
            severity=finding.severity.value,
            description=finding.description,
            location=finding.rectangle,
            zone=finding.zone,
            image_url=image_url,
            taken_at=evidence.taken_at,
            seen_at=seen_at,
            origin=evidence.origin.value,
        )
        await alert.publish(connection, occurred_at=seen_at)

    async def end_quiet_incidents(self) -> None:
        """Note the end of whatever has not been seen for a while: by whom it was seen does not matter."""
        async with self._database.connection() as connection:
            await incident_store.end_quiet_incidents(connection, quiet=_QUIET)

    async def list_incidents(
        self, wanted: IncidentFilter, *, before: int, cursor: str | None, limit: int, actor: str
    ) -> Slice[Incident]:
        """Incidents with smaller ids than ``before``, newest first; the audit says who was shown their pictures.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = min(before, int(read_cursor(cursor, int)[0])) if cursor else before
        async with self._database.transaction() as connection:
            found = await incident_store.list_incidents(connection, wanted, before=before, limit=limit + 1)
            page = slice_of(found, limit, lambda incident: (incident.id,))
            await _note_looks(connection, page.items, actor)
        return page

    async def get(self, reference: Reference, *, actor: str) -> tuple[Incident, list[Note]]:
        """One incident, and what was written about it; the audit says who was shown its pictures.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            incident = await incident_store.find_incident(connection, incident_id) or _missing(incident_id)
            await _note_looks(connection, [incident], actor)
            return incident, await incident_store.list_notes(connection, incident_id)

    async def originals(self, reference: Reference, *, reason: str, actor: str) -> tuple[Incident, list[OriginalFrame]]:
        """One incident, and its newest frames with all faces, as the camera saw them; who asks for them and why is in
        the audit each time.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            incident = await incident_store.find_incident(connection, incident_id) or _missing(incident_id)
            details = {"reason": reason}
            await add_audit_entry(
                connection, "incident.see_originals", subject=str(incident_id), actor=actor, details=details
            )
            return incident, await incident_store.original_frames(connection, incident_id, limit=_MOST_ORIGINALS)

    async def add_note(self, reference: Reference, text: str, *, actor: str) -> tuple[Incident, list[Note]]:
        """Write something about an incident.

        Raises:
            NotFound: there is no such incident.
            Conflict: it has too many notes already.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            incident = await incident_store.find_incident(connection, incident_id) or _missing(incident_id)
            if not await incident_store.add_note(connection, incident_id, text, actor=actor, most=_MOST_NOTES):
                raise Conflict(f"Incident {incident_id} has {_MOST_NOTES} notes already.", code="too_many_notes")
            await add_audit_entry(connection, "incident.note", subject=str(incident_id), actor=actor)
            await _note_looks(connection, [incident], actor)
            return incident, await incident_store.list_notes(connection, incident_id)

    async def acknowledge(self, reference: Reference, *, actor: str) -> Incident:
        """Note that somebody has seen it; once is enough.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            changed = await incident_store.acknowledge_incident(connection, incident_id, actor=actor)
            return await _after_change(connection, incident_id, "incident.acknowledge", actor, changed)

    async def resolve(self, reference: Reference, *, actor: str) -> Incident:
        """Close it; doing so again changes nothing.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            changed = await incident_store.resolve_incident(connection, incident_id, actor=actor)
            return await _after_change(connection, incident_id, "incident.resolve", actor, changed)

    async def erase_frames(self, reference: Reference, *, actor: str) -> tuple[Incident, int]:
        """Take an incident's frames and its clip away: out of the records at once, out of the store soon after.

        Returns:
            The incident, and how many frames there were.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._database.transaction() as connection:
            incident_id = await _number(connection, reference)
            frames = await incident_store.drop_frames(connection, incident_id)
            keys = [key for frame in frames for key in frame.present()]
            keys += await incident_store.drop_clip(connection, incident_id)
            await schedule_removals(connection, Kind.OBJECT, keys)
            incident = await _after_change(connection, incident_id, "incident.erase_frames", actor, bool(keys))
        return incident, len(frames)

    def frame_url(self, key: str, *, lifetime_s: int) -> str:
        """A link to a stored frame that works for a while."""
        return self._storage.presigned_url(key, lifetime_s=lifetime_s)

    async def drop_old_frames(self) -> None:
        """Remove frames and clips that are kept no longer."""
        while True:
            async with self._database.transaction() as connection:
                frames = await incident_store.drop_old_frames(connection, days=self._frame_days, limit=_FRAME_BATCH)
                keys = [key for frame in frames for key in frame.present()]
                keys += await incident_store.drop_old_clips(connection, days=self._frame_days, limit=_FRAME_BATCH)
                await schedule_removals(connection, Kind.OBJECT, keys)
            if not keys:
                return


async def _fence(connection: Connection, evidence: Evidence) -> None:
    if evidence.epoch is not None and not await camera_store.holds_epoch(
        connection, evidence.camera_id, evidence.epoch
    ):
        raise LeaseLost(f"Camera {evidence.camera_id} is another replica's now.")


async def _number(connection: Connection, reference: Reference) -> int:
    if isinstance(reference, int):
        return reference
    number = await incident_store.number_of(connection, reference)
    return number if number is not None else _missing(reference).id


async def _after_change(connection: Connection, incident_id: int, action: str, actor: str, changed: bool) -> Incident:
    incident = await incident_store.find_incident(connection, incident_id) or _missing(incident_id)
    if changed:
        await add_audit_entry(connection, action, subject=str(incident_id), actor=actor)
    await _note_looks(connection, [incident], actor)
    return incident


async def _note_looks(connection: Connection, incidents: Sequence[Incident], actor: str) -> None:
    """Whoever is given an incident is given links to its pictures."""
    seen = [str(incident.id) for incident in incidents if incident.frame_key or incident.clip_key]
    await add_looks(connection, "incident.see", seen, actor=actor)


def _missing(incident_id: Reference) -> Incident:
    raise NotFound(f"There is no incident {incident_id}.", code="incident_not_found")

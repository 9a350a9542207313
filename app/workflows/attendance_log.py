"""Attendance as people look at it: who came and went on a day, and what waits for somebody to confirm it."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.core.liveness import LivenessProof
from app.errors import Conflict, NotFound
from app.services.database import Database
from app.services.stores import attendance_log, attendance_store
from app.services.stores.attendance_log import AttendanceEntry, AttendanceFilter
from app.services.stores.attendance_store import LogEntry, SeenTemplate
from app.services.stores.audit import add_audit_entry
from app.types import AttendanceState
from app.utils import clock
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.attendance import attendance_event

__all__ = ["AttendanceEntry", "AttendanceFilter", "AttendanceLog"]

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


class AttendanceLog:
    """Reads what ``AttendanceBook`` wrote, and lets people decide what no device could.

    Args:
        debounce: an event nearer than this to another of the same person, camera and action is none.
    """

    def __init__(self, database: Database, *, debounce: timedelta) -> None:
        self._database = database
        self._debounce = debounce

    async def list_entries(
        self, wanted: AttendanceFilter, *, cursor: str | None, limit: int, actor: str | None
    ) -> Slice[AttendanceEntry]:
        """Entries by their moment, earliest first; audited, as they say where people were.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = _position(cursor) if cursor else None
        async with self._database.transaction() as connection:
            found = await attendance_log.list_entries(connection, wanted, after=after, limit=limit + 1)
            details = {"rows": min(len(found), limit)}
            subject = wanted.employee_id or "attendance"
            await add_audit_entry(connection, "attendance.list", subject=subject, actor=actor, details=details)
        return slice_of(found, limit, lambda entry: ((entry.happened_at - _EPOCH) // _MICROSECOND, entry.id))

    async def confirm(self, entry_id: int, *, actor: str | None) -> AttendanceEntry:
        """Let an entry count: its event is written now, with its own moment, unless another of about that moment was.

        Raises:
            NotFound: there is no such entry, or nobody of its number any more.
            Conflict: it was decided before.
        """
        async with self._database.transaction() as connection:
            entry = _undecided(await attendance_log.lock_entry(connection, entry_id), entry_id)
            event = attendance_event(
                employee_id=entry.employee_id,
                taken_at=entry.happened_at,
                received_at=clock.now(),
                camera_id=entry.camera_id,
                confidence=entry.confidence,
                liveness=LivenessProof.NONE,
                action=entry.action,
                method=entry.method,
                is_offline=entry.is_offline,
                confirmed_by=actor,
            )
            written = await attendance_store.write_sighting(
                connection,
                SeenTemplate(None, entry.employee_id, None),
                camera_id=entry.camera_id,
                action=entry.action,
                moment=entry.happened_at,
                window=self._debounce,
                event=event,
                entry=LogEntry(entry.method, entry.liveness, entry.confidence, entry.is_offline, None),
                audit_action="attendance.confirm",
                actor=actor,
                details={"entry_id": entry_id},
            )
            if written.identity is None:
                raise NotFound(f"There is no employee {entry.employee_id} any more.", code="employee_unknown")
            event_id = event.event_id if written.has_event else None
            await attendance_log.decide_entry(
                connection, entry_id, AttendanceState.CONFIRMED, event_id=event_id, decided_by=actor
            )
            return _found(await attendance_log.find_entry(connection, entry_id), entry_id)

    async def dismiss(self, entry_id: int, *, actor: str | None) -> AttendanceEntry:
        """Say that an entry does not count. Errors as for ``confirm``."""
        async with self._database.transaction() as connection:
            entry = _undecided(await attendance_log.lock_entry(connection, entry_id), entry_id)
            await attendance_log.decide_entry(
                connection, entry_id, AttendanceState.DISMISSED, event_id=None, decided_by=actor
            )
            details = {"entry_id": entry_id}
            await add_audit_entry(
                connection, "attendance.dismiss", subject=entry.employee_id, actor=actor, details=details
            )
            return _found(await attendance_log.find_entry(connection, entry_id), entry_id)


def _position(cursor: str) -> tuple[datetime, int]:
    microseconds, entry_id = read_cursor(cursor, int, int)
    try:
        return _EPOCH + int(microseconds) * _MICROSECOND, int(entry_id)
    except OverflowError:
        return datetime.max.replace(tzinfo=_EPOCH.tzinfo), int(entry_id)  # behind everything


def _found(entry: AttendanceEntry | None, entry_id: int) -> AttendanceEntry:
    if entry is None:
        raise NotFound(f"There is no attendance entry {entry_id}.", code="attendance_not_found")
    return entry


def _undecided(entry: AttendanceEntry | None, entry_id: int) -> AttendanceEntry:
    found = _found(entry, entry_id)
    if found.state is not AttendanceState.UNCONFIRMED:
        raise Conflict(f"Attendance entry {entry_id} waits for nobody: it is {found.state}.", code="attendance_decided")
    return found

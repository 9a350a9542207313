"""The work in rooms: how long cleaning takes, and what is broken until somebody has repaired it."""

from __future__ import annotations

from uuid import UUID

from app.errors import Conflict, NotFound
from app.services.database import Database
from app.services.stores import cleaning_store, defect_store, room_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.cleaning_store import Cleaning, CleaningTime
from app.services.stores.defect_store import LIVE, Defect, DefectState
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.room_photos import RoomPhotos

__all__ = ["Cleaning", "CleaningTime", "Defect", "DefectState", "Housekeeping"]


class Housekeeping:
    """Cleanings and defects over PostgreSQL; the photos of defects are those of analyses."""

    def __init__(self, database: Database, photos: RoomPhotos) -> None:
        self._database = database
        self._photos = photos

    async def start_cleaning(self, room_number: str, *, room_type: str | None, actor: str | None) -> Cleaning:
        """The cleaning that goes on in the room: a new one, unless there is one."""
        async with self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            going_on = await cleaning_store.find_open(connection, room_number)
            if going_on is not None:
                return going_on
            await add_audit_entry(connection, "room.cleaning_start", subject=room_number, actor=actor)
            return await cleaning_store.start(connection, room_number, room_type=room_type or "", started_by=actor)

    async def stop_cleaning(self, room_number: str, *, actor: str | None) -> Cleaning:
        """The cleaning that has just ended.

        Raises:
            Conflict: none goes on, or it was started hours ago and forgotten.
        """
        async with self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            if await cleaning_store.find_open(connection, room_number) is None:
                raise Conflict(
                    f"Nobody has started to clean room {room_number}, or it was forgotten for more than "
                    f"{cleaning_store.LONGEST_MIN} minutes; send start first.",
                    code="cleaning_not_started",
                )
            await add_audit_entry(connection, "room.cleaning_stop", subject=room_number, actor=actor)
            return await cleaning_store.stop(connection, room_number, stopped_by=actor)

    async def cleaning_times(self) -> list[CleaningTime]:
        """What cleaning takes, by type of room, where that is known."""
        async with self._database.connection() as connection:
            return await cleaning_store.learnt_times(connection)

    async def list_defects(
        self, *, room_number: str | None, state: DefectState | None, cursor: str | None, limit: int
    ) -> Slice[Defect]:
        """Tickets, newest first.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.connection() as connection:
            found = await defect_store.list_defects(
                connection, room_number=room_number, state=state, before=before, limit=limit + 1
            )
        return slice_of(found, limit, lambda defect: (defect.id,))

    async def find_defect(self, defect_id: UUID) -> Defect:
        """A ticket.

        Raises:
            NotFound: there is no such ticket.
        """
        async with self._database.connection() as connection:
            defect = await defect_store.find_defect(connection, defect_id)
        if defect is None:
            raise _unknown(defect_id)
        return defect

    async def change_defect(
        self, defect_id: UUID, *, state: DefectState | None, note: str | None, actor: str | None
    ) -> Defect:
        """Change a ticket's state or note; None leaves it. The room's own state stays as it is.

        Raises:
            NotFound: there is no such ticket.
            Conflict: it would be opened again, and the same was reported again.
        """
        room_number = (await self.find_defect(defect_id)).room_number
        async with self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            defect = await defect_store.find_defect(connection, defect_id)
            if defect is None:
                raise _unknown(defect_id)
            new_state = state or defect.state
            if new_state in LIVE and await defect_store.is_live(
                connection, room_number, defect.label, beside=defect.id
            ):
                raise Conflict(
                    f"Room {room_number} has a newer ticket for {defect.label}; change that one.",
                    code="defect_reported_again",
                )
            new_note = defect.note if note is None else note
            await defect_store.change_defect(connection, defect_id, state=new_state, note=new_note, changed_by=actor)
            details = {"defect_id": str(defect_id), "state": new_state.value}
            await add_audit_entry(connection, "room.defect_change", subject=room_number, actor=actor, details=details)
        return await self.find_defect(defect_id)

    def link(self, key: str) -> str:
        """A presigned address of a photo or a crop."""
        return self._photos.link(key)


def _unknown(defect_id: UUID) -> NotFound:
    return NotFound(f"There is no defect {defect_id}.", code="defect_unknown")

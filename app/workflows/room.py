"""Is this room ready for the guest: analyse photos, keep each room's state, hear people's corrections.

Photos are announced, stored and claimed with the rows, which make an analysis count.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.core.inference import InferencePool
from app.core.room_analyzer import ChecklistItem, PhotoEvidence, RoomModel
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.errors import NotFound
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import removals, room_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.outbox import publish_event
from app.services.stores.removals import Kind
from app.services.stores.room_store import LoggedAnalysis, NewAnalysis, NewFeedback, NewState, RoomState
from app.types import shown
from app.utils import clock, metrics, tracing
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.image_processing import bounded, encode_jpeg
from app.utils.pictures import Picture, PictureOpener
from app.workflows.announcements import announced

_STORED_SIDE_PX = 1600  # enough to see what a verdict was about, and to train on
_RETENTION_BATCH = 500


@dataclass(frozen=True, slots=True)
class RoomReport:
    """An analysis that counts: its verdict and where it is written down; ``image_ids`` in the order of the photos."""

    analysis_id: int
    analyzed_at: datetime
    image_ids: tuple[str, ...]
    verdict: RoomVerdict
    state: RoomState


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody says of a room; ``checklist`` holds only the items that they speak of."""

    status: RoomStatus
    ready_for_guest: bool
    checklist: Mapping[ChecklistItem, bool]
    note: str | None
    analysis_id: int | None


@dataclass(frozen=True, slots=True)
class _Inspection:
    evidence: PhotoEvidence
    jpeg: bytes


class RoomWorkflow:
    """Room inspection over the pool and the backends.

    Args:
        zone: the hotel's, for the date in a photo's id.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        model: RoomModel,
        rules: RoomRules,
        database: Database,
        storage: ObjectStorage,
        zone: ZoneInfo,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._model = model
        self._rules = rules
        self._database = database
        self._storage = storage
        self._zone = zone

    async def analyze(
        self, room_number: str, pictures: Sequence[bytes], *, depth: str, room_type: str | None, actor: str | None
    ) -> RoomReport:
        """Judge a room by one or more photos, and make the verdict its state.

        Photos do not show that the tap drips: ``maintenance`` that a person set stays until a person lifts it.

        Raises:
            VisionError: as the pictures, the pool and the backends have it; then nothing is changed.
        """
        looks = await asyncio.gather(*(self._look_at(picture, depth) for picture in pictures))
        verdict = judge_room([look.evidence for look in looks], self._rules, room_type=room_type)
        analyzed_at = clock.now()
        image_ids = [self._new_image_id(room_number, analyzed_at) for _ in looks]
        keys = [f"rooms/{room_number}/{image_id}.jpg" for image_id in image_ids]
        async with self._stored(keys, looks), self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            before = await room_store.find_state(connection, room_number)
            closed = before is not None and _is_closed_by_a_person(before)
            if closed:
                verdict = replace(verdict, ready_for_guest=False)
            analysis = _as_analysis(verdict, depth=depth, image_ids=image_ids, keys=keys)
            analysis_id = await room_store.add_analysis(
                connection, room_number, analysis, analyzed_at=analyzed_at, analyzed_by=actor
            )
            await removals.claim(connection, {Kind.OBJECT: keys})
            await add_audit_entry(
                connection, "room.analyze", subject=room_number, actor=actor, details={"analysis_id": analysis_id}
            )
            if closed:
                state = await room_store.note_analysis(
                    connection, room_number, analyzed_at=analyzed_at, analyzed_by=actor
                )
            else:
                new_state = _as_state(verdict, analysis_id, actor=actor, moment=analyzed_at)
                state = await self._change_state(connection, room_number, new_state, before=before)
        metrics.room_analysis_total.labels(verdict.status.value).inc()
        return RoomReport(analysis_id, analyzed_at, tuple(image_ids), verdict, state)

    @asynccontextmanager
    async def _stored(self, keys: Sequence[str], looks: Sequence[_Inspection]) -> AsyncIterator[None]:
        """The photos are in the store, for the block to claim with the rows of the analysis."""
        async with announced(self._database, {Kind.OBJECT: keys}):
            photos = zip(keys, looks, strict=True)
            await asyncio.gather(
                *(self._storage.put(key, look.jpeg, content_type="image/jpeg") for key, look in photos)
            )
            yield

    async def status_of(self, room_number: str) -> RoomState:
        """A room's current state, always from the record: asking whether a copy is still true would cost as much.

        Raises:
            NotFound: the room was never analysed nor spoken of.
        """
        async with self._database.connection() as connection:
            state = await room_store.find_state(connection, room_number)
        if state is None:
            raise NotFound(f"Room {room_number} was never analysed.", code="room_unknown")
        return state

    async def board(self, *, status: RoomStatus | None, cursor: str | None, limit: int) -> Slice[RoomState]:
        """All known rooms by number, of one status where it is given."""
        async with self._database.connection() as connection:
            rooms = await room_store.list_states(
                connection,
                status=status.value if status else None,
                after=str(read_cursor(cursor, str)[0]) if cursor else None,
                limit=limit + 1,
            )
        return slice_of(rooms, limit, lambda room: (room.room_number,))

    async def history(self, room_number: str, *, cursor: str | None, limit: int) -> Slice[LoggedAnalysis]:
        """A room's analyses, newest first.

        Raises:
            NotFound: the room was never analysed nor spoken of.
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.connection() as connection:
            analyses = await room_store.list_analyses(connection, room_number, before=before, limit=limit + 1)
            if not analyses and await room_store.find_state(connection, room_number) is None:
                raise NotFound(f"Room {room_number} was never analysed.", code="room_unknown")
        return slice_of(analyses, limit, lambda analysis: (analysis.id,))

    async def correct(self, room_number: str, correction: Correction, *, actor: str | None) -> RoomState:
        """Let a person's word count over the verdict, and keep it for training.

        Raises:
            NotFound: the correction names an analysis that is not one of this room.
        """
        feedback = NewFeedback(
            analysis_id=correction.analysis_id,
            status=correction.status.value,
            checklist={item.value: value for item, value in correction.checklist.items()},
            note=correction.note,
            given_by=actor,
        )
        new_state = NewState(
            status=correction.status.value,
            ready_for_guest=correction.ready_for_guest,
            uncertain=False,
            confidence=1.0,
            source="feedback",
            changed_by=actor,
            changed_at=clock.now(),
            analysis_id=correction.analysis_id,
        )
        async with self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            await self._require_analysis(connection, room_number, correction.analysis_id)
            await room_store.add_feedback(connection, room_number, feedback)
            before = await room_store.find_state(connection, room_number)
            state = await self._change_state(connection, room_number, new_state, before=before)
            await add_audit_entry(
                connection, "room.feedback", subject=room_number, actor=actor, details={"status": feedback.status}
            )
        return state

    async def erase_photos(self, room_number: str, *, actor: str | None) -> int:
        """Take the photos of all analyses of a room away; verdicts stay.

        Returns:
            How many there were.

        Raises:
            NotFound: the room was never analysed nor spoken of.
        """
        async with self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            if await room_store.find_state(connection, room_number) is None:
                raise NotFound(f"Room {room_number} was never analysed.", code="room_unknown")
            keys = await room_store.take_photos(connection, room_number)
            await removals.schedule_removals(connection, Kind.OBJECT, keys)
            await add_audit_entry(
                connection, "room.erase_photos", subject=room_number, actor=actor, details={"photos": len(keys)}
            )
        return len(keys)

    async def _require_analysis(self, connection: Connection, room_number: str, analysis_id: int | None) -> None:
        if analysis_id is not None and not await room_store.analysis_exists(connection, room_number, analysis_id):
            raise NotFound(f"Room {room_number} has no analysis {analysis_id}.", code="analysis_unknown")

    async def _change_state(
        self, connection: Connection, room_number: str, new_state: NewState, *, before: RoomState | None
    ) -> RoomState:
        state = await room_store.save_state(connection, room_number, new_state)
        if before is None or (before.status, before.ready_for_guest) != (state.status, state.ready_for_guest):
            await publish_event(
                connection,
                "room.status_changed",
                {
                    "room_number": room_number,
                    "status": state.status,
                    "previous_status": before.status if before else None,
                    "ready_for_guest": state.ready_for_guest,
                    "uncertain": state.uncertain,
                    "source": state.source,
                    "changed_by": state.changed_by,
                },
                key=f"room:{room_number}",
                occurred_at=state.changed_at,
            )
        return state

    def _new_image_id(self, room_number: str, moment: datetime) -> str:
        return f"IMG_ROOM_{room_number}_{moment.astimezone(self._zone):%Y%m%d}_{uuid.uuid4().hex[:12]}"

    async def _look_at(self, picture: bytes, depth: str) -> _Inspection:
        async with self._pictures.opened(picture) as opened:
            return await self._pool.submit("room", self._look, opened, depth)

    # What follows runs on an inference thread.

    def _look(self, picture: Picture, depth: str) -> _Inspection:
        with tracing.stage("room.decode"):
            image = picture.decode()
        with tracing.stage("room.inspect"):
            [evidence] = self._model.inspect([image], depth=depth)
        with tracing.stage("room.encode"):
            # Encoded again, so that nothing of the EXIF data, where GPS hides, is kept.
            return _Inspection(evidence, encode_jpeg(bounded(image, side_px=_STORED_SIDE_PX)))


class RoomPhotoRetention:
    """Ends photos of rooms after their time; the verdicts stay."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database = database
        self._days = days

    async def step(self) -> None:
        async with self._database.transaction() as connection:
            keys = await room_store.take_expired_photos(connection, days=self._days, limit=_RETENTION_BATCH)
            await removals.schedule_removals(connection, Kind.OBJECT, keys)


def _as_analysis(verdict: RoomVerdict, *, depth: str, image_ids: Sequence[str], keys: Sequence[str]) -> NewAnalysis:
    checklist = {item.value: None for item in ChecklistItem} | {
        item.value: checked.value if checked else None for item, checked in verdict.checklist.items()
    }
    tags = [
        {
            "label": placed.finding.label,
            "confidence": shown(placed.finding.confidence),
            "severity": placed.finding.severity.value,
            "photo": placed.photo,
        }
        for placed in verdict.findings
    ]
    return NewAnalysis(
        overall_status=verdict.status.value,
        ready_for_guest=verdict.ready_for_guest,
        uncertain=verdict.uncertain,
        confidence=verdict.confidence,
        tags=tags,
        checklist=checklist,
        cleaning_minutes=verdict.cleaning_minutes,
        depth=depth,
        image_ids=image_ids,
        photo_keys=keys,
    )


def _is_closed_by_a_person(state: RoomState) -> bool:
    return state.status == RoomStatus.MAINTENANCE and state.source == "feedback"


def _as_state(verdict: RoomVerdict, analysis_id: int, *, actor: str | None, moment: datetime) -> NewState:
    return NewState(
        status=verdict.status.value,
        ready_for_guest=verdict.ready_for_guest,
        uncertain=verdict.uncertain,
        confidence=verdict.confidence,
        source="analysis",
        changed_by=actor,
        changed_at=moment,
        analysis_id=analysis_id,
    )

"""Is this room ready for the guest: analyse photos, keep each room's state, hear people's corrections.

``room_photos`` looks at the photos and stores them; the rows that claim them make an analysis count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.room_analyzer import ChecklistItem, PhotoEvidence
from app.core.room_items import with_items
from app.core.room_rules import UNKNOWN, PhotoPlace, RoomRules, RoomStatus, RoomVerdict, judge_room, places_named
from app.core.room_views import View
from app.errors import NotFound
from app.services.database import Connection, Database
from app.services.stores import cleaning_store, defect_store, removals, room_history, room_proof_store, room_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.defect_store import ReportedDefect
from app.services.stores.outbox import publish_event
from app.services.stores.removals import Kind
from app.services.stores.room_history import LoggedAnalysis
from app.services.stores.room_store import NewAnalysis, NewFeedback, NewState, RoomState
from app.types import Box, shown
from app.utils import clock, metrics
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.room_photos import PhotoKeys, RoomPhotos
from app.workflows.room_references import RoomChanges, RoomReferences


@dataclass(frozen=True, slots=True)
class RoomReport:
    """An analysis that counts: its verdict, and where it and its photos are kept.

    ``state`` is the room's afterwards; None where nothing was ever decided of it. ``cleaning_minutes`` is what rooms of
    this type took where ``minutes_learnt``, else the sum over the findings. ``changes``: None without a reference.
    """

    analysis_id: int
    analyzed_at: datetime
    keys: PhotoKeys
    verdict: RoomVerdict
    state: RoomState | None
    cleaning_minutes: int
    minutes_learnt: bool
    changes: RoomChanges | None


@dataclass(frozen=True, slots=True)
class RoomHistory:
    """A page of analyses, and by id those that its ``before_id`` name."""

    page: Slice[LoggedAnalysis]
    earlier: Mapping[int, LoggedAnalysis]


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody says of a room; ``checklist`` holds only the items that they speak of.

    Photos of ``defects`` are those of the analysis ``analysis_id``.
    """

    status: RoomStatus
    ready_for_guest: bool
    checklist: Mapping[ChecklistItem, bool]
    note: str | None
    analysis_id: int | None
    defects: tuple[ReportedDefect, ...] = ()


class RoomWorkflow:
    """Room inspection over the photos and PostgreSQL.

    Args:
        references: what photos are held against, where there is one.
        views_window_min: how long what photos of a room proved counts beside later ones.
    """

    def __init__(
        self,
        *,
        photos: RoomPhotos,
        references: RoomReferences,
        rules: RoomRules,
        views_window_min: int,
        database: Database,
    ) -> None:
        self._photos = photos
        self._references = references
        self._rules = rules
        self._views_window_min = views_window_min
        self._database = database

    async def analyze(
        self, room_number: str, pictures: Sequence[bytes], *, depth: str, room_type: str | None, actor: str | None
    ) -> RoomReport:
        """Judge a room by one or more photos, and make the verdict its state; one that decides nothing is only logged.

        Photos do not show that the tap drips: ``maintenance`` that a person set stays until a person lifts it.

        Raises:
            VisionError: as the pictures, the pool and the backends have it; then nothing is changed.
        """
        photos = await self._photos.look_at(pictures, depth=depth)
        evidence = [photo.evidence for photo in photos]
        changes = await self._references.compare(room_number, room_type, photos)
        if changes is not None:
            evidence = with_items(evidence, changes.item_names, changes.looked_for)
            photos = [
                replace(photo, crops={**photo.crops, **compared.crops})
                for photo, compared in zip(photos, changes.photos, strict=True)
            ]
        analyzed_at = clock.now()
        places = places_named(evidence, self._rules, room_type=room_type) + _changed_places(changes)
        keys = self._photos.name(room_number, len(photos), places, moment=analyzed_at)
        async with self._photos.stored(keys, photos), self._database.transaction() as connection:
            await room_store.lock_room(connection, room_number)
            before = await room_store.find_state(connection, room_number)
            closed = before is not None and _is_closed_by_a_person(before)
            verdict = await self._judge(connection, room_number, evidence, room_type=room_type)
            if closed:
                verdict = replace(verdict, ready_for_guest=False)
            learnt = await self._learnt_minutes(connection, verdict, room_type)
            if learnt is not None:
                verdict = replace(verdict, cleaning_minutes=learnt)
            analysis = _as_analysis(verdict, changes, depth=depth, keys=keys)
            analysis_id = await room_store.add_analysis(
                connection, room_number, analysis, analyzed_at=analyzed_at, analyzed_by=actor
            )
            await removals.claim(connection, {Kind.OBJECT: keys.every})
            await add_audit_entry(
                connection, "room.analyze", subject=room_number, actor=actor, details={"analysis_id": analysis_id}
            )
            state = before
            if closed and verdict.status:
                state = await room_store.note_analysis(
                    connection, room_number, analyzed_at=analyzed_at, analyzed_by=actor
                )
            elif verdict.status:
                new_state = _as_state(verdict, verdict.status, analysis_id, actor=actor, moment=analyzed_at)
                state = await self._change_state(connection, room_number, new_state, before=before)
        metrics.room_analysis_total.labels(verdict.status or UNKNOWN).inc()
        _observe(evidence)
        return RoomReport(
            analysis_id,
            analyzed_at,
            keys,
            verdict,
            state,
            cleaning_minutes=verdict.cleaning_minutes,
            minutes_learnt=learnt is not None,
            changes=changes,
        )

    async def _learnt_minutes(self, connection: Connection, verdict: RoomVerdict, room_type: str | None) -> int | None:
        """What rooms of this type take to clean; None for a room that needs none, and where nothing was learnt."""
        if verdict.status is not RoomStatus.DIRTY:
            return None
        times = await cleaning_store.learnt_times(connection, room_type=room_type or "")
        return times[0].median_minutes if times else None

    async def _judge(
        self, connection: Connection, room_number: str, evidence: Sequence[PhotoEvidence], *, room_type: str | None
    ) -> RoomVerdict:
        """The verdict on these photos beside those before them; what they prove counts beside those to come."""
        if not self._rules.views_by_type:
            return judge_room(evidence, self._rules, room_type=room_type)
        earlier = await room_proof_store.find_proofs(connection, room_number, window_min=self._views_window_min)
        verdict = judge_room(evidence, self._rules, room_type=room_type, earlier=earlier)
        if verdict.disproves:
            await room_proof_store.void_proofs(connection, room_number)
        await room_proof_store.save_proofs(connection, room_number, verdict.proofs)
        return verdict

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

    async def history(self, room_number: str, *, cursor: str | None, limit: int) -> RoomHistory:
        """A room's analyses, newest first, with those that stood before them.

        Raises:
            NotFound: the room was never analysed nor spoken of.
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.connection() as connection:
            analyses = await room_history.list_analyses(connection, room_number, before=before, limit=limit + 1)
            if not analyses:
                await self._require_known(connection, room_number)
            page = slice_of(analyses, limit, lambda analysis: (analysis.id,))
            wanted = [analysis.before_id for analysis in page.items if analysis.before_id]
            earlier = await room_history.find_analyses(connection, room_number, wanted)
        return RoomHistory(page, {analysis.id: analysis for analysis in earlier})

    async def correct(self, room_number: str, correction: Correction, *, actor: str | None) -> RoomState:
        """Let a person's word count over the verdict, and keep it for training.

        Raises:
            NotFound: the correction names an analysis that is not one of this room, or a photo that this has not.
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
            await self._require_analysis(connection, room_number, correction)
            await room_store.add_feedback(connection, room_number, feedback)
            for defect in correction.defects:
                await defect_store.report_defect(
                    connection, room_number, defect, analysis_id=correction.analysis_id, reported_by=actor
                )
            if correction.status is not RoomStatus.CLEAN:
                await room_proof_store.void_proofs(connection, room_number)
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
            await self._require_known(connection, room_number)
            keys = await room_store.take_photos(connection, room_number)
            await removals.schedule_removals(connection, Kind.OBJECT, keys.every)
            await add_audit_entry(
                connection, "room.erase_photos", subject=room_number, actor=actor, details={"photos": len(keys.photos)}
            )
        return len(keys.photos)

    def link(self, key: str) -> str:
        """A presigned address of a photo or a crop."""
        return self._photos.link(key)

    async def _require_known(self, connection: Connection, room_number: str) -> None:
        """A room may have analyses and no state: where no photo of it has decided anything."""
        if await room_store.find_state(connection, room_number) is None and not await room_history.list_analyses(
            connection, room_number, before=None, limit=1
        ):
            raise NotFound(f"Room {room_number} was never analysed.", code="room_unknown")

    async def _require_analysis(self, connection: Connection, room_number: str, correction: Correction) -> None:
        """The analysis that the correction names is one of this room, and has the photos that it names."""
        analysis_id = correction.analysis_id
        if analysis_id is None:
            return
        photos = await room_store.count_photos(connection, room_number, analysis_id)
        if photos is None:
            raise NotFound(f"Room {room_number} has no analysis {analysis_id}.", code="analysis_unknown")
        for defect in correction.defects:
            if defect.photo is not None and defect.photo >= photos:
                raise NotFound(f"Analysis {analysis_id} has no photo {defect.photo}.", code="photo_unknown")

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


def _as_analysis(verdict: RoomVerdict, changes: RoomChanges | None, *, depth: str, keys: PhotoKeys) -> NewAnalysis:
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
        overall_status=verdict.status or UNKNOWN,
        ready_for_guest=verdict.ready_for_guest,
        uncertain=verdict.uncertain,
        confidence=verdict.confidence,
        tags=tags,
        checklist=checklist,
        cleaning_minutes=verdict.cleaning_minutes,
        depth=depth,
        image_ids=keys.image_ids,
        photo_keys=keys.photos,
        crop_keys=tuple(keys.crops.values()),
        evidence=_evidence(verdict, list(keys.crops)),
        changes=_change_records(changes, list(keys.crops)),
        views=[{"view": seen.view.value, "room": seen.room.value if seen.room else None} for seen in verdict.views],
    )


def _evidence(verdict: RoomVerdict, cut: Sequence[PhotoPlace]) -> dict[str, dict[str, object]]:
    """By tag and item of the checklist: its photo, how sure it is, its place, and the number of the crop of that."""

    def described(photo: int, confidence: float, box: Box | None) -> dict[str, object]:
        place = {"location": box.rectangle(), "crop": cut.index(PhotoPlace(photo, box))} if box else {}
        return {"photo": photo, "confidence": shown(confidence), **place}

    tags = {
        placed.finding.label: described(placed.photo, placed.finding.confidence, placed.finding.box)
        for placed in verdict.findings
    }
    items = {
        item.value: described(checked.photo, checked.confidence, checked.box)
        for item, checked in verdict.checklist.items()
        if checked
    }
    return tags | items


def _observe(evidence: Sequence[PhotoEvidence]) -> None:
    """Count what the photos look like: cameras, light or rooms that differ from before shift it."""
    for photo in evidence:
        metrics.room_views_total.labels(photo.seen.view).inc()
        metrics.room_scores.labels("room_shown").observe(photo.room)
        if photo.untidy is not None:
            head = "bathroom_dirty" if photo.seen.room is View.BATHROOM else "room_messy"
            metrics.room_scores.labels(head).observe(photo.untidy)
        for subject, probability in photo.seen.subjects.items():
            metrics.room_scores.labels(f"{subject}_visible").observe(probability)


def _changed_places(changes: RoomChanges | None) -> list[PhotoPlace]:
    photos = changes.photos if changes else ()
    return [PhotoPlace(photo, change.box) for photo, compared in enumerate(photos) for change in compared.changes]


def _change_records(changes: RoomChanges | None, cut: Sequence[PhotoPlace]) -> list[dict[str, object]]:
    return [
        {
            "kind": change.kind.value,
            "confidence": shown(change.confidence),
            "photo": photo,
            "location": change.box.rectangle(),
            "crop": cut.index(PhotoPlace(photo, change.box)),
        }
        for photo, compared in enumerate(changes.photos if changes else ())
        for change in compared.changes
    ]


def _is_closed_by_a_person(state: RoomState) -> bool:
    return state.status == RoomStatus.MAINTENANCE and state.source == "feedback"


def _as_state(
    verdict: RoomVerdict, status: RoomStatus, analysis_id: int, *, actor: str | None, moment: datetime
) -> NewState:
    return NewState(
        status=status.value,
        ready_for_guest=verdict.ready_for_guest,
        uncertain=verdict.uncertain,
        confidence=verdict.confidence,
        source="analysis",
        changed_by=actor,
        changed_at=moment,
        analysis_id=analysis_id,
    )

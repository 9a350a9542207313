"""The SQL of rooms: analyses, the current state of each room, corrections. All on the caller's connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection, Row


@dataclass(frozen=True, slots=True)
class NewState:
    """What a room's state becomes; ``source`` is ``analysis`` or ``feedback``."""

    status: str
    ready_for_guest: bool
    uncertain: bool
    confidence: float
    source: str
    changed_by: str | None
    changed_at: datetime
    analysis_id: int | None


@dataclass(frozen=True, slots=True)
class RoomState:
    """The state of a room now; ``version`` grows with every change."""

    room_number: str
    status: str
    ready_for_guest: bool
    uncertain: bool
    confidence: float
    source: str
    analysis_id: int | None
    changed_by: str | None
    changed_at: datetime
    last_analyzed_at: datetime | None
    analyzed_by: str | None
    version: int


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """An analysis as it is written down; the mappings are JSON values.

    Attributes:
        photo_keys: objects of the photos, in their order. So are ``crop_keys``.
        evidence: by tag and item its ``photo``, ``confidence``, ``location`` and ``crop``, a number in ``crop_keys``.
        views: what each photo shows.
        changes: against the reference of that day, each with a ``crop`` as ``evidence`` has it.
    """

    overall_status: str
    ready_for_guest: bool
    uncertain: bool
    confidence: float
    tags: Sequence[Mapping[str, object]]
    checklist: Mapping[str, bool | None]
    cleaning_minutes: int
    depth: str
    image_ids: Sequence[str]
    photo_keys: Sequence[str]
    crop_keys: Sequence[str]
    evidence: Mapping[str, Mapping[str, object]]
    views: Sequence[Mapping[str, str | None]]
    changes: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class TakenPhotos:
    """Keys of photos and of crops that no row names any more."""

    photos: list[str]
    crops: list[str]

    @property
    def every(self) -> list[str]:
        return self.photos + self.crops


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """What somebody said of a room."""

    analysis_id: int | None
    status: str
    checklist: Mapping[str, bool]
    note: str | None
    given_by: str | None


async def lock_room(connection: Connection, room_number: str) -> None:
    """Wait until no other transaction changes this room; held until this one ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('cv_room'), hashtext($1))", room_number)


async def add_analysis(
    connection: Connection, room_number: str, analysis: NewAnalysis, *, analyzed_at: datetime, analyzed_by: str | None
) -> int:
    """Write an analysis down.

    Returns:
        Its id.
    """
    analysis_id: int = await connection.fetchval(
        "INSERT INTO room_analysis_logs (room_number, image_id, overall_status, ready_for_guest, confidence, tags, "
        "estimated_cleaning_time, analyzed_at, analyzed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        room_number,
        analysis.image_ids[0],
        analysis.overall_status,
        analysis.ready_for_guest,
        analysis.confidence,
        list(analysis.tags),
        analysis.cleaning_minutes,
        analyzed_at,
        analyzed_by,
    )
    await connection.execute(
        "INSERT INTO room_analysis_details (analysis_id, depth, uncertain, checklist, image_ids, photo_keys, "
        "crop_keys, evidence, views, changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        analysis_id,
        analysis.depth,
        analysis.uncertain,
        dict(analysis.checklist),
        list(analysis.image_ids),
        list(analysis.photo_keys),
        list(analysis.crop_keys),
        dict(analysis.evidence),
        list(analysis.views),
        list(analysis.changes),
    )
    return analysis_id


async def find_state(connection: Connection, room_number: str) -> RoomState | None:
    row = await connection.fetchrow("SELECT * FROM room_states WHERE room_number = $1", room_number)
    return _state(row) if row else None


async def save_state(connection: Connection, room_number: str, state: NewState) -> RoomState:
    """Set a room's state; feedback leaves the moment of the last analysis as it is."""
    analyzed = state.source == "analysis"
    [row] = await connection.fetch(
        "INSERT INTO room_states AS held (room_number, status, ready_for_guest, uncertain, confidence, source, "
        "analysis_id, changed_by, changed_at, last_analyzed_at, analyzed_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (room_number) DO UPDATE SET status = $2, ready_for_guest = $3, uncertain = $4, confidence = $5, "
        "source = $6, analysis_id = COALESCE($7, held.analysis_id), changed_by = $8, changed_at = $9, "
        "last_analyzed_at = COALESCE($10, held.last_analyzed_at), "
        "analyzed_by = CASE WHEN $6 = 'analysis' THEN $11 ELSE held.analyzed_by END, version = held.version + 1 "
        "RETURNING *",
        room_number,
        state.status,
        state.ready_for_guest,
        state.uncertain,
        state.confidence,
        state.source,
        state.analysis_id,
        state.changed_by,
        state.changed_at,
        state.changed_at if analyzed else None,
        state.changed_by if analyzed else None,
    )
    return _state(row)


async def note_analysis(
    connection: Connection, room_number: str, *, analyzed_at: datetime, analyzed_by: str | None
) -> RoomState:
    """Tell that a known room was analysed, and leave its state as it is."""
    [row] = await connection.fetch(
        "UPDATE room_states SET last_analyzed_at = $2, analyzed_by = $3, version = version + 1 "
        "WHERE room_number = $1 RETURNING *",
        room_number,
        analyzed_at,
        analyzed_by,
    )
    return _state(row)


async def list_states(connection: Connection, *, status: str | None, after: str | None, limit: int) -> list[RoomState]:
    """Rooms by number, those after ``after``; only of ``status`` where one is given."""
    rows = await connection.fetch(
        "SELECT * FROM room_states WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR room_number > $2) "
        "ORDER BY room_number LIMIT $3",
        status,
        after,
        limit,
    )
    return [_state(row) for row in rows]


async def count_photos(connection: Connection, room_number: str, analysis_id: int) -> int | None:
    """How many photos that analysis of this room had, erased ones included; None where it is none of this room."""
    found: int | None = await connection.fetchval(
        "SELECT COALESCE(jsonb_array_length(image_ids), 0) FROM room_analysis_logs AS log "
        "LEFT JOIN room_analysis_details ON analysis_id = log.id WHERE log.id = $1 AND room_number = $2",
        analysis_id,
        room_number,
    )
    return found


async def add_feedback(connection: Connection, room_number: str, feedback: NewFeedback) -> int:
    """Write down what somebody said.

    Returns:
        Its id.
    """
    feedback_id: int = await connection.fetchval(
        "INSERT INTO room_feedback (room_number, analysis_id, status, checklist, note, given_by) "
        "VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        room_number,
        feedback.analysis_id,
        feedback.status,
        dict(feedback.checklist),
        feedback.note,
        feedback.given_by,
    )
    return feedback_id


async def take_expired_photos(connection: Connection, *, days: int, limit: int) -> list[str]:
    """Forget the photos of analyses older than that, and tell their object keys, those of crops too."""
    rows = await connection.fetch(
        f"{_FORGET_PHOTOS} AND log.analyzed_at < NOW() - $1 * INTERVAL '1 day' ORDER BY log.id LIMIT $2 "
        f"FOR UPDATE OF room_analysis_details SKIP LOCKED) {_FORGOTTEN}",
        days,
        limit,
    )
    return _taken(rows).every


async def take_photos(connection: Connection, room_number: str) -> TakenPhotos:
    """Forget the photos of all analyses of a room, and tell their object keys."""
    rows = await connection.fetch(
        f"{_FORGET_PHOTOS} AND log.room_number = $1 FOR UPDATE OF room_analysis_details) {_FORGOTTEN}", room_number
    )
    return _taken(rows)


_FORGET_PHOTOS = (
    "UPDATE room_analysis_details AS details SET photo_keys = '[]', crop_keys = '[]' FROM ("
    "SELECT analysis_id, photo_keys, crop_keys FROM room_analysis_details "
    "JOIN room_analysis_logs AS log ON log.id = analysis_id WHERE photo_keys <> '[]'"
)
_FORGOTTEN = "AS old WHERE details.analysis_id = old.analysis_id RETURNING old.photo_keys, old.crop_keys"


def _taken(rows: Sequence[Row]) -> TakenPhotos:
    return TakenPhotos(
        [key for row in rows for key in row["photo_keys"]], [key for row in rows for key in row["crop_keys"]]
    )


@dataclass(frozen=True, slots=True)
class CorrectedPhoto:
    """A photo whose room somebody judged; ``key`` is its object."""

    key: str
    room_number: str
    analysis_id: int
    status: str
    checklist: Mapping[str, bool]


async def corrected_photos(connection: Connection) -> list[CorrectedPhoto]:
    """The photos of every analysis that people spoke on, with what they said last."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (said.analysis_id) said.analysis_id, said.room_number, said.status, said.checklist, "
        "details.photo_keys FROM room_feedback AS said "
        "JOIN room_analysis_details AS details ON details.analysis_id = said.analysis_id "
        "ORDER BY said.analysis_id, said.id DESC"
    )
    return [
        CorrectedPhoto(key, row["room_number"], row["analysis_id"], row["status"], row["checklist"])
        for row in rows
        for key in row["photo_keys"]
    ]


def _state(row: Row) -> RoomState:
    return RoomState(**{name: row[name] for name in RoomState.__slots__})

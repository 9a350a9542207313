"""Requests and responses of room inspection."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.core.room_analyzer import ChecklistItem
from app.core.room_rules import PlacedFinding, RoomStatus, SeenThing
from app.models.bodies import ImageData
from app.models.common import ActorName, Confidence, Location, Moment, Request, Response, RoomNumber, Text
from app.models.pages import ListPage, old_name
from app.services.stores.room_store import LoggedAnalysis, RoomState
from app.types import Severity
from app.utils.cursors import Slice
from app.workflows.room import Correction, RoomReport

_MAX_PHOTOS = 10


class RoomAnalysisRequest(Request):
    """One photo in ``image``, or up to ten of the same room in ``images``."""

    image: ImageData | None = None
    images: list[ImageData] = Field(default_factory=list, max_length=_MAX_PHOTOS)
    room_number: RoomNumber
    analysis_depth: Literal["quick", "detailed"] = Field(
        "detailed", description="detailed also looks closer, part by part: surer, and slower"
    )
    room_type: Annotated[Text, Field(max_length=30)] | None = Field(
        None, description="Chooses the checklist, as ROOM_TYPE_ITEMS has it"
    )
    analyzed_by: ActorName | None = None

    @property
    def photos(self) -> list[bytes]:
        """All pictures, ``image`` first."""
        return [*([self.image] if self.image is not None else []), *self.images]

    @model_validator(mode="after")
    def _has_photos(self) -> Self:
        if not 1 <= len(self.photos) <= _MAX_PHOTOS:
            raise ValueError(f"send 1 to {_MAX_PHOTOS} pictures in image or images")
        return self


class RoomTag(Response):
    """Something that speaks against the room; ``photo`` counts from 0."""

    label: str
    confidence: Confidence
    severity: Severity
    photo: int
    location: Location | None = Field(description="Null where the place is not clear")

    @classmethod
    def of(cls, placed: PlacedFinding) -> RoomTag:
        finding = placed.finding
        return cls(
            label=finding.label,
            confidence=finding.confidence,
            severity=finding.severity,
            photo=placed.photo,
            location=Location.of_any(finding.box),
        )


class RoomChecklist(Response):
    """Null: cannot be seen in these photos, or does not apply to this type of room."""

    bed_made: bool | None = None
    bathroom_clean: bool | None = None
    towels_present: bool | None = None
    amenities_complete: bool | None = None
    floor_clean: bool | None = None


class DecidingPhoto(Response):
    """The photo that decided an item of the checklist, from 0, and how sure that is."""

    photo: int
    confidence: Confidence


class RoomThing(Response):
    """A thing that was recognised in a photo, counted from 0; for people to read: it decides nothing by itself."""

    label: str
    confidence: Confidence
    photo: int

    @classmethod
    def of(cls, thing: SeenThing) -> RoomThing:
        return cls.like(thing)


class RoomAnalysisResponse(Response):
    """The verdict."""

    room_number: str
    overall_status: RoomStatus = Field(description="What the photos show")
    room_status: RoomStatus = Field(
        description="The room's state now: as overall_status, unless a person set maintenance and nobody lifted it"
    )
    ready_for_guest: bool
    confidence: Confidence = Field(description="Probability that overall_status is right")
    uncertain: bool = Field(description="Nobody should rely on this verdict: look at the room")
    tags: list[RoomTag]
    estimated_cleaning_time_minutes: int
    checklist: RoomChecklist
    decided_by: dict[ChecklistItem, DecidingPhoto]
    not_seen: list[ChecklistItem] = Field(description="Items that apply and that no photo shows")
    not_applicable: list[ChecklistItem]
    things: list[RoomThing] = Field(description="Things that were recognised")
    no_room_photos: list[int] = Field(description="Photos, from 0, that do not look like a room: no status from them")
    analysis_id: int
    image_ids: list[str]
    analyzed_at: Moment
    analysis_time_ms: int

    @classmethod
    def of(cls, room_number: str, report: RoomReport, *, elapsed_ms: int) -> RoomAnalysisResponse:
        verdict = report.verdict
        answered = {item: checked for item, checked in verdict.checklist.items() if checked is not None}
        return cls(
            room_number=room_number,
            overall_status=verdict.status,
            room_status=RoomStatus(report.state.status),
            ready_for_guest=verdict.ready_for_guest,
            confidence=verdict.confidence,
            uncertain=verdict.uncertain,
            tags=[RoomTag.of(placed) for placed in verdict.findings],
            estimated_cleaning_time_minutes=verdict.cleaning_minutes,
            checklist=RoomChecklist.model_validate({item.value: checked.value for item, checked in answered.items()}),
            decided_by={item: DecidingPhoto.like(checked) for item, checked in answered.items()},
            not_seen=list(verdict.not_seen),
            not_applicable=list(verdict.not_applicable),
            things=[RoomThing.of(thing) for thing in verdict.things],
            no_room_photos=list(verdict.no_rooms),
            analysis_id=report.analysis_id,
            image_ids=list(report.image_ids),
            analyzed_at=report.analyzed_at,
            analysis_time_ms=elapsed_ms,
        )


class RoomStatusResponse(Response):
    """A room's current state."""

    room_number: str
    status: RoomStatus
    last_analyzed_at: Moment | None
    analyzed_by: str | None
    ready_for_guest: bool
    confidence: float
    uncertain: bool
    source: Literal["analysis", "feedback"]
    changed_at: Moment
    changed_by: str | None
    analysis_id: int | None

    @classmethod
    def of(cls, state: RoomState) -> RoomStatusResponse:
        return cls.like(state)


class RoomBoardResponse(ListPage):
    """Rooms by number."""

    items: list[RoomStatusResponse]
    rooms: list[RoomStatusResponse] = old_name("items")

    @classmethod
    def of(cls, page: Slice[RoomState], *, limit: int) -> RoomBoardResponse:
        rooms = [RoomStatusResponse.of(room) for room in page.items]
        return cls(items=rooms, rooms=rooms, next_cursor=page.next_cursor, limit=limit)


class RoomHistoryEntry(Response):
    """An analysis as it was written down; ``corrected_to`` is what people said of it later."""

    analysis_id: int
    overall_status: RoomStatus
    ready_for_guest: bool
    confidence: Confidence
    uncertain: bool
    tags: list[dict[str, object]]
    checklist: RoomChecklist
    estimated_cleaning_time_minutes: int
    analysis_depth: str
    image_ids: list[str]
    analyzed_at: Moment
    analyzed_by: str | None
    corrected_to: RoomStatus | None

    @classmethod
    def of(cls, analysis: LoggedAnalysis) -> RoomHistoryEntry:
        return cls.like(
            analysis,
            analysis_id=analysis.id,
            estimated_cleaning_time_minutes=analysis.cleaning_minutes,
            analysis_depth=analysis.depth,
        )


class RoomHistoryResponse(ListPage):
    """A room's analyses, newest first."""

    room_number: str
    items: list[RoomHistoryEntry]
    analyses: list[RoomHistoryEntry] = old_name("items")

    @classmethod
    def of(cls, room_number: str, page: Slice[LoggedAnalysis], *, limit: int) -> RoomHistoryResponse:
        entries = [RoomHistoryEntry.of(analysis) for analysis in page.items]
        return cls(room_number=room_number, items=entries, analyses=entries, next_cursor=page.next_cursor, limit=limit)


class RoomFeedbackRequest(Request):
    """What somebody who stood in the room says of it."""

    status: RoomStatus
    ready_for_guest: bool | None = Field(None, description="Default: whether the status is clean")
    checklist: dict[ChecklistItem, bool] = Field(default_factory=dict)
    note: Annotated[Text, Field(max_length=1000)] | None = None
    analysis_id: int | None = Field(None, ge=1, le=2**31 - 1, description="The analysis that this corrects")
    given_by: ActorName | None = None

    @property
    def correction(self) -> Correction:
        """What the workflow is told."""
        is_clean = self.status is RoomStatus.CLEAN
        return Correction(
            status=self.status,
            ready_for_guest=is_clean if self.ready_for_guest is None else self.ready_for_guest,
            checklist=self.checklist,
            note=self.note,
            analysis_id=self.analysis_id,
        )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.ready_for_guest and self.status is not RoomStatus.CLEAN:
            raise ValueError("a room that is not clean cannot be ready for a guest")
        return self


class RoomPhotosErasureResponse(Response):
    """The photos are out of the records, and out of the store soon after."""

    success: bool = True
    room_number: str
    photos_deleted: int

"""Requests and responses of room inspection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.core.room_analyzer import ChecklistItem
from app.core.room_changes import ChangeKind
from app.core.room_proofs import RequiredView
from app.core.room_rules import UNKNOWN, CheckedItem, PlacedFinding, RoomStatus, SeenThing
from app.core.room_views import SeenView, Subject, View
from app.models.bodies import ImageData
from app.models.common import ActorName, Confidence, Location, Moment, Request, Response, RoomNumber, Text
from app.models.pages import ListPage, old_name
from app.services.stores.defect_store import ReportedDefect
from app.services.stores.room_store import RoomState
from app.types import Severity
from app.utils.cursors import Slice
from app.workflows.room import Correction, RoomReport
from app.workflows.room_photos import PhotoKeys

_MAX_PHOTOS = 10
OverallStatus = RoomStatus | Literal["unknown"]
Link = Callable[[str], str]
"""What makes a presigned address of an object's key."""

CropUrl = Annotated[
    str | None,
    Field(
        description="The place, cut out; the whole photo where the place is not clear. Works for IMAGE_URL_LIFETIME_S"
    ),
]


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
    crop_url: CropUrl

    @classmethod
    def of(cls, placed: PlacedFinding, keys: PhotoKeys, link: Link) -> RoomTag:
        finding = placed.finding
        return cls(
            label=finding.label,
            confidence=finding.confidence,
            severity=finding.severity,
            photo=placed.photo,
            location=Location.of_any(finding.box),
            crop_url=link(keys.shown(placed.photo, finding.box)),
        )


class RoomChecklist(Response):
    """Null: cannot be seen in these photos, or does not apply to this type of room."""

    bed_made: bool | None = None
    bathroom_clean: bool | None = None
    towels_present: bool | None = None
    amenities_complete: bool | None = None
    floor_clean: bool | None = None


class DecidingPhoto(Response):
    """The photo that decided an item of the checklist, from 0, how sure that is, and where in it."""

    photo: int
    confidence: Confidence
    location: Location | None = Field(description="Null where the place is not clear")
    crop_url: CropUrl

    @classmethod
    def of(cls, checked: CheckedItem, keys: PhotoKeys, link: Link) -> DecidingPhoto:
        location = Location.of_any(checked.box)
        return cls.like(checked, location=location, crop_url=link(keys.shown(checked.photo, checked.box)))


class PhotoView(Response):
    """What a photo shows, counted from 0: only findings that this view can show are told."""

    photo: int
    view: View
    confidence: Confidence
    room: View | None = Field(description="The kind of room, of a detail too; null where none is shown")
    visible: list[Subject] = Field(description="Things of which something may be said")

    @classmethod
    def of(cls, photo: int, seen: SeenView) -> PhotoView:
        visible = [subject for subject in Subject if seen.shows(subject)]
        return cls.like(seen, photo=photo, visible=visible)


class RoomThing(Response):
    """A thing that was recognised in a photo, counted from 0; for people to read: it decides nothing by itself."""

    label: str
    confidence: Confidence
    photo: int

    @classmethod
    def of(cls, thing: SeenThing) -> RoomThing:
        return cls.like(thing)


class RoomChange(Response):
    """What is otherwise than in the reference. Of a thing that moved, `reference_location` is where it stood before."""

    kind: ChangeKind
    confidence: Confidence
    photo: int
    location: Location
    crop_url: str = Field(description="The place in the photo, cut out. Works for IMAGE_URL_LIFETIME_S")
    reference_photo: int
    reference_location: Location = Field(description="In pixels of the stored reference photo")


class RoomItemCount(Response):
    """Things that the reference has by this name; those neither found nor missing could not be seen, or not clearly."""

    name: str
    expected: int
    found: int
    missing: int


class RoomAnalysisResponse(Response):
    """The verdict."""

    room_number: str
    overall_status: OverallStatus = Field(description="What the photos show; unknown changes nothing")
    message: str | None = Field(description="Why the status is unknown")
    room_status: RoomStatus | None = Field(
        description="The room's state now: as overall_status, unless that is unknown, or a person set maintenance and "
        "nobody lifted it; null where nothing was ever decided"
    )
    ready_for_guest: bool
    confidence: Confidence = Field(description="Probability that overall_status is right")
    uncertain: bool = Field(description="Nobody should rely on this verdict: look at the room")
    tags: list[RoomTag]
    estimated_cleaning_time_minutes: int
    cleaning_time_from: Literal["findings", "cleanings"] = Field(
        description="The sum of ROOM_CLEANING_MINUTES, or what rooms of this type took to clean"
    )
    checklist: RoomChecklist
    decided_by: dict[ChecklistItem, DecidingPhoto]
    not_seen: list[ChecklistItem] = Field(description="Items that apply and that no photo shows")
    not_applicable: list[ChecklistItem]
    views: list[PhotoView] = Field(description="What each photo shows, in their order")
    views_missing: list[RequiredView] = Field(
        description="Views that ROOM_REQUIRED_VIEWS asks for and that nothing showed in order, neither these photos "
        "nor those of the last ROOM_VIEWS_WINDOW_MIN"
    )
    compared_with: list[int | None] = Field(
        description="By photo the reference photo of the same view; null: there is none. Empty without a reference"
    )
    changes: list[RoomChange] = Field(description="Against the reference of the room, or of its type")
    items: list[RoomItemCount] = Field(description="What the reference has marked, counted")
    things: list[RoomThing] = Field(description="Things that were recognised")
    no_room_photos: list[int] = Field(description="Photos, from 0, that do not look like a room: no status from them")
    analysis_id: int
    image_ids: list[str]
    analyzed_at: Moment
    analysis_time_ms: int

    @classmethod
    def of(cls, room_number: str, report: RoomReport, link: Link, *, elapsed_ms: int) -> RoomAnalysisResponse:
        verdict, keys = report.verdict, report.keys
        answered = {item: checked for item, checked in verdict.checklist.items() if checked is not None}
        return cls(
            room_number=room_number,
            overall_status=verdict.status or UNKNOWN,
            message=verdict.message,
            room_status=RoomStatus(report.state.status) if report.state else None,
            ready_for_guest=verdict.ready_for_guest,
            confidence=verdict.confidence,
            uncertain=verdict.uncertain,
            tags=[RoomTag.of(placed, keys, link) for placed in verdict.findings],
            estimated_cleaning_time_minutes=report.cleaning_minutes,
            cleaning_time_from="cleanings" if report.minutes_learnt else "findings",
            checklist=RoomChecklist.model_validate({item.value: checked.value for item, checked in answered.items()}),
            decided_by={item: DecidingPhoto.of(checked, keys, link) for item, checked in answered.items()},
            not_seen=list(verdict.not_seen),
            not_applicable=list(verdict.not_applicable),
            views=[PhotoView.of(number, seen) for number, seen in enumerate(verdict.views)],
            views_missing=list(verdict.views_missing),
            compared_with=[one.reference_photo for one in report.changes.photos] if report.changes else [],
            changes=_changes(report, link),
            items=[RoomItemCount.like(count) for count in report.changes.counts] if report.changes else [],
            things=[RoomThing.of(thing) for thing in verdict.things],
            no_room_photos=list(verdict.no_rooms),
            analysis_id=report.analysis_id,
            image_ids=list(keys.image_ids),
            analyzed_at=report.analyzed_at,
            analysis_time_ms=elapsed_ms,
        )


def _changes(report: RoomReport, link: Link) -> list[RoomChange]:
    return [
        RoomChange.like(
            change,
            photo=photo,
            location=Location.of(change.box),
            crop_url=link(report.keys.shown(photo, change.box)),
            reference_photo=compared.reference_photo,
            reference_location=Location.of(change.reference_box),
        )
        for photo, compared in enumerate(report.changes.photos if report.changes else ())
        for change in compared.changes
    ]


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


class DefectReport(Request):
    """Something broken; a ticket is opened for it, or brought up to date where the room has one with this label."""

    label: Annotated[Text, Field(min_length=1, max_length=50, examples=["lamp_broken"])]
    note: Annotated[Text, Field(max_length=1000)] | None = None
    photo: int | None = Field(None, ge=0, lt=_MAX_PHOTOS, description="Of the analysis that analysis_id names")


class RoomFeedbackRequest(Request):
    """What somebody who stood in the room says of it."""

    status: RoomStatus
    ready_for_guest: bool | None = Field(None, description="Default: whether the status is clean")
    checklist: dict[ChecklistItem, bool] = Field(default_factory=dict)
    note: Annotated[Text, Field(max_length=1000)] | None = None
    analysis_id: int | None = Field(None, ge=1, le=2**31 - 1, description="The analysis that this corrects")
    given_by: ActorName | None = None
    defects: Annotated[list[DefectReport], Field(max_length=10)] = Field(
        default=[],
        description="What is broken. Maintenance without any opens one named so, with the note and the first photo",
    )

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
            defects=tuple(ReportedDefect(one.label, one.note, one.photo) for one in self._defects),
        )

    @property
    def _defects(self) -> list[DefectReport]:
        if self.defects or self.status is not RoomStatus.MAINTENANCE:
            return self.defects
        photo = 0 if self.analysis_id is not None else None
        return [DefectReport(label=RoomStatus.MAINTENANCE.value, note=self.note, photo=photo)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.ready_for_guest and self.status is not RoomStatus.CLEAN:
            raise ValueError("a room that is not clean cannot be ready for a guest")
        if self.analysis_id is None and any(defect.photo is not None for defect in self.defects):
            raise ValueError("name the analysis_id that a defect's photo is of")
        return self


class RoomPhotosErasureResponse(Response):
    """The photos are out of the records, and out of the store soon after."""

    success: bool = True
    room_number: str
    photos_deleted: int

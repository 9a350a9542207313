"""Requests and responses of the work in rooms: cleanings and defects."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.models.common import ActorName, Moment, Request, Response, Text
from app.models.pages import ListPage
from app.workflows.housekeeping import Cleaning, CleaningTime, Defect, DefectState, Housekeeping

RoomType = Annotated[Text, Field(max_length=30)]


class CleaningRequest(Request):
    """Start or stop. A start that is sent again changes nothing; a stop needs a start of the last four hours."""

    action: Literal["start", "stop"]
    room_type: RoomType | None = Field(None, description="As in analyses: times are learnt by it. Of a start alone")
    cleaned_by: ActorName | None = None


class CleaningResponse(Response):
    """The cleaning that goes on, or has just ended."""

    room_number: str
    room_type: str | None
    started_at: Moment
    started_by: str | None
    stopped_at: Moment | None
    stopped_by: str | None
    minutes: float | None = Field(description="How long it took")

    @classmethod
    def of(cls, cleaning: Cleaning) -> CleaningResponse:
        took = (cleaning.stopped_at - cleaning.started_at).total_seconds() / 60 if cleaning.stopped_at else None
        return cls.like(
            cleaning, room_type=cleaning.room_type or None, minutes=None if took is None else round(took, 1)
        )


class LearntCleaningTime(Response):
    """What the newest cleanings of a type of room took, 50 at most; null is the type of those without one."""

    room_type: str | None
    cleanings: int
    median_minutes: int
    slow_minutes: int = Field(description="Nine of ten took no longer")

    @classmethod
    def of(cls, time: CleaningTime) -> LearntCleaningTime:
        return cls.like(time, room_type=time.room_type or None)


class CleaningTimesResponse(Response):
    """By type of room; a type with fewer than five cleanings has no time yet."""

    items: list[LearntCleaningTime]

    @classmethod
    def of(cls, times: list[CleaningTime]) -> CleaningTimesResponse:
        return cls(items=[LearntCleaningTime.of(time) for time in times])


class DefectInfo(Response):
    """A ticket for something broken in a room."""

    defect_id: UUID
    room_number: str
    label: str
    note: str | None
    state: DefectState
    analysis_id: int | None
    photo_url: str | None = Field(
        description="What shows it, for IMAGE_URL_LIFETIME_S; null without a photo, or once that is erased"
    )
    reported_at: Moment
    reported_by: str | None
    changed_at: Moment
    changed_by: str | None

    @classmethod
    def of(cls, defect: Defect, housekeeping: Housekeeping) -> DefectInfo:
        return cls.like(defect, photo_url=housekeeping.link(defect.photo_key) if defect.photo_key else None)


class DefectsResponse(ListPage):
    """Tickets, newest first."""

    items: list[DefectInfo]


class DefectChangeRequest(Request):
    """What to change of a ticket."""

    state: DefectState | None = None
    note: Annotated[Text, Field(max_length=1000)] | None = None
    changed_by: ActorName | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.state is None and self.note is None:
            raise ValueError("send state, note or both")
        return self

"""What a camera always sees, for people to look through."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from app.core.looks import FRAME, PLANS
from app.core.views import view_places
from app.models.common import Moment, Response
from app.types import Box
from app.workflows.safety.baseline import Baseline, FalseAlarm, UsualPlaceRecord

_PLACES = view_places(PLANS[FRAME])


class PlaceInfo(Response):
    """A part of the picture, in fractions of its width and height, the origin at the top left."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, view: int) -> PlaceInfo:
        box = _PLACES[view] if view < len(_PLACES) else Box(0, 0, 1, 1)
        return cls(x=round(box.x1, 4), y=round(box.y1, 4), width=round(box.width, 4), height=round(box.height, 4))


class UsualPlaceInfo(Response):
    """What looks like a hazard there, as the camera learnt it."""

    place: PlaceInfo
    counts: bool = Field(description="Whether it is usual now: seen for long enough, at this hour of the day")
    hours: list[int] = Field(description="Hours of the day in which it was seen, in the hotel's time zone")
    samples: int
    first_seen_at: Moment
    last_seen_at: Moment

    @classmethod
    def of(cls, record: UsualPlaceRecord, baseline: Baseline) -> UsualPlaceInfo:
        hours = [hour for hour in range(24) if record.hours >> hour & 1]
        return cls.like(record, place=PlaceInfo.of(record.view), counts=record.id in baseline.counting, hours=hours)


class FalseAlarmInfo(Response):
    """An incident that somebody called a false alarm, and the places that raise none again while they look so."""

    incident_id: int
    incident_public_id: UUID
    type: str
    told_by: str
    told_at: Moment
    places: list[PlaceInfo]

    @classmethod
    def of(cls, alarm: FalseAlarm) -> FalseAlarmInfo:
        return cls.like(alarm, type=alarm.anomaly_type, places=[PlaceInfo.of(view) for view in alarm.views])


class BaselineResponse(Response):
    """What is no news at a camera: learnt, the latest first, and told by people, the newest first."""

    camera_id: str
    usual: list[UsualPlaceInfo]
    false_alarms: list[FalseAlarmInfo]

    @classmethod
    def of(cls, camera_id: str, baseline: Baseline) -> BaselineResponse:
        return cls(
            camera_id=camera_id,
            usual=[UsualPlaceInfo.of(record, baseline) for record in baseline.learnt],
            false_alarms=[FalseAlarmInfo.of(alarm) for alarm in baseline.false_alarms],
        )


class BaselineDeletionResponse(Response):
    """What the camera had learnt is forgotten; it learns again."""

    success: bool = True
    id: str
    places_forgotten: int

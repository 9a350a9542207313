"""Requests and responses of anomaly detection and incidents: the spec's fields, then ours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.core.anomalies import AnomalyType
from app.models.bodies import ImageData
from app.models.common import ActorName, CameraId, Location, Moment, Request, Response

_PICTURE = "/9j/4AAQSkZJRg…"
Score = Annotated[float, Field(ge=0, le=1)]
SeverityName = Literal["low", "medium", "high"]

DEFAULT_TYPES = (AnomalyType.FIRE, AnomalyType.FLOOD, AnomalyType.INTRUSION)


class AnomalyDetectionRequest(Request):
    """A camera's frame."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "image": _PICTURE,
                "camera_id": "cam_hallway_03",
                "detection_types": ["fire", "flood", "intrusion"],
                "timestamp": "2025-01-17T14:30:00Z",
            }
        }
    )

    image: ImageData
    camera_id: CameraId
    detection_types: Annotated[list[AnomalyType], Field(min_length=1, max_length=10)] = Field(
        list(DEFAULT_TYPES), description="Smoke is reported wherever fire is asked for"
    )
    timestamp: datetime | None = Field(None, description="When the frame was taken; now, if omitted")


class AnomalyInfo(Response):
    """One finding. `alert` is true where it is reason enough for an incident."""

    type: AnomalyType
    confidence: Score
    location: Location | None = Field(description="Null where the picture as a whole says so")
    severity: SeverityName
    alert: bool
    description: str
    detection_id: int
    incident_id: int | None = Field(description="The incident that this began or goes on with")
    zone: str | None = None


class AnomalyDetectionResponse(Response):
    """What was found, surest first."""

    anomalies_detected: bool
    count: int
    anomalies: list[AnomalyInfo]
    camera_id: str
    timestamp: Moment
    detection_time_ms: int


class IncidentInfo(Response):
    """Something that went on at a camera."""

    id: int
    camera_id: str
    type: str
    zone: str | None
    origin: Literal["request", "camera"]
    severity: SeverityName
    confidence: Score = Field(description="Of its surest detection")
    description: str
    status: Literal["active", "ended", "resolved"]
    started_at: Moment
    last_seen_at: Moment
    ended_at: Moment | None
    alerted_at: Moment | None
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    resolved_at: Moment | None
    resolved_by: str | None
    detections: int
    frame_url: str | None = Field(description="The newest stored frame; the link works for some minutes")


class IncidentsResponse(Response):
    """A page of incidents, newest first."""

    incidents: list[IncidentInfo]
    count: int
    next_before: int | None = Field(description="Send as `before` for the next page; null on the last one")


class IncidentActionRequest(Request):
    """Who acknowledges or resolves."""

    by: ActorName | None = None

"""Requests and responses of anomaly detection and incidents: the spec's fields, then ours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.anomalies import AnomalyType, Reliability, WaterKind
from app.models.bodies import ImageData
from app.models.common import ActorName, CameraId, Location, Moment, Request, Response, Score, Text
from app.models.pages import ListPage, old_name
from app.utils import clock
from app.utils.cursors import Slice
from app.workflows.safety.anomaly import AnomalyReport
from app.workflows.safety.incidents import Finding, Incident, IncidentBook, Note, OriginalFrame, Recorded

_PICTURE = "picture:room.jpg"
SeverityName = Literal["low", "medium", "high"]
IncidentType = Literal["fire", "smoke", "flood", "intrusion", "loitering", "line_crossed", "test"]

_FRAME_LINK_S = 900

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
    incident_public_id: UUID | None
    zone: str | None = None
    kind: WaterKind | None = Field(None, description="Of a flood: where the water is")
    reliability: Reliability = Field(description="Where such findings were measured: in such a place, or `untested`")

    @classmethod
    def of(cls, finding: Finding, recorded: Recorded) -> AnomalyInfo:
        return cls.like(
            finding,
            type=finding.anomaly_type,
            location=Location.of_any(finding.box),
            severity=finding.severity.value,
            kind=finding.water,
            detection_id=recorded.detection_id,
            incident_id=recorded.incident_id,
            incident_public_id=recorded.incident.public_id if recorded.incident else None,
        )


class AnomalyDetectionResponse(Response):
    """What was found, surest first."""

    anomalies_detected: bool
    count: int
    anomalies: list[AnomalyInfo]
    camera_id: str
    timestamp: Moment
    detection_time_ms: int

    @classmethod
    def of(cls, camera_id: str, report: AnomalyReport, *, elapsed_ms: int) -> AnomalyDetectionResponse:
        found = [AnomalyInfo.of(*pair) for pair in zip(report.findings, report.recorded, strict=True)]
        return cls(
            anomalies_detected=bool(found),
            count=len(found),
            anomalies=found,
            camera_id=camera_id,
            timestamp=clock.now(),
            detection_time_ms=elapsed_ms,
        )


class IncidentInfo(Response):
    """Something that went on at a camera."""

    id: int
    public_id: UUID
    camera_id: str
    type: str
    zone: str | None
    origin: Literal["request", "camera", "test"]
    severity: SeverityName
    confidence: Score = Field(description="Of its surest detection")
    description: str
    status: Literal["active", "ended", "resolved"]
    started_at: Moment
    last_seen_at: Moment
    ended_at: Moment | None
    alerted_at: Moment | None = Field(description="Null while the camera is muted")
    escalated_at: Moment | None = Field(description="When the alert was repeated at level 2")
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    resolved_at: Moment | None
    resolved_by: str | None
    false_alarm_at: Moment | None = Field(description="When somebody said that nothing had happened")
    false_alarm_by: str | None
    detections: int
    frame_url: str | None = Field(description="The newest stored frame; the link works for some minutes")
    marked_frame_url: str | None = Field(
        description="The frame that decided, with the boxes of what was found; null where nothing has a box"
    )
    clip_url: str | None = Field(
        description="An MP4 of the seconds around its beginning, some seconds after; of cameras alone"
    )

    @classmethod
    def of(cls, incident: Incident, incidents: IncidentBook) -> IncidentInfo:
        """
        Args:
            incidents: signs the link to the frame.
        """
        status = "resolved" if incident.resolved_at else "ended" if incident.ended_at else "active"
        return cls.like(
            incident,
            type=incident.anomaly_type,
            status=status,
            frame_url=_link(incidents, incident.frame_key),
            marked_frame_url=_link(incidents, incident.marked_key),
            clip_url=_link(incidents, incident.clip_key),
        )


def _link(incidents: IncidentBook, key: str | None) -> str | None:
    return incidents.frame_url(key, lifetime_s=_FRAME_LINK_S) if key else None


class IncidentsResponse(ListPage):
    """A page of incidents, newest first."""

    items: list[IncidentInfo]
    incidents: list[IncidentInfo] = old_name("items")
    count: int
    next_before: int | None = old_name("next_cursor")

    @classmethod
    def of(cls, page: Slice[Incident], incidents: IncidentBook, *, limit: int) -> IncidentsResponse:
        found = [IncidentInfo.of(incident, incidents) for incident in page.items]
        return cls(
            items=found,
            incidents=found,
            count=len(found),
            next_before=page.items[-1].id if page.next_cursor else None,
            next_cursor=page.next_cursor,
            limit=limit,
        )


class NoteInfo(Response):
    """What somebody wrote about an incident."""

    id: int
    text: str
    written_by: str
    written_at: Moment


class IncidentDetail(IncidentInfo):
    """An incident with its notes, oldest first."""

    notes: list[NoteInfo]

    @classmethod
    def of_noted(cls, incident: Incident, notes: list[Note], incidents: IncidentBook) -> IncidentDetail:
        """An incident and its notes as stored; ``incidents`` as for ``of``."""
        shown = IncidentInfo.of(incident, incidents).model_dump()
        return cls.model_validate({**shown, "notes": [NoteInfo.like(note) for note in notes]})


class NoteRequest(Request):
    """What to write about an incident."""

    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    by: ActorName | None = None


class OriginalsRequest(Request):
    """Why somebody has to see faces."""

    reason: Annotated[Text, Field(min_length=3, max_length=500, description="Kept in the audit")]
    by: ActorName | None = None


class OriginalFrameInfo(Response):
    """A frame as its camera saw it."""

    detection_id: int
    seen_at: Moment
    url: str = Field(description="Works for some minutes")


class OriginalsResponse(Response):
    """An incident's pictures with all faces."""

    incident_id: int
    public_id: UUID
    frames: list[OriginalFrameInfo] = Field(description="The newest 100, newest first")
    clip_url: str | None

    @classmethod
    def of(cls, incident: Incident, frames: list[OriginalFrame], incidents: IncidentBook) -> OriginalsResponse:
        """
        Args:
            incidents: signs the links.
        """
        return cls(
            incident_id=incident.id,
            public_id=incident.public_id,
            frames=[OriginalFrameInfo.like(frame, url=_link(incidents, frame.key)) for frame in frames],
            clip_url=_link(incidents, incident.original_clip_key or incident.clip_key),
        )


class IncidentActionRequest(Request):
    """Who acknowledges or resolves."""

    by: ActorName | None = None


class FalseAlarmResponse(IncidentInfo):
    """The incident, resolved, and what is held back by it at its camera from now on."""

    places_held_back: int = Field(
        description="Views of its frames that raise no alarm again while they look so; 0 where the camera is not "
        "registered, the frames are gone, or the incident was about people"
    )

    @classmethod
    def with_places(cls, incident: Incident, places: int, incidents: IncidentBook) -> FalseAlarmResponse:
        """As ``of``, with the number of places."""
        return cls.model_validate({**IncidentInfo.of(incident, incidents).model_dump(), "places_held_back": places})


class FrameErasureResponse(Response):
    """The frames are out of the records, and out of the store soon after."""

    success: bool = True
    incident_id: int
    public_id: UUID
    frames_deleted: int

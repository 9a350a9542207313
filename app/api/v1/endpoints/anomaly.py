"""Hazards and intruders in single frames, and the incidents that they and the cameras begin."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.references import MAX_INCIDENT_ID, IncidentReference
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Zone, resource
from app.models.anomaly import (
    AnomalyDetectionRequest,
    AnomalyDetectionResponse,
    FalseAlarmResponse,
    FrameErasureResponse,
    IncidentActionRequest,
    IncidentDetail,
    IncidentInfo,
    IncidentsResponse,
    IncidentType,
    NoteRequest,
    OriginalsRequest,
    OriginalsResponse,
)
from app.models.bodies import body_of, json_of, optional_json_of
from app.models.common import CameraId
from app.models.pages import Cursor
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.safety.anomaly import AnomalyWorkflow
from app.workflows.safety.false_alarms import FalseAlarms
from app.workflows.safety.incidents import IncidentBook, IncidentFilter

router = APIRouter(prefix="/anomaly", tags=["anomaly"], route_class=MarkedRoute)

Anomalies = Annotated[AnomalyWorkflow, Depends(resource(lambda resources: resources.safety.anomalies))]
Incidents = Annotated[IncidentBook, Depends(resource(lambda resources: resources.safety.incidents))]
Feedback = Annotated[FalseAlarms, Depends(resource(lambda resources: resources.safety.false_alarms))]
Watcher = Annotated[Caller, Depends(require(Scope.ANOMALY))]
Investigator = Annotated[Caller, Depends(require(Scope.ORIGINALS))]
Action = Annotated[IncidentActionRequest | None, Depends(optional_json_of(IncidentActionRequest))]


@router.post("/detect", dependencies=[IDEMPOTENT])
async def detect_anomalies(
    caller: Watcher,
    request: Annotated[AnomalyDetectionRequest, Depends(body_of(AnomalyDetectionRequest))],
    anomalies: Anomalies,
    zone: Zone,
) -> AnomalyDetectionResponse:
    """Look at one frame for fire, smoke, water and people; alerts go out as `anomaly.alerts`."""
    watch = clock.Stopwatch()
    report = await anomalies.detect(
        request.image,
        camera_id=request.camera_id,
        types=frozenset(request.detection_types),
        taken_at=clock.to_utc(request.timestamp or clock.now(), zone),
        actor=caller.label,
    )
    return AnomalyDetectionResponse.of(request.camera_id, report, elapsed_ms=watch.elapsed_ms)


@router.get("/incidents")
async def list_incidents(
    caller: Watcher,
    incidents: Incidents,
    link: Linker,
    camera_id: Annotated[CameraId | None, Query()] = None,
    anomaly_type: Annotated[IncidentType | None, Query(alias="type")] = None,
    status: Annotated[Literal["open", "resolved"] | None, Query(description="Open: not resolved yet")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_INCIDENT_ID, deprecated=True, description="Only smaller ids")
    ] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> IncidentsResponse:
    """Incidents, newest first."""
    wanted = IncidentFilter(
        camera_id=camera_id,
        anomaly_type=anomaly_type,
        resolved=None if status is None else status == "resolved",
    )
    page = await incidents.list_incidents(
        wanted, before=before or MAX_INCIDENT_ID, cursor=cursor, limit=limit, actor=caller.label
    )
    return linked(IncidentsResponse.of(page, incidents, limit=limit), link)


@router.get("/incidents/{incident_id}")
async def get_incident(incident_id: IncidentReference, caller: Watcher, incidents: Incidents) -> IncidentDetail:
    """One incident with its notes."""
    return IncidentDetail.of_noted(*await incidents.get(incident_id, actor=caller.label), incidents)


@router.post("/incidents/{incident_id}/originals")
async def see_incident_originals(
    incident_id: IncidentReference,
    caller: Investigator,
    request: Annotated[OriginalsRequest, Depends(json_of(OriginalsRequest))],
    incidents: Incidents,
) -> OriginalsResponse:
    """Frames and clip with all faces, for somebody who has to know who was there; the audit keeps who and why."""
    actor = caller.signature(request.by)
    return OriginalsResponse.of(*await incidents.originals(incident_id, reason=request.reason, actor=actor), incidents)


@router.post("/incidents/{incident_id}/notes", status_code=201, dependencies=[IDEMPOTENT])
async def add_incident_note(
    incident_id: IncidentReference,
    caller: Watcher,
    request: Annotated[NoteRequest, Depends(json_of(NoteRequest))],
    incidents: Incidents,
) -> IncidentDetail:
    """Write something about it."""
    noted = await incidents.add_note(incident_id, request.text, actor=caller.signature(request.by))
    return IncidentDetail.of_noted(*noted, incidents)


@router.post("/incidents/{incident_id}/acknowledge", dependencies=[IDEMPOTENT])
async def acknowledge_incident(
    incident_id: IncidentReference, caller: Watcher, incidents: Incidents, action: Action
) -> IncidentInfo:
    """Say that somebody has seen it; the first one is kept."""
    actor = caller.signature(action.by if action else None)
    return IncidentInfo.of(await incidents.acknowledge(incident_id, actor=actor), incidents)


@router.post("/incidents/{incident_id}/resolve", dependencies=[IDEMPOTENT])
async def resolve_incident(
    incident_id: IncidentReference, caller: Watcher, incidents: Incidents, action: Action
) -> IncidentInfo:
    """Close it; doing so again changes nothing."""
    actor = caller.signature(action.by if action else None)
    return IncidentInfo.of(await incidents.resolve(incident_id, actor=actor), incidents)


@router.post("/incidents/{incident_id}/false-alarm", dependencies=[IDEMPOTENT])
async def tell_false_alarm(
    incident_id: IncidentReference, caller: Watcher, feedback: Feedback, incidents: Incidents, action: Action
) -> FalseAlarmResponse:
    """Nothing had happened: resolves it, and what looked like it there raises no alarm at that camera again."""
    incident, places = await feedback.report(incident_id, actor=caller.signature(action.by if action else None))
    return FalseAlarmResponse.with_places(incident, places, incidents)


@router.delete("/incidents/{incident_id}/false-alarm")
async def take_back_false_alarm(
    incident_id: IncidentReference, caller: Watcher, feedback: Feedback, incidents: Incidents
) -> IncidentInfo:
    """It was an alarm after all: what looks like it raises alarms again. The incident stays resolved."""
    return IncidentInfo.of(await feedback.take_back(incident_id, actor=caller.label), incidents)


@router.delete("/incidents/{incident_id}/frames")
async def erase_incident_frames(
    incident_id: IncidentReference, caller: Watcher, incidents: Incidents
) -> FrameErasureResponse:
    """Erase the stored frames of an incident; the incident itself stays."""
    incident, erased = await incidents.erase_frames(incident_id, actor=caller.label)
    return FrameErasureResponse(incident_id=incident.id, public_id=incident.public_id, frames_deleted=erased)

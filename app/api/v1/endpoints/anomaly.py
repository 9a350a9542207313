"""Hazards and intruders in single frames, and the incidents that they and the cameras begin."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from app.api.security import require
from app.core.anomalies import AnomalyType
from app.dependencies import Zone, resource
from app.models.anomaly import (
    AnomalyDetectionRequest,
    AnomalyDetectionResponse,
    AnomalyInfo,
    IncidentActionRequest,
    IncidentInfo,
    IncidentsResponse,
)
from app.models.bodies import body_of, optional_json_of
from app.models.common import CameraId, Location
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.safety.anomaly import AnomalyWorkflow
from app.workflows.safety.incidents import Incident, IncidentBook, IncidentFilter

router = APIRouter(prefix="/anomaly", tags=["anomaly"])

Anomalies = Annotated[AnomalyWorkflow, Depends(resource(lambda resources: resources.safety.anomalies))]
Incidents = Annotated[IncidentBook, Depends(resource(lambda resources: resources.safety.incidents))]
Watcher = Annotated[Caller, Depends(require("anomaly"))]
MAX_ID = 2**63 - 1
IncidentPath = Annotated[int, Path(ge=1, le=MAX_ID)]
Action = Annotated[IncidentActionRequest | None, Depends(optional_json_of(IncidentActionRequest))]

_FRAME_LINK_S = 900


@router.post("/detect")
async def detect_anomalies(
    caller: Watcher,
    request: Annotated[AnomalyDetectionRequest, Depends(body_of(AnomalyDetectionRequest))],
    anomalies: Anomalies,
    zone: Zone,
) -> AnomalyDetectionResponse:
    """Look at one frame for fire, smoke, water and people; alerts go out as `anomaly.alerts`."""
    started_at = time.perf_counter()
    report = await anomalies.detect(
        request.image,
        camera_id=request.camera_id,
        types=frozenset(request.detection_types),
        taken_at=clock.to_utc(request.timestamp or clock.now(), zone),
        actor=caller.label,
    )
    found = [
        AnomalyInfo(
            type=AnomalyType(finding.anomaly_type),
            confidence=round(finding.confidence, 4),
            location=None if finding.box is None else Location.of(finding.box),
            severity=finding.severity.value,
            alert=finding.alert,
            description=finding.description,
            detection_id=recorded.detection_id,
            incident_id=recorded.incident_id,
            zone=finding.zone,
        )
        for finding, recorded in zip(report.findings, report.recorded, strict=True)
    ]
    return AnomalyDetectionResponse(
        anomalies_detected=bool(found),
        count=len(found),
        anomalies=found,
        camera_id=request.camera_id,
        timestamp=clock.now(),
        detection_time_ms=round((time.perf_counter() - started_at) * 1000),
    )


@router.get("/incidents")
async def list_incidents(
    _: Watcher,
    incidents: Incidents,
    camera_id: Annotated[CameraId | None, Query()] = None,
    anomaly_type: Annotated[AnomalyType | None, Query(alias="type")] = None,
    status: Annotated[Literal["open", "resolved"] | None, Query(description="Open: not resolved yet")] = None,
    before: Annotated[int, Query(ge=1, le=MAX_ID, description="Only ids smaller than this")] = MAX_ID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> IncidentsResponse:
    """Incidents, newest first."""
    wanted = IncidentFilter(
        camera_id=camera_id,
        anomaly_type=anomaly_type.value if anomaly_type else None,
        resolved=None if status is None else status == "resolved",
    )
    found = await incidents.list_incidents(wanted, before=before, limit=limit)
    return IncidentsResponse(
        incidents=[_info(incident, incidents) for incident in found],
        count=len(found),
        next_before=found[-1].id if len(found) == limit else None,
    )


@router.post("/incidents/{incident_id}/acknowledge")
async def acknowledge_incident(
    incident_id: IncidentPath, caller: Watcher, incidents: Incidents, action: Action
) -> IncidentInfo:
    """Say that somebody has seen it; the first one is kept."""
    return _info(await incidents.acknowledge(incident_id, actor=_actor(action, caller)), incidents)


@router.post("/incidents/{incident_id}/resolve")
async def resolve_incident(
    incident_id: IncidentPath, caller: Watcher, incidents: Incidents, action: Action
) -> IncidentInfo:
    """Close it; doing so again changes nothing."""
    return _info(await incidents.resolve(incident_id, actor=_actor(action, caller)), incidents)


def _actor(action: IncidentActionRequest | None, caller: Caller) -> str:
    return action.by if action is not None and action.by else caller.label[:20]


def _info(incident: Incident, incidents: IncidentBook) -> IncidentInfo:
    status = "resolved" if incident.resolved_at else "ended" if incident.ended_at else "active"
    frame_url = incidents.frame_url(incident.frame_key, lifetime_s=_FRAME_LINK_S) if incident.frame_key else None
    same = {
        name: getattr(incident, name)
        for name in IncidentInfo.model_fields
        if name not in ("type", "status", "frame_url")
    }
    return IncidentInfo.model_validate(
        {**same, "type": incident.anomaly_type, "status": status, "frame_url": frame_url}
    )

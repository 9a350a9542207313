"""Cameras that the service reads by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from app.api.conditional import CONDITIONAL
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import StreamReader, opened_for, require
from app.dependencies import Zone, resource
from app.models.anomaly import IncidentInfo
from app.models.baseline import BaselineDeletionResponse, BaselineResponse
from app.models.bodies import json_of
from app.models.camera import (
    AlarmsRequest,
    AlarmsResponse,
    CameraChangeRequest,
    CameraCreateRequest,
    CameraDeletionResponse,
    CameraInfo,
    CamerasResponse,
    CameraTestRequest,
    CameraTestResponse,
)
from app.models.camera_discovery import CameraDiscoveryRequest, CameraDiscoveryResponse
from app.models.common import CameraId
from app.models.pages import Cursor
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.cameras.discovery import CameraDiscovery
from app.workflows.cameras.probe import CameraProbe
from app.workflows.cameras.registry import Camera, CameraRegistry
from app.workflows.cameras.supervisor import CameraSupervisor
from app.workflows.cameras.viewer import BOUNDARY, CameraViewer
from app.workflows.safety.alarms import AlarmPanel
from app.workflows.safety.baseline import CameraBaselines
from app.workflows.safety.incidents import IncidentBook

router = APIRouter(prefix="/cameras", tags=["cameras"], route_class=MarkedRoute)

Cameras = Annotated[CameraSupervisor, Depends(resource(lambda resources: resources.safety.supervisor))]
Registry = Annotated[CameraRegistry, Depends(resource(lambda resources: resources.safety.registry))]
Alarms = Annotated[AlarmPanel, Depends(resource(lambda resources: resources.safety.alarms))]
LiveViews = Annotated[CameraViewer, Depends(resource(lambda resources: resources.safety.viewer))]
Probe = Annotated[CameraProbe, Depends(resource(lambda resources: resources.safety.probe))]
Discovery = Annotated[CameraDiscovery, Depends(resource(lambda resources: resources.safety.discovery))]
Incidents = Annotated[IncidentBook, Depends(resource(lambda resources: resources.safety.incidents))]
Baselines = Annotated[CameraBaselines, Depends(resource(lambda resources: resources.safety.baselines))]
Viewer = Annotated[Caller, Depends(require(Scope.CAMERAS_READ))]
Operator = Annotated[Caller, Depends(require(Scope.CAMERAS_WRITE))]
CameraPath = Annotated[CameraId, Path(examples=["cam_store_01"])]


@router.post("", status_code=201, dependencies=[IDEMPOTENT])
async def add_camera(
    caller: Operator,
    request: Annotated[CameraCreateRequest, Depends(json_of(CameraCreateRequest))],
    registry: Registry,
    cameras: Cameras,
    zone: Zone,
) -> CameraInfo:
    """Register a camera; reading begins within a moment."""
    camera = await registry.add(request.id, request.plan(zone), actor=caller.label)
    return await _info(camera, cameras)


@router.get("")
async def list_cameras(
    _: Viewer,
    registry: Registry,
    cameras: Cameras,
    link: Linker,
    after: Annotated[str, Query(max_length=50, pattern=r"^[^\x00]*$", deprecated=True)] = "",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CamerasResponse:
    """Cameras by id, with how they are doing."""
    page, total = await registry.list_cameras(after=after, cursor=cursor, limit=limit)
    infos = await _infos(page.items, cameras)
    return linked(CamerasResponse.of(infos, page.next_cursor, total=total, limit=limit), link)


@router.post("/alarms", dependencies=[IDEMPOTENT])
async def change_alarms(
    caller: Operator, request: Annotated[AlarmsRequest, Depends(json_of(AlarmsRequest))], alarms: Alarms
) -> AlarmsResponse:
    """Arm, disarm or mute cameras, a group of them, or all; it holds from the next frame on."""
    return AlarmsResponse.of(await alarms.change(request.change(), actor=caller.label))


@router.post("/test")
async def try_camera(
    _: Operator, request: Annotated[CameraTestRequest, Depends(json_of(CameraTestRequest))], probe: Probe
) -> CameraTestResponse:
    """Open a camera once and show its picture, or say precisely what is wrong; stores nothing."""
    return CameraTestResponse.of(await probe.try_out(request.source()))


@router.post("/discover")
async def discover_cameras(
    caller: Operator,
    request: Annotated[CameraDiscoveryRequest, Depends(json_of(CameraDiscoveryRequest))],
    discovery: Discovery,
) -> CameraDiscoveryResponse:
    """Look for ONVIF cameras in the allowed networks, and list their streams; takes some seconds, registers nothing."""
    found = await discovery.discover(hosts=request.hosts, credentials=request.login(), actor=caller.label)
    return CameraDiscoveryResponse.of(found)


@router.post("/{camera_id}/test-alarm", status_code=201, dependencies=[IDEMPOTENT])
async def raise_test_alarm(
    camera_id: CameraPath, caller: Operator, alarms: Alarms, incidents: Incidents
) -> IncidentInfo:
    """Raise an alarm of the type `test`, which goes the whole way to whoever takes `anomaly.alerts`, muted or not."""
    return IncidentInfo.of(await alarms.test(camera_id, actor=caller.signature(None)), incidents)


@router.get("/{camera_id}", dependencies=[CONDITIONAL])
async def get_camera(camera_id: CameraPath, _: Viewer, registry: Registry, cameras: Cameras) -> CameraInfo:
    """One camera, with how it is doing."""
    return await _info(await registry.get(camera_id), cameras)


@router.patch("/{camera_id}")
async def change_camera(
    camera_id: CameraPath,
    caller: Operator,
    request: Annotated[CameraChangeRequest, Depends(json_of(CameraChangeRequest))],
    registry: Registry,
    cameras: Cameras,
    zone: Zone,
) -> CameraInfo:
    """Change a camera. Another host in `url` forgets the login, unless the request brings one."""
    camera = await registry.change(camera_id, request.change(zone), actor=caller.label)
    return await _info(camera, cameras)


@router.delete("/{camera_id}")
async def remove_camera(camera_id: CameraPath, caller: Operator, registry: Registry) -> CameraDeletionResponse:
    """Forget a camera."""
    await registry.remove(camera_id, actor=caller.label)
    return CameraDeletionResponse(id=camera_id)


@router.get("/{camera_id}/baseline")
async def get_baseline(camera_id: CameraPath, _: Viewer, registry: Registry, baselines: Baselines) -> BaselineResponse:
    """What looks like a hazard there and is none: learnt by the camera, or called a false alarm."""
    await registry.get(camera_id)
    return BaselineResponse.of(camera_id, await baselines.of(camera_id))


@router.delete("/{camera_id}/baseline")
async def forget_baseline(
    camera_id: CameraPath, caller: Operator, registry: Registry, baselines: Baselines
) -> BaselineDeletionResponse:
    """Forget what the camera learnt, as when it hangs elsewhere now; false alarms are taken back one by one."""
    await registry.get(camera_id)
    forgotten = await baselines.forget(camera_id, actor=caller.label)
    return BaselineDeletionResponse(id=camera_id, places_forgotten=forgotten)


@router.get("/{camera_id}/snapshot", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def get_camera_snapshot(camera_id: CameraPath, caller: Viewer, registry: Registry, cameras: Cameras) -> Response:
    """The last frame."""
    await registry.note_look(camera_id, actor=caller.label)
    return Response(await cameras.snapshot(camera_id), media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get(
    "/{camera_id}/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"multipart/x-mixed-replace": {}}}},
)
async def watch_camera(
    camera_id: CameraPath,
    reader: Annotated[StreamReader, Depends(opened_for(Scope.CAMERAS_READ))],
    registry: Registry,
    views: LiveViews,
    fps: Annotated[float, Query(gt=0, le=5, description="Pictures a second, at most")] = 2.0,
) -> StreamingResponse:
    """What the camera sees now, as motion JPEG for an `img` element; ends after ten minutes."""
    await registry.note_look(camera_id, actor=reader.caller.label)
    parts = await views.open(camera_id, frames_per_second=fps, may_read=reader.may_read)
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return StreamingResponse(parts, media_type=media_type, headers={"Cache-Control": "no-store"})


async def _infos(found: Sequence[Camera], cameras: CameraSupervisor) -> list[CameraInfo]:
    statuses = await cameras.statuses([camera.id for camera in found])
    return [CameraInfo.of(camera, statuses[camera.id]) for camera in found]


async def _info(camera: Camera, cameras: CameraSupervisor) -> CameraInfo:
    [info] = await _infos([camera], cameras)
    return info

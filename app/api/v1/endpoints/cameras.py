"""Cameras that the service reads by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.security import require
from app.core.anomalies import AnomalyType
from app.dependencies import Zone, resource
from app.models.bodies import json_of
from app.models.camera import (
    CameraChangeRequest,
    CameraCreateRequest,
    CameraDeletionResponse,
    CameraInfo,
    CamerasResponse,
    CameraState,
    ConfirmationModel,
    CredentialsInput,
    IntrusionModel,
    RulesModel,
    WindowModel,
    ZoneModel,
)
from app.models.common import CameraId
from app.workflows.access import Caller
from app.workflows.cameras.registry import (
    Camera,
    CameraChange,
    CameraPlan,
    CameraRegistry,
    Credentials,
    StreamKind,
    Task,
)
from app.workflows.cameras.supervisor import CameraStatus, CameraSupervisor
from app.workflows.safety.rules import CameraRules, IntrusionRule, make_window
from app.workflows.safety.schedules import WEEKDAYS, Schedule
from app.workflows.safety.zones import make_zone

router = APIRouter(prefix="/cameras", tags=["cameras"])

Cameras = Annotated[CameraSupervisor, Depends(resource(lambda resources: resources.safety.supervisor))]
Registry = Annotated[CameraRegistry, Depends(resource(lambda resources: resources.safety.registry))]
Operator = Annotated[Caller, Depends(require("cameras"))]
CameraPath = Annotated[CameraId, Path()]


@router.post("", status_code=201)
async def add_camera(
    caller: Operator,
    request: Annotated[CameraCreateRequest, Depends(json_of(CameraCreateRequest))],
    registry: Registry,
    cameras: Cameras,
    zone: Zone,
) -> CameraInfo:
    """Register a camera; reading begins within a moment."""
    plan = CameraPlan(
        name=request.name,
        kind=StreamKind(request.kind),
        url=request.url,
        credentials=_credentials(request.credentials),
        tasks=_tasks(request.tasks),
        frames_per_second=request.frames_per_second,
        rules=_rules(request.rules, zone),
        enabled=request.enabled,
    )
    return await _info(await registry.add(request.id, plan, actor=caller.label), cameras)


@router.get("")
async def list_cameras(
    _: Operator,
    registry: Registry,
    cameras: Cameras,
    after: Annotated[str, Query(max_length=50, pattern=r"^[^\x00]*$", description="Only ids behind this")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CamerasResponse:
    """Cameras by id, with how they are doing."""
    found, total = await registry.list_cameras(after=after, limit=limit)
    return CamerasResponse(
        cameras=await _infos(found, cameras),
        count=len(found),
        total=total,
        next_after=found[-1].id if len(found) == limit else None,
    )


@router.get("/{camera_id}")
async def get_camera(camera_id: CameraPath, _: Operator, registry: Registry, cameras: Cameras) -> CameraInfo:
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
    change = CameraChange(
        name=request.name,
        kind=StreamKind(request.kind) if request.kind else None,
        url=request.url,
        credentials=_credentials(request.credentials),
        drops_credentials="credentials" in request.model_fields_set and request.credentials is None,
        tasks=_tasks(request.tasks) if request.tasks else None,
        frames_per_second=request.frames_per_second,
        rules=_rules(request.rules, zone) if request.rules else None,
        enabled=request.enabled,
    )
    return await _info(await registry.change(camera_id, change, actor=caller.label), cameras)


@router.delete("/{camera_id}")
async def remove_camera(camera_id: CameraPath, caller: Operator, registry: Registry) -> CameraDeletionResponse:
    """Forget a camera."""
    await registry.remove(camera_id, actor=caller.label)
    return CameraDeletionResponse(id=camera_id)


@router.get("/{camera_id}/snapshot", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def camera_snapshot(camera_id: CameraPath, _: Operator, registry: Registry, cameras: Cameras) -> Response:
    """The last frame."""
    await registry.get(camera_id)
    return Response(await cameras.snapshot(camera_id), media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _credentials(given: CredentialsInput | None) -> Credentials | None:
    return None if given is None else Credentials(given.username, given.password.get_secret_value())


def _tasks(names: Sequence[str]) -> tuple[Task, ...]:
    return tuple(dict.fromkeys(Task(name) for name in names))


def _rules(given: RulesModel, hotel: ZoneInfo) -> CameraRules:
    intrusion = None
    if given.intrusion is not None:
        rule = given.intrusion
        windows = tuple(make_window(window.days, window.begins, window.ends) for window in rule.schedule)
        intrusion = IntrusionRule(
            zones=tuple(make_zone(zone.name, zone.points) for zone in rule.zones),
            schedule=Schedule(windows, ZoneInfo(rule.timezone) if rule.timezone else hotel),
            min_dwell_s=rule.min_dwell_s,
            suppress_staff=rule.suppress_staff,
        )
    confirmation = (given.confirmation.frames, given.confirmation.of) if given.confirmation else None
    return CameraRules(tuple(kind.value for kind in dict.fromkeys(given.anomalies)), intrusion, confirmation)


def _shown_rules(rules: CameraRules) -> RulesModel:
    intrusion = None
    if rules.intrusion is not None:
        rule = rules.intrusion
        intrusion = IntrusionModel(
            zones=[ZoneModel(name=zone.name, points=list(zone.points)) for zone in rule.zones],
            schedule=[
                WindowModel.model_validate(
                    {"days": [WEEKDAYS[day] for day in sorted(w.days)], "begins": w.begins, "ends": w.ends}
                )
                for w in rule.schedule.windows
            ],
            timezone=rule.schedule.zone.key,
            min_dwell_s=rule.min_dwell_s,
            suppress_staff=rule.suppress_staff,
        )
    confirmation = (
        ConfirmationModel(frames=rules.confirmation[0], of=rules.confirmation[1]) if rules.confirmation else None
    )
    return RulesModel(
        anomalies=[AnomalyType(name) for name in rules.anomalies], intrusion=intrusion, confirmation=confirmation
    )


async def _infos(found: Sequence[Camera], cameras: CameraSupervisor) -> list[CameraInfo]:
    statuses = await cameras.statuses([camera.id for camera in found])
    return [_with_state(camera, statuses[camera.id]) for camera in found]


async def _info(camera: Camera, cameras: CameraSupervisor) -> CameraInfo:
    [info] = await _infos([camera], cameras)
    return info


def _with_state(camera: Camera, status: CameraStatus) -> CameraInfo:
    state = {field.name: getattr(status, field.name) for field in fields(status)} if camera.enabled else {}
    same = {
        name: getattr(camera, name)
        for name in CameraInfo.model_fields
        if name not in ("rules", "state", "kind", "tasks")
    }
    return CameraInfo.model_validate(
        {
            **same,
            "kind": camera.kind.value,
            "tasks": [task.value for task in camera.tasks],
            "rules": _shown_rules(camera.rules),
            "state": CameraState.model_validate(state or {"status": "disabled"}),
        }
    )

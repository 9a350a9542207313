"""Who came and went, and checking in without the face."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Zone, resource
from app.models.attendance import (
    AttendanceInfo,
    AttendanceResponse,
    CardResponse,
    PassCheckInRequest,
    PassCheckInResponse,
    PassesResponse,
    PinRequest,
)
from app.models.bodies import body_of, json_of
from app.models.common import EmployeeId
from app.models.dates import DateRange
from app.models.pages import Cursor
from app.types import AttendanceState, Scope
from app.utils import clock
from app.utils.fair_queue import client_var
from app.workflows.access import Caller
from app.workflows.attendance_log import AttendanceFilter, AttendanceLog
from app.workflows.passes import PassDesk

router = APIRouter(prefix="/attendance", tags=["attendance"], route_class=MarkedRoute)

Log = Annotated[AttendanceLog, Depends(resource(lambda resources: resources.attendance_log))]
Desk = Annotated[PassDesk, Depends(resource(lambda resources: resources.passes))]
Recognizer = Annotated[Caller, Depends(require(Scope.FACE_RECOGNIZE))]
Manager = Annotated[Caller, Depends(require(Scope.FACE_MANAGE))]
EntryId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1042])]
EmployeePath = Annotated[EmployeeId, Path()]
_DECIDED: dict[int | str, dict[str, Any]] = {409: {"description": "Somebody decided before; a problem document"}}


@router.get("")
async def list_attendance(
    caller: Manager,
    log: Log,
    zone: Zone,
    link: Linker,
    day: Annotated[date | None, Query(description="By the hotel's clock; absent: any day")] = None,
    employee_id: Annotated[EmployeeId | None, Query()] = None,
    state: Annotated[AttendanceState | None, Query(description="`unconfirmed`: what waits for a person")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AttendanceResponse:
    """Who came and went, earliest first; the audit says who asked."""
    since, before = DateRange.model_construct(start=day, end=day).bounds(zone)
    wanted = AttendanceFilter(since, before, employee_id, state)
    page = await log.list_entries(wanted, cursor=cursor, limit=limit, actor=caller.label)
    return linked(AttendanceResponse.listing(page, AttendanceInfo.of, limit=limit), link)


@router.post("/check-in")
async def check_in_by_pass(
    caller: Recognizer,
    request: Annotated[PassCheckInRequest, Depends(body_of(PassCheckInRequest))],
    desk: Desk,
    zone: Zone,
) -> PassCheckInResponse:
    """Check in by PIN or card: the event is that of a face, with its `method`. Sent twice, it counts once."""
    found = await desk.check_in(
        request.shown,
        camera_id=request.camera_id,
        taken_at=clock.to_utc(request.timestamp, zone) if request.timestamp else None,
        address=client_var.get(),
        actor=caller.label,
    )
    return PassCheckInResponse.of(found)


@router.post("/{entry_id}/confirm", dependencies=[IDEMPOTENT], responses=_DECIDED)
async def confirm_attendance(entry_id: EntryId, caller: Manager, log: Log) -> AttendanceInfo:
    """Let an entry count that no device could: its event is written now, with its own moment and `confirmed_by`."""
    return AttendanceInfo.of(await log.confirm(entry_id, actor=caller.label))


@router.post("/{entry_id}/dismiss", dependencies=[IDEMPOTENT], responses=_DECIDED)
async def dismiss_attendance(entry_id: EntryId, caller: Manager, log: Log) -> AttendanceInfo:
    """Say that an entry that waits does not count."""
    return AttendanceInfo.of(await log.dismiss(entry_id, actor=caller.label))


@router.get("/passes/{employee_id}")
async def get_passes(_: Manager, employee_id: EmployeePath, desk: Desk) -> PassesResponse:
    """What somebody may check in by beside their face."""
    return PassesResponse.of(await desk.get(employee_id))


@router.put("/passes/{employee_id}/pin")
async def set_pin(
    employee_id: EmployeePath,
    caller: Manager,
    request: Annotated[PinRequest, Depends(json_of(PinRequest))],
    desk: Desk,
) -> PassesResponse:
    """Give somebody a PIN, or another one, which lifts a lock."""
    return PassesResponse.of(await desk.set_pin(employee_id, request.pin.get_secret_value(), actor=caller.label))


@router.delete("/passes/{employee_id}/pin")
async def end_pin(employee_id: EmployeePath, caller: Manager, desk: Desk) -> PassesResponse:
    """Take somebody's PIN away."""
    return PassesResponse.of(await desk.end_pin(employee_id, actor=caller.label))


@router.post("/passes/{employee_id}/card", dependencies=[IDEMPOTENT])
async def issue_card(employee_id: EmployeePath, caller: Manager, desk: Desk) -> CardResponse:
    """A new card with a QR code; the one before opens nothing from now on."""
    return CardResponse.of(employee_id, await desk.issue_card(employee_id, actor=caller.label))


@router.delete("/passes/{employee_id}/card")
async def end_card(employee_id: EmployeePath, caller: Manager, desk: Desk) -> PassesResponse:
    """Let somebody's card open nothing any more."""
    return PassesResponse.of(await desk.end_card(employee_id, actor=caller.label))

"""Guests' stays: registered from their papers, completed by hand, listed for the police."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.core.stays.record import StayKind
from app.dependencies import resource
from app.models.bodies import body_of, json_of
from app.models.common import RoomNumber
from app.models.pages import Cursor
from app.models.stay import StayChangeRequest, StayCreated, StayDeletion, StayInfo, StayRequest, StaysResponse
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.stays import ListFormat, StayDesk, StayFilter

router = APIRouter(prefix="/stays", tags=["stays"], route_class=MarkedRoute)

Desk = Annotated[StayDesk, Depends(resource(lambda resources: resources.stays))]
StayId = Annotated[UUID, Path(examples=["0197a3c0-5b1e-7c44-9d5e-8f0f4f1f7f10"])]
Receptionist = Annotated[Caller, Depends(require(Scope.STAYS))]
LIST_TYPES: dict[ListFormat, str] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "xml": "application/xml",
}
LISTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type.partition(";")[0]: {} for media_type in LIST_TYPES.values()}},
    409: {"description": "Records lack something; a problem document (RFC 9457)"},
}


@router.post("", dependencies=[IDEMPOTENT], status_code=201)
async def register_stay(
    caller: Receptionist, request: Annotated[StayRequest, Depends(body_of(StayRequest))], desk: Desk
) -> StayCreated:
    """Register one guest: what the papers say, what a person adds, and what is still missing."""
    new = await desk.register(
        request.images,
        request.result_ids,
        request.given(),
        may_see=caller.may_see,
        actor=caller.signature(request.changed_by),
    )
    return StayCreated.of_new(new, today=desk.today())


@router.get("")
async def list_stays(
    caller: Receptionist,
    desk: Desk,
    link: Linker,
    kind: StayKind | None = None,
    room_number: Annotated[RoomNumber | None, Query()] = None,
    complete: bool | None = None,
    arriving_on: date | None = None,
    present_on: Annotated[date | None, Query(description="A day of the stay; that of departure is none")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StaysResponse:
    """Stays, those registered last first; the audit says who asked."""
    wanted = StayFilter(kind, room_number, complete, arriving_on, present_on)
    page = await desk.list_stays(wanted, cursor=cursor, limit=limit, actor=caller.label)
    return linked(StaysResponse.listing(page, partial(StayInfo.of, today=desk.today()), limit=limit), link)


@router.get("/export", response_class=Response, responses=LISTS)
async def export_stays(
    caller: Receptionist,
    desk: Desk,
    kind: Annotated[StayKind, Query(examples=["foreign"])],
    day: Annotated[date, Query(alias="date", examples=["2025-01-17"])],
    table: Annotated[ListFormat, Query(alias="format")] = "xlsx",
    guests: Annotated[
        Literal["arrivals", "present"], Query(description="Who arrives on that day, or everybody who stays that night")
    ] = "arrivals",
    incomplete: Annotated[bool, Query(description="Export records that lack something too")] = False,
) -> Response:
    """The list of guests for the police, in the columns of the hotel's own template or of ours (`STAY_FORMS_DIR`)."""
    wanted = StayFilter(arriving_on=day) if guests == "arrivals" else StayFilter(present_on=day)
    content = await desk.export(wanted, kind, table, only_complete=not incomplete, actor=caller.label)
    headers = {"Content-Disposition": f'attachment; filename="stays-{kind}-{day}.{table}"'}
    return Response(content, media_type=LIST_TYPES[table], headers=headers)


@router.get("/{stay_id}")
async def get_stay(stay_id: StayId, caller: Receptionist, desk: Desk) -> StayInfo:
    """One stay; the audit says who asked."""
    return StayInfo.of(await desk.get(stay_id, actor=caller.label), today=desk.today())


@router.patch("/{stay_id}")
async def change_stay(
    stay_id: StayId,
    caller: Receptionist,
    request: Annotated[StayChangeRequest, Depends(json_of(StayChangeRequest))],
    desk: Desk,
) -> StayInfo:
    """Complete or correct a record by hand; null takes a value away."""
    stay = await desk.change(stay_id, request.given(), actor=caller.signature(request.changed_by))
    return StayInfo.of(stay, today=desk.today())


@router.delete("/{stay_id}")
async def delete_stay(stay_id: StayId, caller: Receptionist, desk: Desk) -> StayDeletion:
    """Erase a stay; the audit keeps that it was."""
    await desk.delete(stay_id, actor=caller.label)
    return StayDeletion(stay_id=stay_id)

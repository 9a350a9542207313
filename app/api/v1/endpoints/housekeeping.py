"""The work in rooms: cleanings, and tickets for what is broken."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import json_of
from app.models.common import RoomNumber
from app.models.housekeeping import (
    CleaningRequest,
    CleaningResponse,
    CleaningTimesResponse,
    DefectChangeRequest,
    DefectInfo,
    DefectsResponse,
)
from app.models.pages import Cursor
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.housekeeping import DefectState, Housekeeping

router = APIRouter(prefix="/room", tags=["room"], route_class=MarkedRoute)

Keeper = Annotated[Housekeeping, Depends(resource(lambda resources: resources.housekeeping))]
Viewer = Annotated[Caller, Depends(require(Scope.ROOM_READ))]
Worker = Annotated[Caller, Depends(require(Scope.ROOM_WRITE))]
DefectId = Annotated[UUID, Path(examples=["3e0f2f0a-6a0c-4a53-8a0e-0c1d7d1f2b11"])]


@router.get("/cleaning-times")
async def list_cleaning_times(_: Viewer, keeper: Keeper) -> CleaningTimesResponse:
    """How long cleaning takes, by type of room, as housekeepers' starts and stops have it."""
    return CleaningTimesResponse.of(await keeper.cleaning_times())


@router.post("/{room_number}/cleaning", dependencies=[IDEMPOTENT])
async def report_cleaning(
    room_number: Annotated[RoomNumber, Path()],
    caller: Worker,
    request: Annotated[CleaningRequest, Depends(json_of(CleaningRequest))],
    keeper: Keeper,
) -> CleaningResponse:
    """Report that cleaning begins or has ended. The room's state changes by photos or feedback alone."""
    actor = caller.signature(request.cleaned_by)
    if request.action == "stop":
        return CleaningResponse.of(await keeper.stop_cleaning(room_number, actor=actor))
    return CleaningResponse.of(await keeper.start_cleaning(room_number, room_type=request.room_type, actor=actor))


@router.get("/defects")
async def list_defects(
    _: Viewer,
    keeper: Keeper,
    link: Linker,
    state: DefectState | None = None,
    room_number: Annotated[RoomNumber | None, Query()] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DefectsResponse:
    """Tickets for what is broken, newest first."""
    page = await keeper.list_defects(room_number=room_number, state=state, cursor=cursor, limit=limit)
    return linked(DefectsResponse.listing(page, partial(DefectInfo.of, housekeeping=keeper), limit=limit), link)


@router.get("/defects/{defect_id}")
async def get_defect(defect_id: DefectId, _: Viewer, keeper: Keeper) -> DefectInfo:
    """One ticket."""
    return DefectInfo.of(await keeper.find_defect(defect_id), keeper)


@router.patch("/defects/{defect_id}")
async def change_defect(
    defect_id: DefectId,
    caller: Worker,
    request: Annotated[DefectChangeRequest, Depends(json_of(DefectChangeRequest))],
    keeper: Keeper,
) -> DefectInfo:
    """Change the state or the note of a ticket; the room's own state stays."""
    actor = caller.signature(request.changed_by)
    defect = await keeper.change_defect(defect_id, state=request.state, note=request.note, actor=actor)
    return DefectInfo.of(defect, keeper)

"""Room inspection: analysis, current states, history and corrections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.api.conditional import CONDITIONAL
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.core.room_rules import RoomStatus
from app.dependencies import resource
from app.models.bodies import body_of
from app.models.common import RoomNumber
from app.models.pages import Cursor
from app.models.room import (
    RoomAnalysisRequest,
    RoomAnalysisResponse,
    RoomBoardResponse,
    RoomFeedbackRequest,
    RoomPhotosErasureResponse,
    RoomStatusResponse,
)
from app.models.room_history import RoomHistoryResponse
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.room import RoomWorkflow

router = APIRouter(prefix="/room", tags=["room"], route_class=MarkedRoute)

Rooms = Annotated[RoomWorkflow, Depends(resource(lambda resources: resources.rooms))]
Viewer = Annotated[Caller, Depends(require(Scope.ROOM_READ))]
Inspector = Annotated[Caller, Depends(require(Scope.ROOM_WRITE))]
RoomPath = Annotated[RoomNumber, Path()]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("/analyze", dependencies=[IDEMPOTENT])
async def analyze_room(
    caller: Inspector, request: Annotated[RoomAnalysisRequest, Depends(body_of(RoomAnalysisRequest))], rooms: Rooms
) -> RoomAnalysisResponse:
    """Judge a room by its photos; the verdict becomes the room's state."""
    watch = clock.Stopwatch()
    report = await rooms.analyze(
        request.room_number,
        request.photos,
        depth=request.analysis_depth,
        room_type=request.room_type,
        actor=caller.signature(request.analyzed_by),
    )
    return RoomAnalysisResponse.of(request.room_number, report, rooms.link, elapsed_ms=watch.elapsed_ms)


@router.get("/status", dependencies=[CONDITIONAL])
async def list_room_statuses(
    _: Viewer,
    rooms: Rooms,
    link: Linker,
    status: RoomStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> RoomBoardResponse:
    """Every known room by number: the housekeeping board."""
    page = await rooms.board(status=status, cursor=cursor, limit=limit)
    return linked(RoomBoardResponse.of(page, limit=limit), link)


@router.get("/status/{room_number}", dependencies=[CONDITIONAL])
async def get_room_status(room_number: RoomPath, _: Viewer, rooms: Rooms) -> RoomStatusResponse:
    """A room's current state."""
    return RoomStatusResponse.of(await rooms.status_of(room_number))


@router.get("/{room_number}/history")
async def get_room_history(
    room_number: RoomPath,
    _: Viewer,
    rooms: Rooms,
    link: Linker,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RoomHistoryResponse:
    """A room's analyses, newest first, with their photos and what stood before them."""
    history = await rooms.history(room_number, cursor=cursor, limit=limit)
    return linked(RoomHistoryResponse.of(room_number, history, rooms.link, limit=limit), link)


@router.post("/{room_number}/feedback", dependencies=[IDEMPOTENT])
async def give_room_feedback(
    room_number: RoomPath,
    caller: Inspector,
    request: Annotated[RoomFeedbackRequest, Depends(body_of(RoomFeedbackRequest))],
    rooms: Rooms,
) -> RoomStatusResponse:
    """Correct a room's state; the correction is kept for training."""
    actor = caller.signature(request.given_by)
    return RoomStatusResponse.of(await rooms.correct(room_number, request.correction, actor=actor))


@router.delete("/{room_number}/photos")
async def erase_room_photos(room_number: RoomPath, caller: Inspector, rooms: Rooms) -> RoomPhotosErasureResponse:
    """Erase the photos of a room's analyses; verdicts and indexed pictures stay."""
    erased = await rooms.erase_photos(room_number, actor=caller.label)
    return RoomPhotosErasureResponse(room_number=room_number, photos_deleted=erased)

"""Reference photos: how a room, or every room of a type, should look."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import json_of
from app.models.common import RoomNumber
from app.models.room_reference import RoomReferenceDeletion, RoomReferenceRequest, RoomReferenceResponse
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.room import RoomWorkflow
from app.workflows.room_references import Owner, OwnerKind, RoomReferences

router = APIRouter(prefix="/room", tags=["room"], route_class=MarkedRoute)

References = Annotated[RoomReferences, Depends(resource(lambda resources: resources.room_references))]
Rooms = Annotated[RoomWorkflow, Depends(resource(lambda resources: resources.rooms))]
Viewer = Annotated[Caller, Depends(require(Scope.ROOM_READ))]
Inspector = Annotated[Caller, Depends(require(Scope.ROOM_WRITE))]
Body = Annotated[RoomReferenceRequest, Depends(json_of(RoomReferenceRequest))]


async def _room(room_number: Annotated[RoomNumber, Path()]) -> Owner:
    return Owner(OwnerKind.ROOM, room_number)


async def _type(room_type: Annotated[str, Path(pattern=r"^[^\x00/]+$", max_length=30, examples=["deluxe"])]) -> Owner:
    return Owner(OwnerKind.TYPE, room_type)


Room = Annotated[Owner, Depends(_room)]
RoomType = Annotated[Owner, Depends(_type)]


@router.put("/{room_number}/reference")
async def set_room_reference(
    owner: Room, caller: Inspector, request: Body, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """Set how a room should look; analyses then say what is missing, added or moved."""
    actor = caller.signature(request.set_by)
    reference = await references.put(owner, request.images, request.marked, actor=actor)
    return RoomReferenceResponse.of(reference, rooms.link)


@router.get("/{room_number}/reference")
async def get_room_reference(owner: Room, _: Viewer, references: References, rooms: Rooms) -> RoomReferenceResponse:
    """A room's own reference."""
    return RoomReferenceResponse.of(await references.get(owner), rooms.link)


@router.delete("/{room_number}/reference")
async def delete_room_reference(owner: Room, caller: Inspector, references: References) -> RoomReferenceDeletion:
    """Erase a room's own reference; that of its type then counts."""
    erased = await references.delete(owner, actor=caller.label)
    return RoomReferenceDeletion(kind=owner.kind, name=owner.name, photos_deleted=erased)


@router.put("/types/{room_type}/reference")
async def set_type_reference(
    owner: RoomType, caller: Inspector, request: Body, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """Set how rooms of a type should look, for those without a reference of their own."""
    return await set_room_reference(owner, caller, request, references, rooms)


@router.get("/types/{room_type}/reference")
async def get_type_reference(owner: RoomType, _: Viewer, references: References, rooms: Rooms) -> RoomReferenceResponse:
    """The reference of a type of room."""
    return await get_room_reference(owner, _, references, rooms)


@router.delete("/types/{room_type}/reference")
async def delete_type_reference(owner: RoomType, caller: Inspector, references: References) -> RoomReferenceDeletion:
    """Erase the reference of a type of room."""
    return await delete_room_reference(owner, caller, references)

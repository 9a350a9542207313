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
RoomPath = Annotated[RoomNumber, Path()]
TypePath = Annotated[str, Path(pattern=r"^[^\x00/]+$", max_length=30, examples=["deluxe"])]


@router.put("/{room_number}/reference")
async def set_room_reference(
    room_number: RoomPath, caller: Inspector, request: Body, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """Set how a room should look; analyses then say what is missing, added or moved."""
    owner, actor = Owner(OwnerKind.ROOM, room_number), caller.signature(request.set_by)
    reference = await references.put(owner, request.images, request.marked, actor=actor)
    return RoomReferenceResponse.of(reference, rooms.link)


@router.get("/{room_number}/reference")
async def get_room_reference(
    room_number: RoomPath, _: Viewer, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """A room's own reference."""
    return RoomReferenceResponse.of(await references.get(Owner(OwnerKind.ROOM, room_number)), rooms.link)


@router.delete("/{room_number}/reference")
async def delete_room_reference(
    room_number: RoomPath, caller: Inspector, references: References
) -> RoomReferenceDeletion:
    """Erase a room's own reference; that of its type then counts."""
    owner = Owner(OwnerKind.ROOM, room_number)
    erased = await references.delete(owner, actor=caller.label)
    return RoomReferenceDeletion(kind=owner.kind, name=owner.name, photos_deleted=erased)


@router.put("/types/{room_type}/reference")
async def set_type_reference(
    room_type: TypePath, caller: Inspector, request: Body, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """Set how rooms of a type should look, for those without a reference of their own."""
    owner, actor = Owner(OwnerKind.TYPE, room_type), caller.signature(request.set_by)
    reference = await references.put(owner, request.images, request.marked, actor=actor)
    return RoomReferenceResponse.of(reference, rooms.link)


@router.get("/types/{room_type}/reference")
async def get_type_reference(
    room_type: TypePath, _: Viewer, references: References, rooms: Rooms
) -> RoomReferenceResponse:
    """The reference of a type of room."""
    return RoomReferenceResponse.of(await references.get(Owner(OwnerKind.TYPE, room_type)), rooms.link)


@router.delete("/types/{room_type}/reference")
async def delete_type_reference(
    room_type: TypePath, caller: Inspector, references: References
) -> RoomReferenceDeletion:
    """Erase the reference of a type of room."""
    owner = Owner(OwnerKind.TYPE, room_type)
    erased = await references.delete(owner, actor=caller.label)
    return RoomReferenceDeletion(kind=owner.kind, name=owner.name, photos_deleted=erased)

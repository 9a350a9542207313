"""Requests and responses of reference photos."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.models.bodies import ImageData
from app.models.common import ActorName, Location, Moment, Request, Response, Text
from app.models.room import Link
from app.types import Box
from app.workflows.room_references import OwnerKind, Reference, ReferenceItem

_MAX_PHOTOS = 6
_MAX_ITEMS = 50
ItemName = Annotated[Text, Field(min_length=1, max_length=50, examples=["towel"])]


class Rectangle(Request):
    """A place in a picture, in pixels from its top left corner."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)

    @property
    def box(self) -> Box:
        """The same by its corners."""
        return Box(self.x, self.y, self.x + self.width, self.y + self.height)


class ReferenceItemRequest(Request):
    """A thing to be counted: for `towels_present` if its name says towel or khăn, else for `amenities_complete`."""

    name: ItemName
    photo: int = Field(ge=0, lt=_MAX_PHOTOS, description="From 0")
    location: Rectangle


class RoomReferenceRequest(Request):
    """Up to six photos of a room in order, from where it will be photographed; and what is counted in them."""

    images: Annotated[list[ImageData], Field(min_length=1, max_length=_MAX_PHOTOS)]
    items: Annotated[list[ReferenceItemRequest], Field(max_length=_MAX_ITEMS)] = Field(default=[])
    set_by: ActorName | None = None

    @property
    def marked(self) -> list[ReferenceItem]:
        """What is counted, as the workflow takes it."""
        return [ReferenceItem(item.name, item.photo, item.location.box) for item in self.items]


class ReferenceItemInfo(Response):
    """A thing that is counted, its place in pixels of the stored photo."""

    name: str
    photo: int
    location: Location


class RoomReferenceResponse(Response):
    """The reference of a room or of a type of room."""

    kind: OwnerKind
    name: str
    photo_urls: list[str] = Field(description="Work for IMAGE_URL_LIFETIME_S")
    items: list[ReferenceItemInfo]
    set_at: Moment
    set_by: str | None

    @classmethod
    def of(cls, reference: Reference, link: Link) -> RoomReferenceResponse:
        items = [ReferenceItemInfo.like(item, location=Location.of(item.box)) for item in reference.items]
        return cls.like(
            reference,
            kind=reference.owner.kind,
            name=reference.owner.name,
            photo_urls=[link(key) for key in reference.photo_keys],
            items=items,
        )


class RoomReferenceDeletion(Response):
    """The reference is out of the records, and its photos out of the store soon after."""

    success: bool = True
    kind: OwnerKind
    name: str
    photos_deleted: int

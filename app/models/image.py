"""Requests and responses of the image endpoints: the spec's fields, then ours."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from app.models.bodies import ImageData
from app.models.common import ActorName, Moment, Request, Response, RoomNumber, Text

_PICTURE = "/9j/4AAQSkZJRg…"
Category = Literal["room", "lost_found", "amenity"]
ImageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100)]
ItemType = Annotated[Text, Field(min_length=1, max_length=50)]
Place = Annotated[Text, Field(min_length=1, max_length=200)]
Tag = Annotated[Text, Field(min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Field(max_length=32)]
Description = Annotated[Text, Field(max_length=2000)]
Status = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30, examples=["active", "returned_to_guest", "disposed"])
]
Similarity = Annotated[float, Field(ge=0, le=1)]
TopK = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0, le=900)]


def _day_or_moment(value: object) -> object:
    # Pydantic would read midnight as a day and a day as midnight; what was written decides.
    if isinstance(value, str):
        return date.fromisoformat(value) if len(value) == len("2025-01-17") else datetime.fromisoformat(value)
    raise ValueError("write a day, 2025-01-17, or a moment, 2025-01-17T10:00:00Z")


DayOrMoment = Annotated[date | datetime, BeforeValidator(_day_or_moment)]
"""A day means all of it; a moment without a zone is the hotel's local time."""


class ImageMetadata(Request):
    """What is known of the picture."""

    category: Category
    room_number: RoomNumber | None = None
    item_type: ItemType | None = None
    tags: Tags = Field(default_factory=list)
    location: Place | None = None
    description: Description | None = None
    status: Status = "active"
    photographer: ActorName | None = None


class ImageIndexRequest(Request):
    """A picture to be found again."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "image": _PICTURE,
                "metadata": {
                    "category": "room",
                    "room_number": "201",
                    "tags": ["clean", "ready", "deluxe"],
                    "description": "Deluxe room ready for guest",
                    "photographer": "EMP005",
                },
            }
        }
    )

    image: ImageData
    metadata: ImageMetadata
    allow_duplicate: bool = Field(False, description="Index it although the category holds the same picture")


class ImageIndexResponse(Response):
    """What was indexed. `duplicate_of` names the picture that was there before; then nothing new was stored."""

    success: bool = True
    image_id: str
    vector_id: str
    storage_url: str
    thumbnail_url: str
    indexed_at: Moment
    duplicate_of: str | None = None


class DateRange(Request):
    """Both ends belong to it; one may be left out."""

    start: DayOrMoment | None = None
    end: DayOrMoment | None = None


class ImageFilters(Request):
    """All that is set must hold; it is looked at inside the search, so it never costs results."""

    date_range: DateRange | None = None
    room_number: RoomNumber | None = None
    item_type: ItemType | None = None
    tags: Tags = Field(default_factory=list, description="All of them")
    location: Place | None = Field(None, description="A part of it, in any case")
    status: Status | None = None


class ImageSearchRequest(Request):
    """A search by picture, by words (English or Vietnamese), or by both."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query_text": "ví da màu đen",
                "category": "lost_found",
                "top_k": 10,
                "threshold": 0.7,
                "filters": {"date_range": {"start": "2025-01-01", "end": "2025-01-17"}},
            }
        }
    )

    query_image: ImageData | None = None
    query_text: Annotated[Text, Field(max_length=500)] | None = None
    category: Category | None = Field(None, description="All categories, if omitted")
    top_k: TopK | None = Field(None, description="IMAGE_SEARCH_TOP_K, if omitted")
    offset: Offset = 0
    threshold: Similarity | None = Field(None, description="IMAGE_SIMILARITY_THRESHOLD, if omitted")
    filters: ImageFilters = Field(default_factory=ImageFilters)

    @model_validator(mode="after")
    def _has_a_query(self) -> Self:
        if self.query_text is not None and not any(letter.isalnum() for letter in self.query_text):
            raise ValueError("query_text has no word in it")
        if self.query_image is None and self.query_text is None:
            raise ValueError("send query_image, query_text or both")
        return self


class ImageInfo(Response):
    """What is known of an indexed picture."""

    category: Category
    upload_time: Moment
    room_number: str | None = None
    item_type: str | None = None
    tags: list[str]
    location: str | None = None
    description: str | None = None
    status: str
    uploaded_by: str | None = None


class ImageMatchInfo(Response):
    """A picture found; `similarity` is calibrated, 0 to 1."""

    image_id: str
    similarity: Similarity
    metadata: ImageInfo
    url: str
    thumbnail_url: str


class ImageSearchResponse(Response):
    """`total_found` counts the matches at or above the threshold among the 1,000 nearest pictures; `total_is_exact` is
    false where there may be more."""

    results: list[ImageMatchInfo]
    total_found: int
    total_is_exact: bool
    search_time_ms: int


class ImageResponse(Response):
    """An indexed picture; the addresses work for IMAGE_URL_LIFETIME_S."""

    image_id: str
    vector_id: str
    metadata: ImageInfo
    width: int
    height: int
    url: str
    thumbnail_url: str


class ImageListResponse(Response):
    """Pictures, newest first. Send `next_cursor` as `cursor` for those that follow; it is absent at the end."""

    images: list[ImageResponse]
    next_cursor: str | None = None


class ImageChangeRequest(Request):
    """The fields to change; null clears one that may be empty."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "returned_to_guest", "tags": ["claimed"]}})

    tags: Tags | None = None
    description: Description | None = None
    status: Status = "active"
    item_type: ItemType | None = None
    location: Place | None = None
    room_number: RoomNumber | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class ImageDeletionResponse(Response):
    """What was removed."""

    success: bool = True
    image_id: str

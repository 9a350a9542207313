"""Requests and responses of the image endpoints: the spec's fields, then ours."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, model_validator

from app.models.bodies import ImageData
from app.models.common import ActorName, Moment, Request, Response, RoomNumber, Score, Text
from app.models.dates import DateRange
from app.models.pages import ListPage, old_name
from app.utils.cursors import Slice
from app.workflows.image import ImageDetails, ImageFilter, ImageUrls, ImageWorkflow, Indexed, StoredImage
from app.workflows.image_search import ImageMatch, ImageMatches, ImageQuery

_PICTURE = "picture:room.jpg"
Category = Literal["room", "lost_found", "amenity"]
ImageId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100, examples=["IMG_LF_20250117_3f9c2a1b"])
]
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

    @property
    def details(self) -> ImageDetails:
        """What the records keep of it."""
        return ImageDetails(
            category=self.category,
            room_number=self.room_number,
            item_type=self.item_type,
            tags=tuple(self.tags),
            location=self.location,
            description=self.description,
            status=self.status,
        )


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


class NearDuplicate(Response):
    """A picture of the category that may be the same one: recompressed, resized or cropped."""

    image_id: str
    similarity: Score


class ImageIndexResponse(Response):
    """What was indexed. `duplicate_of` names the picture that was there before; then nothing new was stored."""

    success: bool = True
    image_id: str
    vector_id: str
    storage_url: str
    thumbnail_url: str
    indexed_at: Moment
    duplicate_of: str | None = None
    near_duplicates: list[NearDuplicate] = Field(default_factory=list, description="Stored beside them all the same")

    @classmethod
    def of(cls, indexed: Indexed, urls: ImageUrls) -> ImageIndexResponse:
        image = indexed.image
        return cls(
            image_id=image.image_id,
            vector_id=image.vector_id,
            storage_url=urls.url,
            thumbnail_url=urls.thumbnail_url,
            indexed_at=image.uploaded_at,
            duplicate_of=image.image_id if indexed.is_duplicate else None,
            near_duplicates=[NearDuplicate.like(copy) for copy in indexed.near_copies],
        )


class ImageFilters(Request):
    """All that is set must hold; it is looked at inside the search, so it never costs results."""

    date_range: DateRange | None = None
    room_number: RoomNumber | None = None
    item_type: ItemType | None = None
    tags: Tags = Field(default_factory=list, description="All of them")
    location: Place | None = Field(None, description="A part of it, in any case")
    status: Status | None = None

    def wanted(self, category: str | None, zone: ZoneInfo) -> ImageFilter:
        """What the workflows are told.

        Raises:
            InvalidInput: the range of dates ends before it begins.
        """
        since, before = self.date_range.bounds(zone) if self.date_range else (None, None)
        return ImageFilter(
            category=category,
            room_number=self.room_number,
            item_type=self.item_type,
            tags=tuple(self.tags),
            location=self.location,
            status=self.status,
            since=since,
            before=before,
        )


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

    def query(self, zone: ZoneInfo, *, min_similarity: float, top_k: int) -> ImageQuery:
        """What the workflow is told.

        Args:
            min_similarity: where the request names no threshold; ``top_k`` likewise.

        Raises:
            InvalidInput: the range of dates ends before it begins.
        """
        return ImageQuery(
            picture=self.query_image,
            text=self.query_text,
            wanted=self.filters.wanted(self.category, zone),
            min_similarity=min_similarity if self.threshold is None else self.threshold,
            top_k=self.top_k or top_k,
            offset=self.offset,
        )

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

    @classmethod
    def of(cls, image: StoredImage) -> ImageInfo:
        return cls.like(
            image.details,
            tags=list(image.details.tags),
            upload_time=image.uploaded_at,
            uploaded_by=image.uploaded_by,
        )


class ImageMatchInfo(Response):
    """A picture found; `similarity` is calibrated, 0 to 1."""

    image_id: str
    similarity: Score
    metadata: ImageInfo
    url: str
    thumbnail_url: str

    @classmethod
    def of(cls, match: ImageMatch, urls: ImageUrls) -> ImageMatchInfo:
        return cls.like(
            urls, image_id=match.image.image_id, similarity=match.similarity, metadata=ImageInfo.of(match.image)
        )


class ImageSearchResponse(Response):
    """`total_found` counts the matches at or above the threshold; `total_is_exact` is false where there may be more
    than the 1,000 that the vector database was asked for."""

    results: list[ImageMatchInfo]
    total_found: int
    total_is_exact: bool
    search_time_ms: int

    @classmethod
    def of(cls, found: ImageMatches, images: ImageWorkflow, *, elapsed_ms: int) -> ImageSearchResponse:
        """The page ``found``.

        Args:
            images: signs the addresses.
        """
        return cls(
            results=[ImageMatchInfo.of(match, images.urls(match.image)) for match in found.matches],
            total_found=found.total,
            total_is_exact=found.total_is_exact,
            search_time_ms=elapsed_ms,
        )


class ImageResponse(Response):
    """An indexed picture; the addresses work for IMAGE_URL_LIFETIME_S."""

    image_id: str
    vector_id: str
    metadata: ImageInfo
    width: int
    height: int
    url: str
    thumbnail_url: str

    @classmethod
    def of(cls, image: StoredImage, urls: ImageUrls) -> ImageResponse:
        return cls.like(image, metadata=ImageInfo.of(image), url=urls.url, thumbnail_url=urls.thumbnail_url)


class ImageListResponse(ListPage):
    """Pictures, newest first."""

    items: list[ImageResponse]
    images: list[ImageResponse] = old_name("items")

    @classmethod
    def of(cls, page: Slice[StoredImage], images: ImageWorkflow, *, limit: int) -> ImageListResponse:
        """The page.

        Args:
            images: signs the addresses.
        """
        listed = [ImageResponse.of(image, images.urls(image)) for image in page.items]
        return cls(items=listed, images=listed, next_cursor=page.next_cursor, limit=limit)


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

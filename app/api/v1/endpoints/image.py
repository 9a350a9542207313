"""Image search: index, search, show, change, list and delete pictures."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query

from app.api.security import require
from app.dependencies import Zone, resource, setting
from app.errors import InvalidInput
from app.models.bodies import body_of, json_of
from app.models.common import RoomNumber
from app.models.image import (
    Category,
    DateRange,
    DayOrMoment,
    ImageChangeRequest,
    ImageDeletionResponse,
    ImageId,
    ImageIndexRequest,
    ImageIndexResponse,
    ImageInfo,
    ImageListResponse,
    ImageMatchInfo,
    ImageResponse,
    ImageSearchRequest,
    ImageSearchResponse,
    ItemType,
    Place,
    Status,
    Tags,
)
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.image import ImageDetails, ImageFilter, ImageWorkflow, StoredImage
from app.workflows.image_search import ImageQuery, ImageSearchWorkflow

router = APIRouter(prefix="/image", tags=["image"])

Images = Annotated[ImageWorkflow, Depends(resource(lambda resources: resources.images))]
ImageSearches = Annotated[ImageSearchWorkflow, Depends(resource(lambda resources: resources.image_searches))]
User = Annotated[Caller, Depends(require("image"))]
ImagePath = Annotated[ImageId, Path()]
_MAX_PAGE = 100


@router.post("/index", response_model_exclude_none=True)
async def index_image(
    caller: User, request: Annotated[ImageIndexRequest, Depends(body_of(ImageIndexRequest))], images: Images
) -> ImageIndexResponse:
    """Store a picture, its thumbnail and its vector, so that searches find it."""
    metadata = request.metadata
    indexed = await images.index(
        request.image,
        ImageDetails(
            category=metadata.category,
            room_number=metadata.room_number,
            item_type=metadata.item_type,
            tags=tuple(metadata.tags),
            location=metadata.location,
            description=metadata.description,
            status=metadata.status,
        ),
        actor=metadata.photographer or caller.label[:20],
        allow_duplicate=request.allow_duplicate,
    )
    image, urls = indexed.image, images.urls(indexed.image)
    return ImageIndexResponse(
        image_id=image.image_id,
        vector_id=image.vector_id,
        storage_url=urls.url,
        thumbnail_url=urls.thumbnail_url,
        indexed_at=image.uploaded_at,
        duplicate_of=image.image_id if indexed.is_duplicate else None,
    )


@router.post("/search", response_model_exclude_none=True)
async def search_images(
    _: User,
    request: Annotated[ImageSearchRequest, Depends(body_of(ImageSearchRequest))],
    images: Images,
    searches: ImageSearches,
    zone: Zone,
    default_threshold: Annotated[float, Depends(setting(lambda settings: settings.IMAGE_SIMILARITY_THRESHOLD))],
    default_top_k: Annotated[int, Depends(setting(lambda settings: settings.IMAGE_SEARCH_TOP_K))],
) -> ImageSearchResponse:
    """Find pictures that look alike or show what the words say."""
    started_at = time.perf_counter()
    found = await searches.search(
        ImageQuery(
            picture=request.query_image,
            text=request.query_text,
            wanted=_search_filter(request, zone),
            min_similarity=default_threshold if request.threshold is None else request.threshold,
            top_k=request.top_k or default_top_k,
            offset=request.offset,
        )
    )
    results = []
    for match in found.matches:
        urls = images.urls(match.image)
        results.append(
            ImageMatchInfo(
                image_id=match.image.image_id,
                similarity=round(match.similarity, 4),
                metadata=_info(match.image),
                url=urls.url,
                thumbnail_url=urls.thumbnail_url,
            )
        )
    return ImageSearchResponse(
        results=results,
        total_found=found.total,
        total_is_exact=found.total_is_exact,
        search_time_ms=round((time.perf_counter() - started_at) * 1000),
    )


@router.get("", response_model_exclude_none=True)
async def list_images(
    _: User,
    images: Images,
    zone: Zone,
    category: Category | None = None,
    room_number: RoomNumber | None = None,
    item_type: ItemType | None = None,
    tags: Annotated[Tags | None, Query()] = None,
    location: Place | None = None,
    status: Status | None = None,
    start: DayOrMoment | None = None,
    end: DayOrMoment | None = None,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 50,
) -> ImageListResponse:
    """Indexed pictures, newest first."""
    since, before = _bounds(DateRange.model_construct(start=start, end=end), zone)
    wanted = ImageFilter(
        category=category,
        room_number=room_number,
        item_type=item_type,
        tags=tuple(tags or ()),
        location=location,
        status=status,
        since=since,
        before=before,
    )
    page = await images.list_images(wanted, cursor=cursor, limit=limit)
    return ImageListResponse(images=[_response(image, images) for image in page.images], next_cursor=page.next_cursor)


@router.get("/{image_id}", response_model_exclude_none=True)
async def get_image(image_id: ImagePath, _: User, images: Images) -> ImageResponse:
    """One indexed picture."""
    return _response(await images.get(image_id), images)


@router.patch("/{image_id}", response_model_exclude_none=True)
async def change_image(
    image_id: ImagePath,
    caller: User,
    request: Annotated[ImageChangeRequest, Depends(json_of(ImageChangeRequest))],
    images: Images,
) -> ImageResponse:
    """Change what is known of a picture, such as its status."""
    changes = {name: getattr(request, name) for name in request.model_fields_set}
    return _response(await images.change(image_id, changes, actor=caller.label), images)


@router.delete("/{image_id}")
async def delete_image(image_id: ImagePath, caller: User, images: Images) -> ImageDeletionResponse:
    """Remove a picture: rows at once, vector and objects right after."""
    await images.delete(image_id, actor=caller.label)
    return ImageDeletionResponse(image_id=image_id)


def _search_filter(request: ImageSearchRequest, zone: ZoneInfo) -> ImageFilter:
    filters = request.filters
    since, before = _bounds(filters.date_range or DateRange(), zone)
    return ImageFilter(
        category=request.category,
        room_number=filters.room_number,
        item_type=filters.item_type,
        tags=tuple(filters.tags),
        location=filters.location,
        status=filters.status,
        since=since,
        before=before,
    )


def _bounds(dates: DateRange, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The moments from which on, and before which, pictures are wanted.

    Raises:
        InvalidInput: the range ends before it begins.
    """
    since = _start_of(dates.start, zone) if dates.start else None
    before = _end_of(dates.end, zone) if dates.end else None
    if since and before and since >= before:
        raise InvalidInput("The date range ends before it begins.", code="reversed_date_range")
    return since, before


def _start_of(day_or_moment: date, zone: ZoneInfo) -> datetime:
    if isinstance(day_or_moment, datetime):
        return clock.to_utc(day_or_moment, zone)
    return clock.to_utc(datetime.combine(day_or_moment, datetime.min.time()), zone)


def _end_of(day_or_moment: date, zone: ZoneInfo) -> datetime:
    """The first moment after it: the next midnight after a day."""
    if isinstance(day_or_moment, datetime):
        return clock.to_utc(day_or_moment, zone) + timedelta(microseconds=1)
    return _start_of(day_or_moment + timedelta(days=1), zone)


def _info(image: StoredImage) -> ImageInfo:
    details = image.details
    return ImageInfo(
        category=cast(Category, details.category),
        upload_time=image.uploaded_at,
        room_number=details.room_number,
        item_type=details.item_type,
        tags=list(details.tags),
        location=details.location,
        description=details.description,
        status=details.status,
        uploaded_by=image.uploaded_by,
    )


def _response(image: StoredImage, images: ImageWorkflow) -> ImageResponse:
    urls = images.urls(image)
    return ImageResponse(
        image_id=image.image_id,
        vector_id=image.vector_id,
        metadata=_info(image),
        width=image.width,
        height=image.height,
        url=urls.url,
        thumbnail_url=urls.thumbnail_url,
    )

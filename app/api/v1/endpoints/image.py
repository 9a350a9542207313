"""Image search: index, search, show, change, list and delete pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.accepted import BULK_TYPES, Bulk, accepted
from app.api.conditional import CONDITIONAL, weak_tag
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Zone, resource, setting
from app.models.bodies import RawBody, body_of, json_of, raw_of
from app.models.common import RoomNumber
from app.models.dates import DateRange, DayOrMoment
from app.models.image import (
    Category,
    ImageChangeRequest,
    ImageDeletionResponse,
    ImageFilters,
    ImageId,
    ImageIndexRequest,
    ImageIndexResponse,
    ImageListResponse,
    ImageResponse,
    ImageSearchRequest,
    ImageSearchResponse,
    ItemType,
    Place,
    Status,
    Tags,
)
from app.models.job import JobInfo
from app.models.pages import Cursor
from app.types import Scope
from app.utils import clock
from app.utils.bulk_files import ZIP_TYPES
from app.workflows.access import Caller
from app.workflows.bulk import INDEX_IMAGES
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow

router = APIRouter(prefix="/image", tags=["image"], route_class=MarkedRoute)

Images = Annotated[ImageWorkflow, Depends(resource(lambda resources: resources.images))]
ImageSearches = Annotated[ImageSearchWorkflow, Depends(resource(lambda resources: resources.image_searches))]
Viewer = Annotated[Caller, Depends(require(Scope.IMAGE_READ))]
Editor = Annotated[Caller, Depends(require(Scope.IMAGE_WRITE))]
ImagePath = Annotated[ImageId, Path()]
_MAX_PAGE = 100


@router.post("/index", response_model_exclude_none=True, dependencies=[IDEMPOTENT])
async def index_image(
    caller: Editor, request: Annotated[ImageIndexRequest, Depends(body_of(ImageIndexRequest))], images: Images
) -> ImageIndexResponse:
    """Store a picture, its thumbnail and its vector, so that searches find it."""
    indexed = await images.index(
        request.image,
        request.metadata.details,
        actor=caller.signature(request.metadata.photographer),
        allow_duplicate=request.allow_duplicate,
    )
    return ImageIndexResponse.of(indexed, images.urls(indexed.image))


@router.post("/index/bulk", status_code=202, response_model=JobInfo, dependencies=[IDEMPOTENT])
async def bulk_index_images(
    caller: Editor, body: Annotated[RawBody, Depends(raw_of(ImageIndexRequest, *BULK_TYPES))], bulk: Bulk
) -> Response:
    """Index many pictures: NDJSON, each line as for `/image/index`, or a zip with `items.ndjson`, where `image` names
    a file of the zip. `GET /jobs/{id}/items` has the outcome of each."""
    return accepted(await bulk.take_in(INDEX_IMAGES, body.content, is_zip=body.media_type in ZIP_TYPES, caller=caller))


@router.post("/search", response_model_exclude_none=True)
async def search_images(
    _: Viewer,
    request: Annotated[ImageSearchRequest, Depends(body_of(ImageSearchRequest))],
    images: Images,
    searches: ImageSearches,
    zone: Zone,
    default_threshold: Annotated[float, Depends(setting(lambda settings: settings.IMAGE_SIMILARITY_THRESHOLD))],
    default_top_k: Annotated[int, Depends(setting(lambda settings: settings.IMAGE_SEARCH_TOP_K))],
) -> ImageSearchResponse:
    """Find pictures that look alike or show what the words say."""
    watch = clock.Stopwatch()
    found = await searches.search(request.query(zone, min_similarity=default_threshold, top_k=default_top_k))
    return ImageSearchResponse.of(found, images, elapsed_ms=watch.elapsed_ms)


@router.get("")
async def list_images(
    _: Viewer,
    images: Images,
    zone: Zone,
    link: Linker,
    category: Category | None = None,
    room_number: RoomNumber | None = None,
    item_type: ItemType | None = None,
    tags: Annotated[Tags | None, Query()] = None,
    location: Place | None = None,
    status: Status | None = None,
    start: DayOrMoment | None = None,
    end: DayOrMoment | None = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 50,
) -> ImageListResponse:
    """Indexed pictures, newest first."""
    filters = ImageFilters.model_construct(
        date_range=DateRange.model_construct(start=start, end=end),
        room_number=room_number,
        item_type=item_type,
        tags=tags or [],
        location=location,
        status=status,
    )
    page = await images.list_images(filters.wanted(category, zone), cursor=cursor, limit=limit)
    return linked(ImageListResponse.of(page, images, limit=limit), link)


@router.get("/{image_id}", response_model_exclude_none=True, dependencies=[CONDITIONAL])
async def get_image(image_id: ImagePath, _: Viewer, images: Images, response: Response) -> ImageResponse:
    """One indexed picture. Its `ETag` changes while the addresses that were sent with it still work."""
    image = await images.get(image_id)
    response.headers["ETag"] = weak_tag(images.version_of(image))
    return ImageResponse.of(image, images.urls(image))


@router.patch("/{image_id}", response_model_exclude_none=True)
async def change_image(
    image_id: ImagePath,
    caller: Editor,
    request: Annotated[ImageChangeRequest, Depends(json_of(ImageChangeRequest))],
    images: Images,
) -> ImageResponse:
    """Change what is known of a picture, such as its status."""
    changes = {name: getattr(request, name) for name in request.model_fields_set}
    image = await images.change(image_id, changes, actor=caller.label)
    return ImageResponse.of(image, images.urls(image))


@router.delete("/{image_id}")
async def delete_image(image_id: ImagePath, caller: Editor, images: Images) -> ImageDeletionResponse:
    """Remove a picture: rows at once, vector and objects right after."""
    await images.delete(image_id, actor=caller.label)
    return ImageDeletionResponse(image_id=image_id)

"""Lost & found: claims of guests, held against finds of then and of later."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Zone, resource
from app.models.bodies import body_of, json_of
from app.models.claim import (
    ClaimChangeRequest,
    ClaimCreated,
    ClaimDeletion,
    ClaimInfo,
    ClaimRequest,
    ClaimsResponse,
    HandOverRequest,
    SuggestionsResponse,
)
from app.models.common import RoomNumber
from app.models.dates import DateRange, DayOrMoment
from app.models.image import ImageId
from app.models.pages import Cursor
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.claims import ClaimDesk, ClaimFilter, ClaimState
from app.workflows.image import ImageWorkflow

router = APIRouter(prefix="/lost-found/claims", tags=["claims"], route_class=MarkedRoute)

Desk = Annotated[ClaimDesk, Depends(resource(lambda resources: resources.claims))]
Images = Annotated[ImageWorkflow, Depends(resource(lambda resources: resources.images))]
Clerk = Annotated[Caller, Depends(require(Scope.CLAIMS))]
ClaimId = Annotated[UUID, Path(examples=["0d5c7f5e-2f64-4d8e-9a55-1c7f5f7e9b10"])]
SVG = "image/svg+xml"
LABEL: dict[int | str, dict[str, Any]] = {200: {"content": {SVG: {}}}}


@router.post("", status_code=201, dependencies=[IDEMPOTENT])
async def create_claim(
    caller: Clerk, request: Annotated[ClaimRequest, Depends(body_of(ClaimRequest))], desk: Desk, images: Images
) -> ClaimCreated:
    """Take in what a guest lost. Finds of now are suggested; a match, then or later, raises `lost_found.match`."""
    claim, suggestions = await desk.open(
        request.image,
        request.details,
        room_number=request.room_number,
        lost_from=request.lost_from,
        lost_until=request.lost_until,
        actor=caller.signature(request.created_by),
    )
    return ClaimCreated.of_new(claim, suggestions, desk, images)


@router.get("")
async def list_claims(
    caller: Clerk,
    desk: Desk,
    zone: Zone,
    link: Linker,
    state: ClaimState | None = None,
    room_number: Annotated[RoomNumber | None, Query()] = None,
    start: Annotated[DayOrMoment | None, Query(description="Made from then on")] = None,
    end: Annotated[DayOrMoment | None, Query(description="Made until then, a day being all of it")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ClaimsResponse:
    """Claims, newest first; the audit says who asked."""
    since, before = DateRange.model_construct(start=start, end=end).bounds(zone)
    wanted = ClaimFilter(state, room_number, since, before)
    page = await desk.list_claims(wanted, cursor=cursor, limit=limit, actor=caller.label)
    return linked(ClaimsResponse.listing(page, partial(ClaimInfo.of, desk=desk), limit=limit), link)


@router.get("/{claim_id}")
async def get_claim(claim_id: ClaimId, caller: Clerk, desk: Desk) -> ClaimInfo:
    """One claim; the audit says who asked."""
    return ClaimInfo.of(await desk.get(claim_id, actor=caller.label), desk)


@router.get("/{claim_id}/suggestions")
async def list_claim_suggestions(
    claim_id: ClaimId, _: Clerk, desk: Desk, images: Images, limit: Annotated[int, Query(ge=1, le=20)] = 5
) -> SuggestionsResponse:
    """The finds of now that the claim may be about, likeliest first, with the reasons."""
    return SuggestionsResponse.of(await desk.suggestions(claim_id, limit=limit), images)


@router.patch("/{claim_id}")
async def change_claim(
    claim_id: ClaimId,
    caller: Clerk,
    request: Annotated[ClaimChangeRequest, Depends(json_of(ClaimChangeRequest))],
    desk: Desk,
) -> ClaimInfo:
    """Change what a claim says, close it or open it again, or dismiss finds that are not it."""
    claim = await desk.change(
        claim_id,
        request.changes(),
        photo=request.image,
        dismissed=request.dismissed_finds,
        actor=caller.signature(request.changed_by),
    )
    return ClaimInfo.of(claim, desk)


@router.post("/{claim_id}/hand-over", dependencies=[IDEMPOTENT])
async def hand_over_find(
    claim_id: ClaimId,
    caller: Clerk,
    request: Annotated[HandOverRequest, Depends(json_of(HandOverRequest))],
    desk: Desk,
) -> ClaimInfo:
    """Note that a find was given to the guest: the claim is returned, and the find `returned_to_guest`."""
    claim = await desk.hand_over(
        claim_id,
        request.image_id,
        received_by=request.received_by,
        paper_seen=request.paper_seen,
        actor=caller.signature(request.handed_over_by),
    )
    return ClaimInfo.of(claim, desk)


@router.get("/{claim_id}/label", response_class=Response, responses=LABEL)
async def print_claim_label(
    claim_id: ClaimId,
    caller: Clerk,
    desk: Desk,
    image_id: Annotated[ImageId | None, Query(description="The find that the label is for")] = None,
) -> Response:
    """A label of 62 by 29 mm with a QR code, as SVG; it names nobody."""
    return Response(await desk.label(claim_id, image_id, actor=caller.label), media_type=SVG)


@router.delete("/{claim_id}")
async def delete_claim(claim_id: ClaimId, caller: Clerk, desk: Desk) -> ClaimDeletion:
    """Erase a claim; the audit keeps that it was."""
    await desk.delete(claim_id, actor=caller.label)
    return ClaimDeletion(claim_id=claim_id)

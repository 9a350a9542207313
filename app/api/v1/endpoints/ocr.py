"""Invoices, receipts and identity papers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.api.accepted import ACCEPTED, Later, accepted
from app.api.conditional import CONDITIONAL
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.references import ResultReference
from app.api.routes import MarkedRoute
from app.api.security import require
from app.core.ocr.issuers.base import DocumentType
from app.dependencies import Zone, resource
from app.models.bodies import body_of
from app.models.common import PersonText
from app.models.dates import DateRange, DayOrMoment
from app.models.invoice import InvoiceRequest, InvoiceResponse
from app.models.ocr import (
    ConfirmationRequest,
    ConfirmationResponse,
    IdentityRequest,
    IdentityResponse,
    ListedResultInfo,
    ListedResultsResponse,
    ResultDeletionResponse,
    StoredResultResponse,
)
from app.models.pages import Cursor
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.jobs import Job
from app.workflows.long_invoices import InvoiceIntake
from app.workflows.ocr import OcrWorkflow
from app.workflows.result_lists import OtherKind, ResultFilter, ResultLists, TableFormat

router = APIRouter(prefix="/ocr", tags=["ocr"], route_class=MarkedRoute)

Documents = Annotated[OcrWorkflow, Depends(resource(lambda resources: resources.documents))]
InvoiceReader = Annotated[Caller, Depends(require(Scope.OCR_INVOICE))]
IdentityReader = Annotated[Caller, Depends(require(Scope.OCR_ID))]
Reader = Annotated[Caller, Depends(require(Scope.OCR_INVOICE, Scope.OCR_ID))]
Lists = Annotated[ResultLists, Depends(resource(lambda resources: resources.result_lists))]
TABLE_TYPES: dict[TableFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
TABLES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type.partition(";")[0]: {} for media_type in TABLE_TYPES.values()}}
}


@router.post("/invoice", dependencies=[IDEMPOTENT], response_model=InvoiceResponse, responses=ACCEPTED)
async def read_invoice(
    caller: InvoiceReader,
    request: Annotated[InvoiceRequest, Depends(body_of(InvoiceRequest))],
    invoices: Annotated[InvoiceIntake, Depends(resource(lambda resources: resources.invoices))],
    later: Later,
) -> InvoiceResponse | Response:
    """Read an invoice or a receipt: a picture, a PDF, or the XML of e-invoices. A PDF of many pages becomes a job."""
    watch = clock.Stopwatch()
    found = await invoices.read(
        request.image,
        language=request.language,
        keep_image=request.keep_image,
        caller=caller,
        actor=caller.signature(request.processed_by),
        later=later,
    )
    return accepted(found) if isinstance(found, Job) else InvoiceResponse.of(found, elapsed_ms=watch.elapsed_ms)


@router.post("/id", dependencies=[IDEMPOTENT])
async def read_identity(
    caller: IdentityReader, request: Annotated[IdentityRequest, Depends(body_of(IdentityRequest))], documents: Documents
) -> IdentityResponse:
    """Read an identity card, a passport or a driving licence."""
    watch = clock.Stopwatch()
    result = await documents.read_identity(
        request.image,
        expected=request.document_type,
        keep_image=request.keep_image,
        actor=caller.signature(request.processed_by),
    )
    return IdentityResponse.of(result, request=request, elapsed_ms=watch.elapsed_ms)


@router.get("/results")
async def list_document_results(
    caller: Reader,
    lists: Lists,
    zone: Zone,
    link: Linker,
    document_type: DocumentType | OtherKind | None = None,
    confirmed: bool | None = None,
    vendor: Annotated[PersonText | None, Query(description="A part of an invoice's seller")] = None,
    start: Annotated[DayOrMoment | None, Query(description="Read from then on")] = None,
    end: Annotated[DayOrMoment | None, Query(description="Read until then, a day being all of it")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ListedResultsResponse:
    """Documents that were read, newest first."""
    since, before = DateRange.model_construct(start=start, end=end).bounds(zone)
    wanted = ResultFilter(document_type, confirmed, vendor, since, before, lists.visible_to(caller))
    page = await lists.list_results(wanted, cursor=cursor, limit=limit)
    return linked(ListedResultsResponse.listing(page, ListedResultInfo.of, limit=limit), link)


@router.get("/results/export", response_class=Response, responses=TABLES)
async def export_invoices(
    caller: InvoiceReader,
    lists: Lists,
    table: Annotated[TableFormat, Query(alias="format")] = "csv",
    start: Annotated[date | None, Query(description="The first date that the invoices bear")] = None,
    end: Annotated[date | None, Query(description="The last one")] = None,
) -> Response:
    """Invoices that a person confirmed, as a table for accounting: up to 10,000, newest first."""
    first, last = (day.isoformat() if day else None for day in (start, end))
    content = await lists.export_invoices(first_day=first, last_day=last, table=table, actor=caller.label)
    headers = {"Content-Disposition": f'attachment; filename="invoices.{table}"'}
    return Response(content, media_type=TABLE_TYPES[table], headers=headers)


@router.post("/results/{result_id}/confirm", dependencies=[IDEMPOTENT])
async def confirm_document_result(
    result_id: ResultReference,
    caller: Reader,
    request: Annotated[ConfirmationRequest, Depends(body_of(ConfirmationRequest))],
    documents: Documents,
) -> ConfirmationResponse:
    """Say what is right. The seller of a confirmed invoice is recognised from then on."""
    actor = caller.signature(request.confirmed_by)
    number, supplier_id = await documents.confirm(result_id, request.corrections(), may_see=caller.may_see, actor=actor)
    return ConfirmationResponse(result_id=number, supplier_id=supplier_id)


@router.get("/results/{result_id}", dependencies=[CONDITIONAL])
async def get_document_result(
    result_id: ResultReference,
    caller: Reader,
    documents: Documents,
    picture: Annotated[bool, Query(description="Also the picture of the first page, where it was kept")] = False,
) -> StoredResultResponse:
    """What is kept of a document; the audit says who asked."""
    stored = await documents.result(result_id, may_see=caller.may_see, actor=caller.label)
    return StoredResultResponse.of(stored, picture=await documents.picture(stored) if picture else None)


@router.delete("/results/{result_id}")
async def delete_document_result(
    result_id: ResultReference, caller: Reader, documents: Documents
) -> ResultDeletionResponse:
    """Erase what is kept of a document; the audit keeps that it was."""
    deleted = await documents.delete(result_id, may_see=caller.may_see, actor=caller.label)
    return ResultDeletionResponse(result_id=deleted.id, public_id=deleted.public_id)

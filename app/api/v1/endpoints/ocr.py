"""Invoices, receipts and identity papers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.idempotency import IDEMPOTENT
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import body_of
from app.models.invoice import InvoiceRequest, InvoiceResponse
from app.models.ocr import (
    ConfirmationRequest,
    ConfirmationResponse,
    IdentityRequest,
    IdentityResponse,
    StoredResultResponse,
)
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.ocr import OcrWorkflow

router = APIRouter(prefix="/ocr", tags=["ocr"], route_class=MarkedRoute)

Documents = Annotated[OcrWorkflow, Depends(resource(lambda resources: resources.documents))]
InvoiceReader = Annotated[Caller, Depends(require(Scope.OCR_INVOICE))]
IdentityReader = Annotated[Caller, Depends(require(Scope.OCR_ID))]
Reader = Annotated[Caller, Depends(require(Scope.OCR_INVOICE, Scope.OCR_ID))]
ResultId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/invoice", dependencies=[IDEMPOTENT])
async def read_invoice(
    caller: InvoiceReader, request: Annotated[InvoiceRequest, Depends(body_of(InvoiceRequest))], documents: Documents
) -> InvoiceResponse:
    """Read an invoice or a receipt: a picture, a PDF of a few pages, or the XML of e-invoices."""
    watch = clock.Stopwatch()
    result = await documents.read_invoice(
        request.image,
        language=request.language,
        keep_image=request.keep_image,
        actor=caller.signature(request.processed_by),
    )
    return InvoiceResponse.of(result, elapsed_ms=watch.elapsed_ms)


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


@router.get("/results/{result_id}")
async def get_result(result_id: ResultId, caller: Reader, documents: Documents) -> StoredResultResponse:
    """What is kept of a document; the audit says who asked."""
    return StoredResultResponse.of(await documents.result(result_id, may_see=caller.may_see, actor=caller.label))


@router.post("/results/{result_id}/confirm", dependencies=[IDEMPOTENT])
async def confirm_result(
    result_id: ResultId,
    caller: Reader,
    request: Annotated[ConfirmationRequest, Depends(body_of(ConfirmationRequest))],
    documents: Documents,
) -> ConfirmationResponse:
    """Say what is right. The seller of a confirmed invoice is recognised from then on."""
    actor = caller.signature(request.confirmed_by)
    supplier_id = await documents.confirm(result_id, request.corrections(), may_see=caller.may_see, actor=actor)
    return ConfirmationResponse(result_id=result_id, supplier_id=supplier_id)

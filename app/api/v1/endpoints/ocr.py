"""Invoices, receipts and identity papers."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.security import require
from app.core.ocr.identity import DocumentType
from app.dependencies import resource
from app.models.bodies import body_of
from app.models.ocr import (
    ConfirmationRequest,
    ConfirmationResponse,
    IdentityRequest,
    IdentityResponse,
    InvoiceRequest,
    InvoiceResponse,
    StoredResultResponse,
)
from app.workflows.access import Caller
from app.workflows.ocr import OcrWorkflow
from app.workflows.ocr_records import identity_data, invoice_data

router = APIRouter(prefix="/ocr", tags=["ocr"])

Documents = Annotated[OcrWorkflow, Depends(resource(lambda resources: resources.documents))]
Reader = Annotated[Caller, Depends(require("ocr"))]
ResultId = Annotated[int, Path(ge=1, le=2**31 - 1)]

_MESSAGES = {
    "no_text_found": "No text was found; send a sharp, well-lit picture of the whole document",
    "no_invoice_found": "The text is no invoice or receipt: no amount is labelled as a total",
    "no_document_found": "No identity card, passport or driving licence was recognised",
    "wrong_document_type": "The document is of another type than document_type says",
    "several_documents": "Several documents are on the picture; send one at a time",
}


def _elapsed_ms(started_at: float) -> int:
    return round((time.perf_counter() - started_at) * 1000)


@router.post("/invoice")
async def read_invoice(
    caller: Reader, request: Annotated[InvoiceRequest, Depends(body_of(InvoiceRequest))], documents: Documents
) -> InvoiceResponse:
    """Read an invoice or a receipt: a picture, or a PDF of a few pages."""
    started_at = time.perf_counter()
    actor = request.processed_by or caller.label[:20]
    result = await documents.read_invoice(
        request.image, language=request.language, keep_image=request.keep_image, actor=actor
    )
    reading = result.reading
    answer: dict[str, object] = {"success": reading.invoice is not None, "ocr_time_ms": _elapsed_ms(started_at)}
    if reading.invoice is None:
        answer |= {"error": reading.reason, "message": _MESSAGES[reading.reason or "no_text_found"]}
    else:
        answer |= invoice_data(reading.invoice, engine=reading.engine)
        answer |= {
            "confidence": reading.invoice.confidence,
            "raw_text": reading.raw_text,
            "result_id": result.result_id,
        }
    return InvoiceResponse.model_validate(answer)


@router.post("/id")
async def read_identity(
    caller: Reader, request: Annotated[IdentityRequest, Depends(body_of(IdentityRequest))], documents: Documents
) -> IdentityResponse:
    """Read an identity card, a passport or a driving licence."""
    started_at = time.perf_counter()
    actor = request.processed_by or caller.label[:20]
    expected = DocumentType(request.document_type) if request.document_type else None
    result = await documents.read_identity(request.image, expected=expected, keep_image=request.keep_image, actor=actor)
    reading = result.reading
    answer: dict[str, object] = {"success": reading.reason is None, "ocr_time_ms": _elapsed_ms(started_at)}
    if reading.reason is not None:
        found = reading.identity.document_type if reading.identity else None
        answer |= {"error": reading.reason, "message": _MESSAGES[reading.reason], "document_type": found}
    elif reading.identity is not None:
        answer |= identity_data(reading.identity, engine=reading.engine)
        answer |= {"confidence": reading.identity.confidence, "result_id": result.result_id}
        asked = "country" in request.model_fields_set
        if asked and request.country == "VN" and reading.identity.issuer not in (None, "VNM"):
            answer["warnings"] = [*reading.identity.warnings, "issuer_is_not_country"]
    return IdentityResponse.model_validate(answer)


@router.get("/results/{result_id}")
async def get_result(result_id: ResultId, caller: Reader, documents: Documents) -> StoredResultResponse:
    """What is kept of a document; the audit says who asked."""
    stored = await documents.result(result_id, actor=caller.label)
    return StoredResultResponse(
        result_id=stored.id,
        document_type=stored.document_type,
        extracted_data=stored.data,
        confidence=stored.confidence,
        raw_text=stored.raw_text,
        processed_at=stored.processed_at,
        processed_by=stored.processed_by,
        confirmed=stored.confirmed_at is not None,
        redacted=stored.redacted_at is not None,
    )


@router.post("/results/{result_id}/confirm")
async def confirm_result(
    result_id: ResultId,
    caller: Reader,
    request: Annotated[ConfirmationRequest, Depends(body_of(ConfirmationRequest))],
    documents: Documents,
) -> ConfirmationResponse:
    """Say what is right. The seller of a confirmed invoice is recognised from then on."""
    actor = request.confirmed_by or caller.label[:20]
    supplier_id = await documents.confirm(result_id, request.corrections(), actor=actor)
    return ConfirmationResponse(result_id=result_id, supplier_id=supplier_id)

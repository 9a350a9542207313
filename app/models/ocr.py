"""Requests and responses of identity papers and of stored results: the spec's fields, then ours."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from app.core.ocr.issuers.base import DocumentType
from app.models.bodies import ImageData
from app.models.common import ActorName, Moment, Request, Response, Score, Text
from app.models.countries import COUNTRY_CODES
from app.models.pages import ListPage
from app.services.stores.document_store import StoredResult
from app.workflows.ocr import IdentityResult
from app.workflows.ocr_records import identity_data
from app.workflows.result_lists import ListedResult

_PICTURE = "picture:id_card.webp"
_MESSAGES = {
    "no_text_found": "No text was found; send a sharp, well-lit picture of the whole document",
    "no_document_found": "No identity card, passport or driving licence was recognised",
    "wrong_document_type": "The document is of another type than document_type says",
    "several_documents": "Several documents are on the picture; send one at a time",
    "unsupported_issuer": "This issuer's papers are not known well enough; complete what was read, which is in fields",
}


def _known_country(code: str) -> str:
    if code not in COUNTRY_CODES:
        raise ValueError("no ISO 3166-1 alpha-2 code")
    return code


CountryCode = Annotated[str, AfterValidator(_known_country)]
ShortText = Annotated[Text, Field(min_length=1, max_length=200)]


class IdentityRequest(Request):
    """A picture or a PDF of an identity paper; front and back of one card may be on one picture."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"image": _PICTURE, "document_type": "id_card", "country": "VN"}}
    )

    image: ImageData
    document_type: DocumentType | None = Field(None, description="Told by the paper, if omitted")
    country: CountryCode = Field("VN", description="ISO 3166 code of who issued it; the paper itself is believed first")
    keep_image: bool = Field(False, description="Keep the picture until the result is redacted")
    processed_by: ActorName | None = None

    def disagrees_with(self, issuer: str | None) -> bool:
        """Whether the caller says in so many words that the paper is Vietnamese, and it is another country's."""
        return "country" in self.model_fields_set and self.country == "VN" and issuer not in (None, "VNM")


class IdentityField(Response):
    """A value with how sure it is and what it was read from."""

    value: str
    confidence: Score
    source: Literal["qr", "mrz", "ocr"]


class OtherPaperInfo(Response):
    """A further paper of the same holder, such as the visa beside a passport's page."""

    document_type: DocumentType
    fields: dict[str, IdentityField]


class IdentityResponse(Response):
    """Fields that the paper does not print are null."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "document_type": "id_card",
                "id_number": "001234567890",
                "full_name": "NGUYEN VAN A",
                "date_of_birth": "1990-05-15",
                "gender": "Male",
                "nationality": "Vietnamese",
                "address": "123 Nguyen Trai, District 1, Ho Chi Minh City",
                "issue_date": "2020-01-01",
                "expiry_date": "2030-01-01",
                "confidence": 0.96,
                "ocr_time_ms": 980,
            }
        }
    )

    success: bool
    document_type: str | None = None
    id_number: str | None = None
    full_name: str | None = None
    date_of_birth: str | None = None
    gender: str | None = None
    nationality: str | None = None
    address: str | None = None
    issue_date: str | None = None
    expiry_date: str | None = None
    confidence: Score = 0.0
    ocr_time_ms: int
    place_of_origin: str | None = None
    fields: dict[str, IdentityField] = Field(default_factory=dict)
    others: list[OtherPaperInfo] = Field(default_factory=list)
    result_id: int | None = None
    public_id: UUID | None = None
    engine: str | None = None
    warnings: list[str] = Field(default_factory=list)
    error: str | None = None
    message: str | None = None

    @classmethod
    def of(cls, result: IdentityResult, *, request: IdentityRequest, elapsed_ms: int) -> IdentityResponse:
        reading = result.reading
        identity, reason = reading.identity, reading.reason
        if identity is None or reason not in (None, "unsupported_issuer"):
            reason = reason or "no_text_found"
            found = identity.document_type if identity else None
            message = _MESSAGES[reason]
            return cls(success=False, error=reason, message=message, document_type=found, ocr_time_ms=elapsed_ms)
        doubts = ["issuer_is_not_country"] if request.disagrees_with(identity.issuer) else []
        return cls.model_validate(
            {
                **identity_data(identity, engine=reading.engine),
                "success": reason is None,
                "error": reason,
                "message": _MESSAGES[reason] if reason else None,
                "ocr_time_ms": elapsed_ms,
                "confidence": identity.confidence,
                "result_id": result.key.id if result.key else None,
                "public_id": result.key.public_id if result.key else None,
                "warnings": [*identity.warnings, *doubts],
            }
        )


class ConfirmationRequest(Request):
    """What a person says is right. Fields that are absent stay as they were read."""

    model_config = ConfigDict(json_schema_extra={"example": {"vendor": "Công ty TNHH ABC", "total_amount": 1500000}})

    vendor: ShortText | None = None
    vendor_tax_code: Annotated[str, Field(pattern=r"^\d{10}(-\d{3})?$|^\d{12}$")] | None = None
    invoice_number: ShortText | None = None
    invoice_serial: ShortText | None = None
    date: dt.date | None = None
    total_amount: Annotated[float, Field(ge=0)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    confirmed_by: ActorName | None = None

    def corrections(self) -> dict[str, object]:
        """The fields that were sent."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"confirmed_by"})


class ConfirmationResponse(Response):
    """`supplier_id` is null where the result names no seller."""

    success: bool = True
    result_id: int
    supplier_id: int | None


class StoredResultResponse(Response):
    """What is kept of a document. After its retention only what is not personal is left, and `redacted` is true."""

    success: bool = True
    result_id: int
    public_id: UUID | None
    document_type: str
    extracted_data: dict[str, object]
    confidence: float
    raw_text: str | None
    processed_at: Moment
    processed_by: str | None
    confirmed: bool
    redacted: bool
    picture: str | None = Field(
        None, description="Base64 of a JPEG: the first page, where it was kept and `picture=true` asks for it"
    )

    @classmethod
    def of(cls, stored: StoredResult, *, picture: bytes | None = None) -> StoredResultResponse:
        return cls.like(
            stored,
            result_id=stored.id,
            extracted_data=stored.data,
            confirmed=stored.confirmed_at is not None,
            redacted=stored.redacted_at is not None,
            picture=base64.b64encode(picture).decode() if picture else None,
        )


class ListedInvoice(Response):
    """What a list shows of an invoice."""

    invoice_number: str | None = None
    date: str | None = None
    vendor: str | None = None
    vendor_tax_code: str | None = None
    total_amount: int | float | None = None
    currency: str | None = None


class ListedResultInfo(Response):
    """A read document; `invoice` is null for any other paper, whose contents `GET /ocr/results/{id}` shows, audited."""

    result_id: int
    public_id: UUID | None
    document_type: str
    invoice: ListedInvoice | None
    confidence: Score
    processed_at: Moment
    processed_by: str | None
    confirmed: bool
    redacted: bool

    @classmethod
    def of(cls, result: ListedResult) -> ListedResultInfo:
        return cls.like(
            result,
            result_id=result.id,
            invoice=None if result.invoice is None else ListedInvoice.model_validate(dict(result.invoice)),
            confirmed=result.confirmed_at is not None,
            redacted=result.redacted_at is not None,
        )


class ListedResultsResponse(ListPage):
    """Read documents, newest first."""

    items: list[ListedResultInfo]


class ResultDeletionResponse(Response):
    """The result is gone, and its picture soon after."""

    success: bool = True
    result_id: int
    public_id: UUID | None

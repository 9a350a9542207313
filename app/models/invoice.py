"""Requests and responses of invoices and receipts: the spec's fields, then ours."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.models.bodies import DocumentData
from app.models.common import ActorName, Request, Response, Score
from app.services.stores.document_store import ResultKey
from app.workflows.ocr import InvoiceResult

_PICTURE = "picture:invoice.webp"
Language = Literal["vi", "en"]
_MESSAGES = {
    "no_text_found": "No text was found; send a sharp, well-lit picture of the whole document",
    "no_invoice_found": "The text is no invoice or receipt: no amount is labelled as a total",
}

Figure = int | float
"""Whole amounts stay integers: ``1500000`` and not ``1500000.0``."""


class InvoiceRequest(Request):
    """A picture or a PDF of an invoice or a receipt, or the XML of e-invoices."""

    model_config = ConfigDict(json_schema_extra={"example": {"image": _PICTURE, "language": "vi"}})

    image: DocumentData
    language: Language | None = Field(None, description="Told by the text, if omitted")
    keep_image: bool = Field(False, description="Keep the picture until the result is redacted; XML has none")
    processed_by: ActorName | None = None


class InvoiceItem(Response):
    """A line of an invoice; null where a figure is not printed. `tax_rate` as written: `8%`, `KCT`, `KHAC:8%`."""

    description: str
    quantity: Figure | None
    unit_price: Figure | None
    amount: Figure | None
    kind: Literal["goods", "promotion", "discount", "note", "special"] | None = None
    code: str | None = None
    unit: str | None = None
    discount: Figure | None = None
    tax_rate: str | None = None


class TaxLine(Response):
    """Base and tax at one rate; `rate_percent` is null for what is not taxable."""

    rate: str
    rate_percent: Figure | None
    base: Figure | None
    tax: Figure | None


class InvoicePlace(Response):
    """A line of print, as parts of its page, which is as it was sent: 0 to 1 from the top left."""

    page: int = Field(description="From 1")
    x: Score
    y: Score
    width: Score
    height: Score


class InvoiceField(Response):
    """A value with how sure it is and what it was read from. `places` are the lines that print it; none where it comes
    from XML or a code, is printed otherwise, or in more than five lines."""

    value: str
    confidence: Score
    source: Literal["ocr", "pdf_text", "qr", "xml"]
    places: list[InvoicePlace] = Field(default_factory=list)


class InvoiceSignature(Response):
    """An XML signature. `valid_untrusted_signer`: the file is as it was signed, by somebody for whom no certificate in
    `EINVOICE_TRUST_DIR` vouches. `matches_seller`: whether the signer's tax code is the seller's."""

    role: Literal["seller", "buyer", "tax_authority", "message", "other"]
    status: Literal["valid", "valid_untrusted_signer", "invalid", "unchecked"]
    reason: str | None
    signer: str | None
    signer_tax_code: str | None
    signed_at: str | None
    matches_seller: bool | None


class InvoiceParty(Response):
    """Seller or buyer of an e-invoice; null where the file does not say."""

    name: str | None = None
    tax_code: str | None = None
    address: str | None = None
    phone: str | None = None
    email: str | None = None
    website: str | None = None
    bank_account: str | None = None
    bank_name: str | None = None
    person: str | None = None
    citizen_id: str | None = None
    budget_code: str | None = None


class RelatedInvoice(Response):
    """The invoice that this one replaces, adjusts or relates to."""

    relation: Literal["replaces", "adjusts", "relates_to"]
    number: str | None
    serial: str | None
    form: str | None
    date: str | None


class InvoiceFee(Response):
    """A charge beside the lines."""

    name: str
    amount: Figure | None


class NamedValue(Response):
    """A field of the seller's own, such as the code to look an invoice up with."""

    name: str
    value: str


class EInvoiceParticulars(Response):
    """What an e-invoice's file says beside the fields of every invoice. `other_lines` are discounts and notes."""

    standard: Literal["vn_tt78", "cii", "ubl"]
    title: str | None
    form: str | None
    exchange_rate: Figure | None
    seller: InvoiceParty
    buyer: InvoiceParty
    related_invoice: RelatedInvoice | None
    fees: list[InvoiceFee]
    other_lines: list[InvoiceItem]
    total_in_words: str | None
    tax_authority_code: str | None
    qr: str | None
    extra: list[NamedValue]


class InvoiceDocument(Response):
    """One invoice; null where a field is not printed or was not read surely enough."""

    document_kind: Literal["invoice", "receipt", "credit_note", "pro_forma", "folio"] | None = None
    invoice_number: str | None = None
    date: str | None = None
    vendor: str | None = None
    total_amount: Figure | None = None
    currency: str | None = None
    items: list[InvoiceItem] = Field(default_factory=list)
    tax_amount: Figure | None = None
    confidence: Score = 0.0
    raw_text: str | None = None
    result_id: int | None = None
    public_id: UUID | None = None
    invoice_serial: str | None = None
    due_date: str | None = None
    vendor_known: bool = False
    vendor_tax_code: str | None = None
    buyer: str | None = None
    buyer_tax_code: str | None = None
    subtotal: Figure | None = None
    tax_rate: Figure | None = None
    tax_lines: list[TaxLine] = Field(default_factory=list)
    discount: Figure | None = None
    rounding: Figure | None = None
    amount_paid: Figure | None = None
    amount_due: Figure | None = None
    payment_method: str | None = None
    fields: dict[str, InvoiceField] = Field(default_factory=dict)
    signatures: list[InvoiceSignature] = Field(default_factory=list)
    e_invoice: EInvoiceParticulars | None = None
    engine: str | None = None
    warnings: list[str] = Field(default_factory=list)


class InvoiceResponse(InvoiceDocument):
    """The first invoice of the file; `documents` holds every one where there are several. Where nothing could be
    read, only `success`, `error`, `message` and `ocr_time_ms` are there."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "result_id": 17,
                "public_id": "0197a3c0-5b1e-7c44-9d5e-8f0f4f1f7f10",
                "invoice_number": "INV-2025-001",
                "date": "2025-01-17",
                "vendor": "ABC Supplies Co.",
                "total_amount": 1500000,
                "currency": "VND",
                "items": [
                    {"description": "Bed linens", "quantity": 10, "unit_price": 100000, "amount": 1000000},
                    {"description": "Cleaning supplies", "quantity": 1, "unit_price": 500000, "amount": 500000},
                ],
                "tax_amount": 0,
                "confidence": 0.94,
                "ocr_time_ms": 1200,
                "raw_text": "...",
            }
        }
    )

    success: bool
    ocr_time_ms: int
    documents: list[InvoiceDocument] = Field(default_factory=list)
    error: str | None = None
    message: str | None = None

    @classmethod
    def of(cls, result: InvoiceResult, *, elapsed_ms: int) -> InvoiceResponse:
        if not result.invoices:
            reason = result.reason or "no_text_found"
            return cls(success=False, error=reason, message=_MESSAGES[reason], ocr_time_ms=elapsed_ms)
        every = [
            {**invoice.data, "confidence": invoice.confidence, "raw_text": invoice.raw_text, **_named(key)}
            for key, invoice in result.invoices
        ]
        several = every if len(every) > 1 else []
        return cls.model_validate({**every[0], "success": True, "ocr_time_ms": elapsed_ms, "documents": several})


def _named(key: ResultKey) -> dict[str, object]:
    return {"result_id": key.id, "public_id": key.public_id}

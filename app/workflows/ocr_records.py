"""What is stored of a document, as JSON: the fields of the answer, and what is left of them after redaction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Literal

from app.core.ocr.identity import IdentityDocument
from app.core.ocr.identity_values import FieldValue
from app.core.ocr.invoice import Invoice
from app.core.ocr.items import LineItem
from app.core.ocr.places import PrintedPlace
from app.core.ocr.read_value import ReadValue
from app.services.stores.document_store import OtherKind
from app.workflows.figures import number

_KEPT = ("document_type", "engine", "confidence", "warnings", "language")
_VISIBLE_DIGITS = 4
_SOURCES = {"pdf_text": "pdf_text"}
"""By the engine that read a page; every other one reads pictures."""


def invoice_data(invoice: Invoice, *, engine: str, places: Mapping[str, Sequence[PrintedPlace]]) -> dict[str, object]:
    """The fields of an invoice, by the spec's names and ours."""
    header = invoice.header
    return {
        "invoice_number": header.invoice_number,
        "invoice_serial": header.serial,
        "date": invoice.date.isoformat() if invoice.date else None,
        "vendor": invoice.vendor.name if invoice.vendor else None,
        "vendor_known": invoice.vendor.known if invoice.vendor else False,
        "vendor_tax_code": header.vendor_tax_code,
        "buyer": header.buyer,
        "buyer_tax_code": header.buyer_tax_code,
        "total_amount": number(invoice.total),
        "subtotal": number(invoice.subtotal),
        "tax_amount": number(invoice.tax_amount),
        "tax_rate": number(header.tax_rate_percent),
        "currency": invoice.currency,
        "payment_method": header.payment_method,
        "items": [_item_data(item) for item in invoice.items],
        "warnings": list(invoice.warnings),
        "document_kind": invoice.kind.value,
        "due_date": _text(invoice.values.get("due_date")),
        "fields": {
            name: {
                "value": _text(read),
                "confidence": round(read.confidence, 3),
                "source": "qr" if read.of_code else _SOURCES.get(engine, "ocr"),
                "places": [asdict(place) for place in places.get(name, ())],
            }
            for name, read in invoice.values.items()
        },
        "engine": engine,
    }


def _text(read: ReadValue | None) -> str | None:
    """The value as ``fields`` has it."""
    if read is None:
        return None
    return read.value.isoformat() if isinstance(read.value, date) else str(read.value)


def _item_data(item: LineItem) -> dict[str, object]:
    return {
        "description": item.description,
        "quantity": number(item.quantity),
        "unit_price": number(item.unit_price),
        "amount": number(item.amount),
    }


def _fields_data(fields: Mapping[str, FieldValue]) -> dict[str, object]:
    return {
        name: {"value": field.value, "confidence": field.confidence, "source": field.source}
        for name, field in fields.items()
    }


def identity_data(identity: IdentityDocument, *, engine: str) -> dict[str, object]:
    """The fields of an identity paper with their sources."""
    return {
        "document_type": identity.document_type,
        **{name: field.value for name, field in identity.fields.items()},
        "fields": _fields_data(identity.fields),
        "others": [
            {"document_type": other.document_type, "fields": _fields_data(other.fields)} for other in identity.others
        ],
        "warnings": list(identity.warnings),
        "engine": engine,
    }


def kept_data(
    data: Mapping[str, object], *, document_type: str, action: Literal["mask", "drop"]
) -> Mapping[str, object]:
    """What may be kept of a document past its retention: all of an invoice. Whatever else it is may speak of a person,
    kinds that are added later included."""
    return data if document_type == OtherKind.INVOICE else redacted(data, action=action)


def redacted(data: Mapping[str, object], *, action: Literal["mask", "drop"]) -> dict[str, object]:
    """What may be kept of an identity paper: nothing personal (``drop``), or masked values (``mask``)."""
    kept = {name: data[name] for name in _KEPT if name in data}
    if action == "drop":
        return kept
    masked = {name: _mask(name, value) for name, value in data.items() if name not in _KEPT and isinstance(value, str)}
    return kept | masked


def _mask(name: str, value: str) -> str:
    """The year of a date, the last digits of a number, the initials of a name; of anything else nothing."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return value[:4] + "-**-**"
    if name == "id_number":
        return "*" * max(len(value) - _VISIBLE_DIGITS, 0) + value[-_VISIBLE_DIGITS:]
    if name == "full_name":
        return " ".join(word[:1] + "." for word in value.split())
    return value if name in ("gender", "nationality") else "***"

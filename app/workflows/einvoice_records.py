"""An e-invoice as JSON: the fields of every invoice's answer, and all else that the file says."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from app.core.einvoices.document import EInvoice, Line, LineKind, Party, SignatureStatus
from app.core.ocr.tax_code import is_tax_code
from app.workflows.figures import number

_ITEMS = {LineKind.GOODS, LineKind.PROMOTION, LineKind.SPECIAL}


def einvoice_data(invoice: EInvoice, *, confidence: float) -> dict[str, object]:
    """The fields by the names of the answer. ``confidence`` is that of every field: the file is read whole or not."""
    values: dict[str, object] = {
        "invoice_number": invoice.number,
        "invoice_serial": invoice.serial,
        "date": _text(invoice.date),
        "due_date": _text(invoice.due_date),
        "vendor": invoice.seller.name,
        "vendor_tax_code": invoice.seller.tax_code,
        "buyer": invoice.buyer.name,
        "buyer_tax_code": invoice.buyer.tax_code,
        "total_amount": number(invoice.total),
        "subtotal": number(invoice.subtotal),
        "tax_amount": number(invoice.tax),
        "tax_rate": _single_rate(invoice),
        "discount": number(invoice.discount),
        "rounding": number(invoice.rounding),
        "amount_paid": number(invoice.paid),
        "amount_due": number(invoice.due),
        "currency": invoice.currency,
        "payment_method": invoice.payment_method,
    }
    return {
        "document_kind": invoice.kind.value,
        **values,
        "items": [_item(line) for line in invoice.lines if line.kind in _ITEMS],
        "tax_lines": [
            {
                "rate": line.rate,
                "rate_percent": number(line.rate_percent),
                "base": number(line.base),
                "tax": number(line.tax),
            }
            for line in invoice.tax_lines
        ],
        "fields": {
            name: {"value": str(value), "confidence": confidence, "source": "xml"}
            for name, value in values.items()
            if value is not None
        },
        "signatures": [{**asdict(signature), "status": signature.status.value} for signature in invoice.signatures],
        "e_invoice": _particulars(invoice),
        "vendor_known": False,
        "warnings": list(invoice.warnings),
        "engine": "xml",
    }


def einvoice_confidence(invoice: EInvoice) -> float:
    """1 for what is in the file, less where its signature fails: somebody changed it since it was signed."""
    failed = any(signature.status is SignatureStatus.INVALID for signature in invoice.signatures)
    return 0.5 if failed else 1.0


def einvoice_fingerprints(invoice: EInvoice) -> frozenset[str]:
    """What identifies the seller, for the registry of suppliers."""
    code = invoice.seller.tax_code
    return frozenset({f"tax:{code}"} if code and is_tax_code(code) else ())


def _particulars(invoice: EInvoice) -> dict[str, object]:
    related = invoice.related
    return {
        "standard": invoice.standard.value,
        "title": invoice.title,
        "form": invoice.form,
        "exchange_rate": number(invoice.exchange_rate),
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.buyer),
        "related_invoice": {**asdict(related), "date": _text(related.date)} if related else None,
        "fees": [{"name": fee.name, "amount": number(fee.amount)} for fee in invoice.fees],
        "other_lines": [_item(line) for line in invoice.lines if line.kind not in _ITEMS],
        "total_in_words": invoice.total_in_words,
        "tax_authority_code": invoice.authority_code,
        "qr": invoice.qr,
        "extra": [{"name": name, "value": value} for name, value in invoice.extra],
    }


def _party(party: Party) -> dict[str, str]:
    return {name: value for name, value in asdict(party).items() if value is not None}


def _item(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind.value,
        "code": line.code,
        "description": line.description,
        "unit": line.unit,
        "quantity": number(line.quantity),
        "unit_price": number(line.unit_price),
        "discount": number(line.discount),
        "amount": number(line.amount),
        "tax_rate": line.tax_rate,
    }


def _single_rate(invoice: EInvoice) -> int | float | None:
    """The rate in percent where there is one alone."""
    rates = {line.rate_percent for line in invoice.tax_lines}
    return number(rates.pop()) if len(rates) == 1 else None


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None

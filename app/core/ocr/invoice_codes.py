"""What the code of an e-invoice says of the invoice that it is printed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from app.core.einvoices.qr import InvoiceCode
from app.core.ocr.invoice import Invoice
from app.core.ocr.read_value import ReadValue

_CONFIDENCE = 0.99
"""A code corrects its own errors."""

_CONTRADICTED, _CLEAR = 0.7, 0.8
"""Confidence in what clear print contradicts: one of the two was changed."""

_WARNED_AS = {"total_amount": "total"}


def of_codes(invoice: Invoice, codes: Sequence[InvoiceCode]) -> Invoice:
    """``invoice`` with what the code of it on the page says, which wins over print; where they differ,
    ``qr_differs_from_page`` is among the warnings. A code that agrees in nothing is another paper's."""
    code = max(codes, key=lambda one: _agreements(invoice, one), default=None)
    nothing_read = invoice.total is None and invoice.header.invoice_number is None and len(codes) == 1
    if code is None or not (_agreements(invoice, code) or nothing_read):
        return invoice
    number = invoice.header.invoice_number
    is_same = number is not None and _plain(number) == _plain(code.number)
    said: dict[str, str | Decimal | date] = {
        "invoice_number": number if number and is_same else code.number,  # as it is printed
        "date": code.day,
    }
    if code.total is not None:
        said["total_amount"] = code.total
    values = {name: _value(value, invoice.values.get(name)) for name, value in said.items()}
    differs = any(value.confidence == _CONTRADICTED for value in values.values())
    settled = {f"{_WARNED_AS.get(name, name)}_{doubt}" for name in said for doubt in ("not_found", "uncertain")}
    return replace(
        invoice,
        header=replace(
            invoice.header,
            invoice_number=str(said["invoice_number"]),
            serial=code.serial,
            vendor_tax_code=code.tax_code,
        ),
        date=code.day,
        total=code.total if code.total is not None else invoice.total,
        values={**invoice.values, **values},
        warnings=(
            *(warning for warning in invoice.warnings if warning not in settled),
            *(["qr_differs_from_page"] if differs else []),
        ),
    )


def _agreements(invoice: Invoice, code: InvoiceCode) -> int:
    """How many of number, total and day are the code's."""
    number = invoice.header.invoice_number
    same_number = number is not None and _plain(number) == _plain(code.number)
    return same_number + (code.total is not None and invoice.total == code.total) + (invoice.date == code.day)


def _plain(number: str) -> str:
    return number.lstrip("0")


def _value(said: str | Decimal | date, read: ReadValue | None) -> ReadValue:
    contradicted = read is not None and read.value != said and read.confidence >= _CLEAR
    return ReadValue(said, _CONTRADICTED if contradicted else _CONFIDENCE, of_code=True)

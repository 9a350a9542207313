"""Does an e-invoice add up, and may it be believed?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.core.einvoices.document import EInvoice, LineKind, SignatureStatus, Standard

_SLACK = Decimal("0.06")
_SLACK_DONG = Decimal(10)
"""Providers round each line; amounts in đồng differ by a few."""


def contradictions(invoice: EInvoice) -> tuple[str, ...]:
    """Stable codes of what does not add up, of fields that are missing, and of signatures that fail."""
    return tuple(dict.fromkeys([*_missing(invoice), *_sums(invoice), *_signatures(invoice)]))


def _missing(invoice: EInvoice) -> Iterator[str]:
    required = {
        "total": invoice.total, "date": invoice.date, "vendor": invoice.seller.name, "currency": invoice.currency,
    }  # fmt: skip
    yield from (f"{name}_not_found" for name, value in required.items() if value is None)


def _sums(invoice: EInvoice) -> Iterator[str]:
    slack = _SLACK_DONG if invoice.currency == "VND" else _SLACK
    fees = sum((fee.amount or Decimal(0) for fee in invoice.fees), Decimal(0))
    discount = invoice.discount or Decimal(0)
    if invoice.total is not None and invoice.subtotal is not None and invoice.tax is not None:
        # Fees and discounts are inside the subtotal with some writers, outside with others.
        sums = {invoice.subtotal + invoice.tax + fee - off for fee in (0, fees) for off in (0, discount)}
        if all(abs(total - invoice.total) > slack for total in sums):
            yield "total_mismatch"
    taxes = [line.tax for line in invoice.tax_lines if line.tax is not None]
    if taxes and invoice.tax is not None and abs(sum(taxes) - invoice.tax) > slack:
        yield "tax_lines_mismatch"
    amounts = [_signed(line.kind, line.amount) for line in invoice.lines if line.amount is not None]
    if amounts and invoice.subtotal is not None:
        total = sum(amounts, Decimal(0))
        off = sum((line.discount or Decimal(0) for line in invoice.lines), Decimal(0))
        reachable = {total + fee - change for fee in (0, fees) for change in (0, discount, off)}
        reachable |= {value + (invoice.tax or 0) for value in reachable}
        if all(abs(value - invoice.subtotal) > slack for value in reachable) and total != invoice.total:
            yield "items_sum_mismatch"


def _signed(kind: LineKind, amount: Decimal) -> Decimal:
    return -abs(amount) if kind is LineKind.DISCOUNT else amount


def _signatures(invoice: EInvoice) -> Iterator[str]:
    if invoice.standard is not Standard.VIETNAM:
        return
    sellers = [signature for signature in invoice.signatures if signature.role == "seller"]
    if not any(signature.role in ("seller", "message") for signature in invoice.signatures):
        yield "not_signed"
    if any(signature.status is SignatureStatus.INVALID for signature in invoice.signatures):
        yield "signature_invalid"
    if any(signature.matches_seller is False for signature in sellers):
        yield "signer_is_not_seller"

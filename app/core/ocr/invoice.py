"""The fields of an invoice or a receipt, held against one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from app.core.ocr.header_fields import HeaderFields, find_header_fields
from app.core.ocr.items import LineItem, find_items
from app.core.ocr.layout import Page
from app.core.ocr.money import find_amounts
from app.core.ocr.receipt_dates import find_receipt_date
from app.core.ocr.seller import Seller, Supplier, find_seller
from app.core.ocr.text import fold
from app.core.ocr.totals import LabelledAmount, Role, TotalChoice, choose_total, find_labelled_amounts

_WEIGHTS = {"total": 0.45, "date": 0.2, "vendor": 0.2, "reading": 0.15}
_CONTRADICTION = 0.75
"""Factor on the confidence for each figure that does not add up."""

_CHANGES = (Role.DISCOUNT, Role.CHARGE, Role.ROUNDING)
_ROUNDING_UNITS = Decimal("0.06")


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice says; None where it does not, or could not be read. ``confidence`` is 0 to 1.

    ``warnings`` are stable codes: ``total_not_found``, ``date_not_found``, ``vendor_not_found``,
    ``currency_not_found``, ``total_mismatch``, ``items_sum_mismatch``, ``item_amount_mismatch``.
    """

    vendor: Seller | None
    date: date | None
    total: Decimal | None
    subtotal: Decimal | None
    tax_amount: Decimal | None
    currency: str | None
    header: HeaderFields
    items: tuple[LineItem, ...]
    confidence: float
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Check:
    """Collects contradictions."""

    warnings: list[str] = field(default_factory=list)
    factor: float = 1.0

    def contradict(self, code: str) -> None:
        self.warnings.append(code)
        self.factor *= _CONTRADICTION


def read_invoice(page: Page, *, today: date, suppliers: Sequence[Supplier] = (), vietnamese: bool = True) -> Invoice:
    """Read the fields of ``page``.

    Args:
        today: no invoice is dated later than tomorrow.
        suppliers: sellers confirmed before.
        vietnamese: the page's language, which settles the currency where none is printed.
    """
    items: Sequence[LineItem] = find_items(page)
    labelled = find_labelled_amounts(page)
    items_sum = sum((item.amount for item in items), Decimal(0)) or None
    total = choose_total(labelled, page, items_sum=items_sum)
    items = _without_total(items, total, labelled)
    items_sum = sum((item.amount for item in items), Decimal(0)) or None
    currency = find_currency(page, vietnamese=vietnamese)
    issued = find_receipt_date(page, today=today, month_first=currency == "USD")
    vendor = find_seller(page, suppliers)
    header = find_header_fields(page)
    subtotal = _smallest(labelled, Role.SUBTOTAL)
    tax = _tax(labelled, total)
    check = _check(total, items, items_sum, labelled, subtotal=subtotal, tax=tax)
    missing = {"total": total, "date": issued, "vendor": vendor, "currency": currency}
    check.warnings[:0] = [f"{name}_not_found" for name, value in missing.items() if value is None]
    certainty = {
        "total": total.confidence if total else 0.0,
        "date": issued.confidence if issued else 0.0,
        "vendor": vendor.confidence if vendor else 0.0,
        "reading": _mean([cell.score for cell in page.cells]),
    }
    confidence = sum(weight * certainty[name] for name, weight in _WEIGHTS.items()) * check.factor
    return Invoice(
        vendor=vendor,
        date=issued.value if issued else None,
        total=total.value if total else None,
        subtotal=subtotal,
        tax_amount=tax,
        currency=currency,
        header=header,
        items=tuple(items),
        confidence=round(confidence, 3),
        warnings=tuple(check.warnings),
    )


def _check(
    total: TotalChoice | None,
    items: Sequence[LineItem],
    items_sum: Decimal | None,
    labelled: Sequence[LabelledAmount],
    *,
    subtotal: Decimal | None,
    tax: Decimal | None,
) -> _Check:
    """Does it add up? Items to the subtotal or the total, subtotal and tax to the total."""
    check = _Check()
    if any(not item.consistent and item.quantity is not None and item.unit_price is not None for item in items):
        check.contradict("item_amount_mismatch")
    if total is None:
        return check
    slack = _slack(labelled)
    if (
        subtotal
        and tax is not None
        and abs(subtotal + tax - total.value) > slack
        and abs(subtotal - total.value) > slack
    ):
        check.contradict("total_mismatch")
    reachable = [total.value, subtotal or total.value, total.value - (tax or 0)]
    # One item less than the total: others may have been missed. One that is more contradicts it.
    told = len(items) > 1 or (items_sum or 0) > max(reachable)
    if items_sum and told and all(abs(items_sum - value) > slack for value in reachable):
        check.contradict("items_sum_mismatch")
    return check


def _slack(labelled: Sequence[LabelledAmount]) -> Decimal:
    """By how much sums may differ: discounts, charges and roundings, which may count before or after them."""
    changes = [abs(item.amount.value) for item in labelled if item.role in _CHANGES]
    return sum(changes, Decimal(0)) + _ROUNDING_UNITS


def _without_total(
    items: Sequence[LineItem], total: TotalChoice | None, labelled: Sequence[LabelledAmount]
) -> Sequence[LineItem]:
    """``items`` less a last one that is the total itself, under a label that could not be read."""
    if total is None or len(items) < 2 or items[-1].amount != total.value:
        return items
    others = sum((item.amount for item in items[:-1]), Decimal(0))
    return items[:-1] if abs(others - total.value) <= _slack(labelled) else items


def _smallest(labelled: Sequence[LabelledAmount], role: Role) -> Decimal | None:
    values = [item.amount.value for item in labelled if item.role is role and item.amount.value > 0]
    return min(values) if values else None


def _tax(labelled: Sequence[LabelledAmount], total: TotalChoice | None) -> Decimal | None:
    """The tax; an amount that makes subtotal and total agree wins over the first of several."""
    taxes = [item.amount.value for item in labelled if item.role is Role.TAX and item.amount.value >= 0]
    if total is None:
        return taxes[0] if taxes else None
    plausible = [value for value in taxes if value < total.value / 2]
    subtotals = [item.amount.value for item in labelled if item.role is Role.SUBTOTAL]
    fitting = [value for value in plausible for base in subtotals if base + value == total.value]
    return next(iter(fitting or plausible), None)


def find_currency(page: Page, *, vietnamese: bool) -> str | None:
    """The ISO 4217 code that the page prints most, else the one that its language and its amounts suggest."""
    amounts = [amount for cell in page.cells for amount in find_amounts(cell.text)]
    printed = [amount.currency for amount in amounts if amount.currency]
    if printed:
        return max(sorted(set(printed)), key=printed.count)
    words = fold(page.text)
    if "vnd" in words or vietnamese:
        return "VND"
    if any(word in words for word in ("sdn bhd", "s/b", "kuala lumpur", "selangor", "malaysia", "ringgit", "(rm)")):
        return "MYR"
    if amounts and all(amount.decimals == 0 for amount in amounts if amount.grouped):
        return "VND" if any(amount.grouped for amount in amounts) else None
    return None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

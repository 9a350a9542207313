"""The fields of an invoice or a receipt, held against one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from app.core.einvoices.document import DocumentKind
from app.core.ocr.currency import Currency, find_currency
from app.core.ocr.extraction.fields import Extracted, extract
from app.core.ocr.extraction.ranker import Ranker
from app.core.ocr.header_fields import HeaderFields, find_header_fields
from app.core.ocr.items import LineItem, find_items
from app.core.ocr.layout import Page
from app.core.ocr.read_value import BY_RULE, MIN_CONFIDENCE, ReadValue, decimal_of, sure_enough
from app.core.ocr.seller import Seller, Supplier, recognise
from app.core.ocr.sums import ROUNDING_UNITS, Sums, read_sums
from app.core.ocr.text import fold
from app.core.ocr.totals import LabelledAmount, Role, find_labelled_amounts

_SURE = 0.8
_WEIGHTS = {"total": 0.45, "date": 0.2, "vendor": 0.2, "reading": 0.15}
_CONTRADICTION = 0.75
"""Factor on the confidence for each figure that does not add up."""

_CHANGES = (Role.DISCOUNT, Role.CHARGE, Role.ROUNDING)
_KINDS: tuple[tuple[DocumentKind, re.Pattern[str]], ...] = (
    (
        DocumentKind.CREDIT_NOTE,
        re.compile(
            r"credit (?:note|memo)|\bgutschrift\b|rechnungskorrektur|\bavoir\b|nota (?:de )?credito|creditnota|"
            r"kreditnota|refund receipt|hoa don dieu chinh giam"
        ),
    ),
    (DocumentKind.PRO_FORMA, re.compile(r"pro ?-?forma|phieu tam tinh")),
    (DocumentKind.FOLIO, re.compile(r"\b(?:guest )?folio\b")),
    (
        DocumentKind.INVOICE,
        re.compile(
            r"\binvoice\b|\brechnung\b|\bfacture\b|\bfactura\b|\bfattura\b|\bfactuur\b|\bfaktura\b|gia tri gia tang|"
            r"\bvat invoice\b|請求書|发票|세금계산서"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice says; None where it does not, or could not be read. ``confidence`` is 0 to 1.

    ``values`` has every field that was read by its public name, with the confidence of each.
    ``warnings`` are stable codes: ``…_not_found``, ``…_uncertain`` (read with less than 0.8),
    ``total_mismatch``, ``items_sum_mismatch``, ``item_amount_mismatch``.
    """

    kind: DocumentKind
    vendor: Seller | None
    date: date | None
    total: Decimal | None
    subtotal: Decimal | None
    tax_amount: Decimal | None
    currency: str | None
    header: HeaderFields
    items: tuple[LineItem, ...]
    confidence: float
    values: Mapping[str, ReadValue]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Check:
    """Collects contradictions."""

    warnings: list[str] = field(default_factory=list)
    factor: float = 1.0

    def contradict(self, code: str) -> None:
        self.warnings.append(code)
        self.factor *= _CONTRADICTION


def read_invoice(
    page: Page, ranker: Ranker, *, today: date, suppliers: Sequence[Supplier] = (), vietnamese: bool = True
) -> Invoice:
    """Read the fields of ``page``.

    Args:
        ranker: chooses among candidates.
        today: no invoice is dated later than tomorrow.
        suppliers: sellers confirmed before.
        vietnamese: the page's language: evidence of its currency, and whose laws of numbering apply.
    """
    extracted = extract(page, ranker, today=today)
    labelled = find_labelled_amounts(page)
    lines = find_items(page)
    sums = read_sums(page, extracted, labelled, lines)
    total = decimal_of(sums.total)
    items = _without_total(lines, total, labelled)
    items_sum = sum((item.amount for item in items), Decimal(0)) or None
    currency = find_currency(page, vietnamese=vietnamese)
    vendor = _vendor(page, extracted, suppliers)
    header, number = _header(page, extracted, vietnamese=vietnamese)
    values = _values(sums, extracted, currency, vendor, number)
    check = _check(total, items, items_sum, labelled, subtotal=decimal_of(sums.subtotal), tax=decimal_of(sums.tax))
    required = {"total": "total_amount", "date": "date", "vendor": "vendor", "currency": "currency"}
    missing = [f"{name}_not_found" for name, public in required.items() if public not in values]
    unsure = [
        f"{name}_uncertain"
        for name, public in required.items()
        if public in values and values[public].confidence < _SURE
    ]
    reading = _mean([cell.score for cell in page.cells])
    certainty = {name: values[required[name]].confidence if required[name] in values else 0.0 for name in required}
    certainty["reading"] = reading
    confidence = sum(weight * certainty[name] for name, weight in _WEIGHTS.items()) * check.factor
    issued = values["date"].value if "date" in values else None
    return Invoice(
        kind=_kind(page, number),
        vendor=vendor,
        date=issued if isinstance(issued, date) else None,
        total=total,
        subtotal=decimal_of(sums.subtotal),
        tax_amount=decimal_of(sums.tax),
        currency=currency.code if currency else None,
        header=header,
        items=tuple(items),
        confidence=round(confidence, 3),
        values=values,
        warnings=(*missing, *unsure, *check.warnings),
    )


def _values(
    sums: Sums, extracted: Extracted, currency: Currency | None, vendor: Seller | None, number: ReadValue | None
) -> dict[str, ReadValue]:
    """The learned fields by their public names; those that are not sure enough are left out."""
    found: dict[str, ReadValue | None] = {
        "total_amount": sums.total,
        "subtotal": sums.subtotal,
        "tax_amount": sums.tax,
        "date": sure_enough(extracted.date),
        "due_date": sure_enough(extracted.due_date),
        "invoice_number": number,
        "currency": ReadValue(currency.code, currency.confidence) if currency else None,
        "vendor": ReadValue(vendor.name, vendor.confidence) if vendor else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _vendor(page: Page, extracted: Extracted, suppliers: Sequence[Supplier]) -> Seller | None:
    """A known supplier where the page points to one, else the likeliest name."""
    chosen = extracted.seller
    sure = chosen is not None and chosen.confidence >= MIN_CONFIDENCE
    guess = Seller(chosen.value, chosen.confidence, chosen.value) if chosen is not None else None
    return recognise(page, guess, suppliers) or (guess if sure else None)


def _header(page: Page, extracted: Extracted, *, vietnamese: bool) -> tuple[HeaderFields, ReadValue | None]:
    """The fields beside labels. A Vietnamese number is told by the rules of its form, others by the ranker."""
    header = find_header_fields(page)
    chosen = sure_enough(extracted.invoice_number)
    ruled = ReadValue(header.invoice_number, BY_RULE) if header.invoice_number else None
    if ruled and chosen and str(ruled.value).lstrip("0") == str(chosen.value).lstrip("0"):
        number: ReadValue | None = ReadValue(ruled.value, max(chosen.confidence, BY_RULE))
    else:
        number = ruled if vietnamese else chosen
    return replace(header, invoice_number=str(number.value) if number else None), number


def _kind(page: Page, number: ReadValue | None) -> DocumentKind:
    """By the words of the page's head; a paper with neither title nor number is a receipt."""
    head = fold("\n".join(row.text for row in page.rows[:14]))
    for kind, pattern in _KINDS:
        if pattern.search(head):
            return kind
    width = max((row.x2 for row in page.rows), default=0.0) - min((row.x1 for row in page.rows), default=0.0)
    height = page.rows[-1].y_centre - page.rows[0].y_centre if page.rows else 0.0
    return DocumentKind.RECEIPT if number is None or height > 1.2 * width else DocumentKind.INVOICE


def _check(
    total: Decimal | None,
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
    if subtotal and tax is not None and abs(subtotal + tax - total) > slack and abs(subtotal - total) > slack:
        check.contradict("total_mismatch")
    reachable = [total, subtotal or total, total - (tax or 0)]
    # One item less than the total: others may have been missed. One that is more contradicts it.
    speaks = len(items) > 1 or (items_sum or 0) > max(reachable)
    if items_sum and speaks and all(abs(items_sum - value) > slack for value in reachable):
        check.contradict("items_sum_mismatch")
    return check


def _slack(labelled: Sequence[LabelledAmount]) -> Decimal:
    """By how much sums may differ: discounts, charges and roundings, which may count before or after them."""
    changes = [abs(item.amount.value) for item in labelled if item.role in _CHANGES]
    return sum(changes, Decimal(0)) + ROUNDING_UNITS


def _without_total(
    items: Sequence[LineItem], total: Decimal | None, labelled: Sequence[LabelledAmount]
) -> Sequence[LineItem]:
    """``items`` less a last one that is the total itself, under a label that could not be read."""
    if total is None or len(items) < 2 or items[-1].amount != total:
        return items
    others = sum((item.amount for item in items[:-1]), Decimal(0))
    return items[:-1] if abs(others - total) <= _slack(labelled) else items


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

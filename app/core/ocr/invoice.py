"""The fields of an invoice or a receipt, held against one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import combinations

from app.core.einvoices.document import DocumentKind
from app.core.ocr.currency import Currency, find_currency
from app.core.ocr.extraction.fields import Extracted, extract
from app.core.ocr.extraction.ranker import Choice, Ranker
from app.core.ocr.header_fields import HeaderFields, find_header_fields
from app.core.ocr.items import LineItem, find_items
from app.core.ocr.layout import Page
from app.core.ocr.number_words import amount_in_words
from app.core.ocr.seller import Seller, Supplier, recognise
from app.core.ocr.text import fold
from app.core.ocr.totals import LabelledAmount, Role, find_labelled_amounts

MIN_CONFIDENCE = 0.5
"""Below this a field is null: a guess that is wrong more often than not helps nobody."""

_SURE = 0.8
_BY_RULE = 0.75
"""Confidence in what a labelled amount says and arithmetic confirms, or a law of writing numbers."""

_WEIGHTS = {"total": 0.45, "date": 0.2, "vendor": 0.2, "reading": 0.15}
_CONTRADICTION = 0.75
"""Factor on the confidence for each figure that does not add up."""

_CHANGES = (Role.DISCOUNT, Role.CHARGE, Role.ROUNDING)
_ROUNDING_UNITS = Decimal("0.06")
_MAX_TAX_LINES = 6
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
class ReadValue:
    """``confidence`` is 0 to 1."""

    value: str | Decimal | date
    confidence: float


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


@dataclass(frozen=True, slots=True)
class _Sums:
    """The chosen figures; None where nothing was sure enough."""

    total: ReadValue | None
    subtotal: ReadValue | None
    tax: ReadValue | None


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
    sums = _sums(page, extracted, labelled)
    total = _decimal(sums.total)
    items = _without_total(find_items(page), total, labelled)
    items_sum = sum((item.amount for item in items), Decimal(0)) or None
    currency = find_currency(page, vietnamese=vietnamese)
    vendor = _vendor(page, extracted, suppliers)
    header, number = _header(page, extracted, vietnamese=vietnamese)
    values = _values(sums, extracted, currency, vendor, number)
    check = _check(total, items, items_sum, labelled, subtotal=_decimal(sums.subtotal), tax=_decimal(sums.tax))
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
        subtotal=_decimal(sums.subtotal),
        tax_amount=_decimal(sums.tax),
        currency=currency.code if currency else None,
        header=header,
        items=tuple(items),
        confidence=round(confidence, 3),
        values=values,
        warnings=(*missing, *unsure, *check.warnings),
    )


def _values(
    sums: _Sums, extracted: Extracted, currency: Currency | None, vendor: Seller | None, number: ReadValue | None
) -> dict[str, ReadValue]:
    """The learned fields by their public names; those that are not sure enough are left out."""
    found: dict[str, ReadValue | None] = {
        "total_amount": sums.total,
        "subtotal": sums.subtotal,
        "tax_amount": sums.tax,
        "date": _sure_enough(extracted.date),
        "due_date": _sure_enough(extracted.due_date),
        "invoice_number": number,
        "currency": ReadValue(currency.code, currency.confidence) if currency else None,
        "vendor": ReadValue(vendor.name, vendor.confidence) if vendor else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _sure_enough(choice: Choice[Decimal] | Choice[date] | Choice[str] | None) -> ReadValue | None:
    return ReadValue(choice.value, choice.confidence) if choice and choice.confidence >= MIN_CONFIDENCE else None


def _decimal(value: ReadValue | None) -> Decimal | None:
    return value.value if value is not None and isinstance(value.value, Decimal) else None


def _sums(page: Page, extracted: Extracted, labelled: Sequence[LabelledAmount]) -> _Sums:
    """Total, subtotal and tax; where one of them is missing, what the labels and the other two say it is."""
    total, subtotal, tax = (
        _sure_enough(extracted.total), _sure_enough(extracted.subtotal), _sure_enough(extracted.tax),
    )  # fmt: skip
    if total is None:
        spelled = {words for row in page.rows if (words := amount_in_words(row.text))}
        total = ReadValue(spelled.pop(), _BY_RULE) if len(spelled) == 1 else None
    whole = _decimal(total)
    if whole is None:
        return _Sums(total, subtotal, tax)
    subtotals = {item.amount.value for item in labelled if item.role is Role.SUBTOTAL}
    subtotals |= {value for value in (_decimal(subtotal),) if value is not None}
    named = [item.amount.value for item in labelled if item.role is Role.TAX]
    taxes = [value for value in (*named, *extracted.taxes) if 0 < abs(value) < abs(whole)]
    agreed = _agreed(whole, subtotals, taxes)
    known = (_decimal(subtotal), _decimal(tax))
    consistent = (
        None not in known and abs(sum(value for value in known if value is not None) - whole) <= _ROUNDING_UNITS
    )
    if agreed and not consistent:
        return _Sums(total, ReadValue(agreed[0], _BY_RULE), ReadValue(agreed[1], _BY_RULE))
    return _Sums(total, subtotal, tax)


def _agreed(total: Decimal, subtotals: set[Decimal], taxes: Sequence[Decimal]) -> tuple[Decimal, Decimal] | None:
    """A labelled subtotal and labelled taxes, of several rates together, that make up the total."""
    several = list(dict.fromkeys(taxes))[:_MAX_TAX_LINES]
    for count in range(1, len(several) + 1):
        for chosen in combinations(several, count):
            tax = sum(chosen, Decimal(0))
            if total - tax in subtotals:
                return total - tax, tax
    return None


def _vendor(page: Page, extracted: Extracted, suppliers: Sequence[Supplier]) -> Seller | None:
    """A known supplier where the page points to one, else the likeliest name."""
    chosen = extracted.seller
    sure = chosen is not None and chosen.confidence >= MIN_CONFIDENCE
    guess = Seller(chosen.value, chosen.confidence, chosen.value) if chosen is not None else None
    return recognise(page, guess, suppliers) or (guess if sure else None)


def _header(page: Page, extracted: Extracted, *, vietnamese: bool) -> tuple[HeaderFields, ReadValue | None]:
    """The fields beside labels. A Vietnamese number is told by the rules of its form, others by the ranker."""
    header = find_header_fields(page)
    chosen = _sure_enough(extracted.invoice_number)
    ruled = ReadValue(header.invoice_number, _BY_RULE) if header.invoice_number else None
    if ruled and chosen and str(ruled.value).lstrip("0") == str(chosen.value).lstrip("0"):
        number: ReadValue | None = ReadValue(ruled.value, max(chosen.confidence, _BY_RULE))
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
    told = len(items) > 1 or (items_sum or 0) > max(reachable)
    if items_sum and told and all(abs(items_sum - value) > slack for value in reachable):
        check.contradict("items_sum_mismatch")
    return check


def _slack(labelled: Sequence[LabelledAmount]) -> Decimal:
    """By how much sums may differ: discounts, charges and roundings, which may count before or after them."""
    changes = [abs(item.amount.value) for item in labelled if item.role in _CHANGES]
    return sum(changes, Decimal(0)) + _ROUNDING_UNITS


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

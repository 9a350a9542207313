"""The learned fields of a page, each with its confidence, brought into agreement by arithmetic."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.ocr.extraction import candidates as found
from app.core.ocr.extraction.code_features import code_features
from app.core.ocr.extraction.date_features import date_features
from app.core.ocr.extraction.money_features import money_features
from app.core.ocr.extraction.name_features import name_features
from app.core.ocr.extraction.ranker import Choice, Ranker, choose
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.layout import Page
from app.types import FloatArray

MONEY_FIELDS = ("total", "subtotal", "tax")
DATE_FIELDS = ("date", "due_date")
CODE_FIELDS = ("invoice_number",)
NAME_FIELDS = ("seller",)

_CREDIT = 0.5
"""How far a confidence moves towards certainty, or towards none, where the figures agree or contradict."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """None where a page has no candidate at all. ``taxes`` are the amounts in rows labelled as a tax."""

    total: Choice[Decimal] | None
    subtotal: Choice[Decimal] | None
    tax: Choice[Decimal] | None
    date: Choice[dt.date] | None
    due_date: Choice[dt.date] | None
    invoice_number: Choice[str] | None
    seller: Choice[str] | None
    taxes: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class FieldCandidates:
    """Everything that could be a value, with its features; what training sees is what reading sees."""

    money: Sequence[found.MoneyCandidate]
    dates: Sequence[found.DateCandidate]
    codes: Sequence[found.CodeCandidate]
    names: Sequence[found.NameCandidate]
    money_features: FloatArray
    date_features: FloatArray
    code_features: FloatArray
    name_features: FloatArray
    taxes: tuple[Decimal, ...]


def find_candidates(page: Page, *, today: dt.date) -> FieldCandidates:
    """The candidates of every field."""
    sheet = Sheet(page)
    money, codes = found.money_candidates(sheet), found.code_candidates(sheet)
    dates, names = found.date_candidates(sheet, today=today), found.name_candidates(sheet)
    return FieldCandidates(
        money, dates, codes, names,
        money_features(sheet, money), date_features(sheet, dates),
        code_features(sheet, codes), name_features(sheet, names),
        tuple(dict.fromkeys(item.value for item in money if _is_tax(sheet, item))),
    )  # fmt: skip


def extract(page: Page, ranker: Ranker, *, today: dt.date) -> Extracted:
    """The likeliest value of each field. An invoice is not dated later than tomorrow."""
    have = find_candidates(page, today=today)
    values = [candidate.value for candidate in have.money]
    total = choose(ranker["total"], have.money_features, values)
    subtotal = choose(ranker["subtotal"], have.money_features, values)
    tax = choose(ranker["tax"], have.money_features, values)
    issued = [index for index, item in enumerate(have.dates) if item.value <= today + dt.timedelta(days=1)]
    days = [have.dates[index].value for index in issued]
    every_day = [candidate.value for candidate in have.dates]
    total, subtotal, tax = _agreed(total, subtotal, tax)
    return Extracted(
        total=total,
        subtotal=subtotal,
        tax=tax,
        date=choose(ranker["date"], have.date_features[issued], days) if days else None,
        due_date=choose(ranker["due_date"], have.date_features, every_day),
        invoice_number=choose(ranker["invoice_number"], have.code_features, [item.value for item in have.codes]),
        seller=_seller(ranker, have),
        taxes=have.taxes,
    )


def _is_tax(sheet: Sheet, candidate: found.MoneyCandidate) -> bool:
    return any(label.kind == "tax" for label, _ in sheet.labels_left(candidate.place))


def _seller(ranker: Ranker, have: FieldCandidates) -> Choice[str] | None:
    """The name by its letters: spelled twice it is one name, and the way it was first written counts."""
    plain = [re.sub(r"\W+", " ", item.value).strip().casefold() for item in have.names]
    chosen = choose(ranker["seller"], have.name_features, plain)
    if chosen is None:
        return None
    return Choice(found.clean_name(have.names[chosen.index].value), chosen.confidence, chosen.index)


def _agreed(
    total: Choice[Decimal] | None, subtotal: Choice[Decimal] | None, tax: Choice[Decimal] | None
) -> tuple[Choice[Decimal] | None, Choice[Decimal] | None, Choice[Decimal] | None]:
    """Subtotal and tax that give the total are surer than the labels alone; what is larger than the total is none."""
    if total is None or subtotal is None or tax is None:
        return total, subtotal, tax
    agree = abs(subtotal.value + tax.value - total.value) <= Decimal("0.02") and tax.value != 0
    if agree:
        return _surer(total), _surer(subtotal), _surer(tax)
    if abs(subtotal.value) > abs(total.value) * Decimal("1.5"):
        subtotal = Choice(subtotal.value, subtotal.confidence * _CREDIT, subtotal.index)
    if abs(tax.value) >= abs(total.value) > 0:
        tax = Choice(tax.value, tax.confidence * _CREDIT, tax.index)
    return total, subtotal, tax


def _surer(choice: Choice[Decimal]) -> Choice[Decimal]:
    return Choice(choice.value, round(choice.confidence + (1 - choice.confidence) * _CREDIT, 4), choice.index)

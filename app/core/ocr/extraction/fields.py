"""The learned fields of a page, each with its confidence, brought into agreement by arithmetic."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal

from app.core.ocr.extraction import candidates as found
from app.core.ocr.extraction.code_features import code_features
from app.core.ocr.extraction.context import first_row
from app.core.ocr.extraction.date_features import date_features, in_one_order
from app.core.ocr.extraction.money_features import money_features
from app.core.ocr.extraction.name_features import name_features
from app.core.ocr.extraction.ranker import Choice, Ranker, V, choose
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.layout import Page
from app.types import FloatArray

MONEY_FIELDS = ("total", "subtotal", "tax")
DATE_FIELDS = ("date", "due_date")
CODE_FIELDS = ("invoice_number",)
NAME_FIELDS = ("seller",)

_FIVE_CENTS = Decimal("0.05")
_SURE = 0.8
_CREDIT = 0.5
"""How far a confidence moves towards certainty, or towards none, where the figures agree or contradict."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """None where a page has no candidate at all. ``amounts`` are all that could be sums, ``taxes`` those in rows
    labelled as a tax."""

    total: Choice[Decimal] | None
    subtotal: Choice[Decimal] | None
    tax: Choice[Decimal] | None
    date: Choice[dt.date] | None
    due_date: Choice[dt.date] | None
    invoice_number: Choice[str] | None
    seller: Choice[str] | None
    amounts: tuple[Decimal, ...]
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
    previous: tuple[Decimal, ...]
    paid: tuple[Decimal, ...]
    sums: tuple[Decimal, ...]
    due: tuple[Decimal, ...]
    rounds: bool

    @property
    def totals(self) -> list[Decimal]:
        """The amounts as a total is chosen among them: with and without an older balance, before and after a payment,
        and on a page that rounds to five cents before and after it, is one total."""
        sums = self.invoiced
        return [(value / _FIVE_CENTS).quantize(Decimal(1)) * _FIVE_CENTS for value in sums] if self.rounds else sums

    @property
    def invoiced(self) -> list[Decimal]:
        """The amounts less what an older invoice left open, where the page has the sum without it too; what is due with
        what was paid before, where they make up another sum."""
        printed = {item.value for item in self.money}
        return [next(self._others(item.value, printed), item.value) for item in self.money]

    def _others(self, value: Decimal, printed: Set[Decimal]) -> Iterator[Decimal]:
        yield from (value - old for old in self.previous if 0 < old < value and value - old in printed)
        paid = {abs(payment) for payment in self.paid} - {Decimal(0)}
        if value > 0 and value in self.due and value not in paid:
            yield from (value + payment for payment in paid if value + payment in self.sums)


def find_candidates(page: Page, *, today: dt.date) -> FieldCandidates:
    """The candidates of every field."""
    sheet = Sheet(page)
    money, codes = found.money_candidates(sheet), found.code_candidates(sheet)
    dates = in_one_order(sheet, found.date_candidates(sheet, today=today))
    names = found.name_candidates(sheet)
    return FieldCandidates(
        money, dates, codes, names,
        money_features(sheet, money), date_features(sheet, dates),
        code_features(sheet, codes), name_features(sheet, names),
        _labelled(sheet, money, "tax"), _labelled(sheet, money, "previous"), _labelled(sheet, money, "paid"),
        _labelled(sheet, money, "total", "due"), _labelled(sheet, money, "due"),
        first_row(sheet, "rounding") is not None and any(item.amount.decimals == 2 for item in money),
    )  # fmt: skip


def extract(page: Page, ranker: Ranker, *, today: dt.date) -> Extracted:
    """The likeliest value of each field that ``ranker`` was taught. An invoice is not dated later than tomorrow."""
    have = find_candidates(page, today=today)
    values = [candidate.value for candidate in have.money]
    subtotal, tax = (_chosen(ranker, field, have.money_features, values) for field in ("subtotal", "tax"))
    if tax is not None and tax.value in have.previous and tax.value not in have.taxes:
        tax = None
    total = _chosen(ranker, "total", have.money_features, have.totals)
    if total is not None:
        total = _invoiced(total, values, have.invoiced)
    total, subtotal, tax = _agreed(_summed(total, subtotal, tax, values), subtotal, tax)
    issued = [index for index, item in enumerate(have.dates) if item.value <= today + dt.timedelta(days=1)]
    every_day = [candidate.value for candidate in have.dates]
    codes = [candidate.value for candidate in have.codes]
    return Extracted(
        total=total,
        subtotal=subtotal,
        tax=tax,
        date=_chosen(ranker, "date", have.date_features[issued], [every_day[index] for index in issued]),
        due_date=_chosen(ranker, "due_date", have.date_features, every_day),
        invoice_number=_chosen(ranker, "invoice_number", have.code_features, codes),
        seller=_seller(ranker, have),
        amounts=tuple(values),
        taxes=have.taxes,
    )


def _chosen(ranker: Ranker, field: str, features: FloatArray, values: Sequence[V]) -> Choice[V] | None:
    return choose(ranker[field], features, values) if field in ranker else None


def _labelled(sheet: Sheet, money: Sequence[found.MoneyCandidate], *kinds: str) -> tuple[Decimal, ...]:
    """The amounts behind a label of one of those kinds, each once."""
    values = (item.value for item in money if any(label.kind in kinds for label, _ in sheet.labels_left(item.place)))
    return tuple(dict.fromkeys(values))


def _invoiced(total: Choice[Decimal], values: list[Decimal], invoiced: list[Decimal]) -> Choice[Decimal]:
    """The total as it is printed, without older balances and payments; surer where it makes up another sum with one."""
    chosen = replace(total, value=invoiced[total.index])
    adds_up = any(other == chosen.value != value for value, other in zip(values, invoiced, strict=True))
    return _surer(chosen) if adds_up else chosen


def _seller(ranker: Ranker, have: FieldCandidates) -> Choice[str] | None:
    """The name by its letters: spelled twice it is one name, and the way it was first written counts."""
    chosen = _chosen(ranker, "seller", have.name_features, [found.plain_name(item.value) for item in have.names])
    if chosen is None:
        return None
    return Choice(found.clean_name(have.names[chosen.index].value), chosen.confidence, chosen.index)


def _summed(
    total: Choice[Decimal] | None, subtotal: Choice[Decimal] | None, tax: Choice[Decimal] | None, amounts: list[Decimal]
) -> Choice[Decimal] | None:
    """The amount that a sure subtotal and a sure tax make up, where the page has it, before a total less sure than they
    are: what was paid in advance is still part of it."""
    if total is None or subtotal is None or tax is None or not tax.value:
        return total
    sure = min(subtotal.confidence, tax.confidence)
    both = subtotal.value + tax.value
    if total.value == both or both not in amounts or sure < max(_SURE, total.confidence):
        return total
    return Choice(both, sure, amounts.index(both))


def _agreed(
    total: Choice[Decimal] | None, subtotal: Choice[Decimal] | None, tax: Choice[Decimal] | None
) -> tuple[Choice[Decimal] | None, Choice[Decimal] | None, Choice[Decimal] | None]:
    """Subtotal and tax that give the total are surer than the labels alone; what is larger than the total is none."""
    if total is None or subtotal is None or tax is None:
        return total, subtotal, tax
    agree = abs(subtotal.value + tax.value - total.value) <= Decimal("0.02") and tax.value != 0
    if agree and abs(tax.value) > abs(subtotal.value):  # no country's tax is more than what it is on
        subtotal, tax = tax, subtotal
    if agree:
        return _surer(total), _surer(subtotal), _surer(tax)
    if abs(subtotal.value) > abs(total.value) * Decimal("1.5"):
        subtotal = Choice(subtotal.value, subtotal.confidence * _CREDIT, subtotal.index)
    if abs(tax.value) >= abs(total.value) > 0:
        tax = Choice(tax.value, tax.confidence * _CREDIT, tax.index)
    return total, subtotal, tax


def _surer(choice: Choice[Decimal]) -> Choice[Decimal]:
    return Choice(choice.value, round(choice.confidence + (1 - choice.confidence) * _CREDIT, 4), choice.index)

"""Total, subtotal and tax of an invoice: what was chosen, held against what the labels and the arithmetic say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations

from app.core.ocr.extraction.fields import Extracted
from app.core.ocr.items import LineItem
from app.core.ocr.layout import Page
from app.core.ocr.number_words import spelled_amounts
from app.core.ocr.read_value import BY_RULE, ReadValue, decimal_of, sure_enough
from app.core.ocr.text import fold
from app.core.ocr.totals import LabelledAmount, Role

ROUNDING_UNITS = Decimal("0.06")
_SURE = 0.8
_IN_WORDS = 0.98
"""Confidence in a total that stands there in words and in digits."""

_GIVES_BACK = re.compile(
    r"credit (?:note|memo)|refund|\breturns?\b|\breversal\b|gutschrift|rechnungskorrektur|\bstorno|\bretoure?\b|"
    r"\bavoir\b|remboursement|nota (?:de |di )?credito|creditnota|kreditnota|hoan (?:tien|tra)|tra hang|"
    r"dieu chinh giam|hoa don dieu chinh|払戻|返金|退款|환불"
)
_HEAD_ROWS = 14
"""Below them shops print on what conditions they give money back."""

_MAX_TAX_LINES = 6
_WITHOUT_SUM = frozenset({Role.SUBTOTAL, Role.PAID, Role.CHANGE, Role.OTHER})


@dataclass(frozen=True, slots=True)
class Sums:
    """The chosen figures; None where nothing was sure enough."""

    total: ReadValue | None
    subtotal: ReadValue | None
    tax: ReadValue | None


def read_sums(page: Page, extracted: Extracted, labelled: Sequence[LabelledAmount], items: Sequence[LineItem]) -> Sums:
    """Total, subtotal and tax; where one is missing, what the labels, or the items, and the others say it is."""
    total, subtotal, tax = (
        sure_enough(extracted.total), sure_enough(extracted.subtotal), sure_enough(extracted.tax),
    )  # fmt: skip
    total = _doubted(_as_spelled(page, total, extracted) or _only_sum(labelled), subtotal, page)
    whole = decimal_of(total)
    if whole is None:
        return Sums(total, subtotal, tax)
    subtotals = {item.amount.value for item in labelled if item.role is Role.SUBTOTAL}
    subtotals |= {value for value in (decimal_of(subtotal),) if value is not None}
    named = [item.amount.value for item in labelled if item.role is Role.TAX]
    taxes = [*named, *(value for value in extracted.taxes if value not in named)]
    taxes = [value for value in taxes if 0 < abs(value) < abs(whole)]
    steps = _steps(labelled)
    printed = {sum((item.amount for item in items), Decimal(0))}
    agreed = _agreed(whole, subtotals, taxes, steps) or _agreed(whole, printed, taxes, steps)
    net, added = decimal_of(subtotal), decimal_of(tax)
    consistent = (
        net is not None
        and added is not None
        and any(abs(net + added + step - whole) <= ROUNDING_UNITS for step in steps)
    )
    if agreed and not consistent:
        return Sums(total, ReadValue(agreed[0], BY_RULE), ReadValue(agreed[1], BY_RULE))
    return Sums(total, subtotal, tax)


def _as_spelled(page: Page, total: ReadValue | None, extracted: Extracted) -> ReadValue | None:
    """The total in the light of the one amount that the page spells in words, which settles what digits leave open:
    surely where the page has it in digits too."""
    spelled = spelled_amounts([row.text for row in page.rows])
    if len(spelled) != 1:
        return total
    amount = spelled.pop()
    same = [value for value in extracted.amounts if abs(value) == amount]
    if same:
        return ReadValue(same[-1], _IN_WORDS)
    return ReadValue(amount, BY_RULE) if total is None or total.confidence < _SURE else total


def _doubted(total: ReadValue | None, subtotal: ReadValue | None, page: Page) -> ReadValue | None:
    """A total below nothing is not sure unless the paper gives money back, or its subtotal is below nothing too: a dash
    beside an amount reads like a minus."""
    value, net = decimal_of(total), decimal_of(subtotal)
    if total is None or value is None or value >= 0 or (net is not None and net < 0):
        return total
    head = fold("\n".join(row.text for row in page.rows[:_HEAD_ROWS]))
    return total if _GIVES_BACK.search(head) else replace(total, confidence=min(total.confidence, BY_RULE))


def _only_sum(labelled: Sequence[LabelledAmount]) -> ReadValue | None:
    """The sum of the goods, where the page names no other and adds nothing to it."""
    named = {item.role for item in labelled if item.amount.value}
    sums = {item.amount.value for item in labelled if item.role is Role.SUBTOTAL}
    return ReadValue(sums.pop(), BY_RULE) if len(sums) == 1 and named <= _WITHOUT_SUM else None


def _steps(labelled: Sequence[LabelledAmount]) -> tuple[Decimal, ...]:
    """What may lie between subtotal with tax and the total: nothing, charges, discounts, or both."""
    of = {
        role: sum((abs(item.amount.value) for item in labelled if item.role is role), Decimal(0))
        for role in (Role.CHARGE, Role.DISCOUNT)
    }
    charges, discounts = of[Role.CHARGE], of[Role.DISCOUNT]
    return tuple(dict.fromkeys((Decimal(0), charges, -discounts, charges - discounts)))


def _agreed(
    total: Decimal, subtotals: set[Decimal], taxes: Sequence[Decimal], steps: Sequence[Decimal]
) -> tuple[Decimal, Decimal] | None:
    """A labelled subtotal and labelled taxes, of several rates together, that make up the total."""
    several = taxes[:_MAX_TAX_LINES]
    for step in steps:
        for count in range(1, len(several) + 1):
            for chosen in combinations(several, count):
                tax = sum(chosen, Decimal(0))
                if total - tax - step in subtotals:
                    return total - tax - step, tax
    return None

"""What is known of an amount, as numbers about one: for the ranker."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from app.core.ocr.extraction.candidates import MoneyCandidate
from app.core.ocr.extraction.context import label_context, position
from app.core.ocr.extraction.sheet import Place, Sheet
from app.core.ocr.number_words import spelled_amounts
from app.types import FloatArray

_SLACK = Decimal("0.021")
_PERCENT = re.compile(r"\d\s?%")


def money_features(sheet: Sheet, candidates: Sequence[MoneyCandidate]) -> FloatArray:
    """(n, d) float32."""
    values = [candidate.value for candidate in candidates]
    magnitudes = [abs(value) for value in values]
    counts = Counter(magnitudes)
    top = max(magnitudes, default=Decimal(0))
    with_cents = sum(candidate.amount.decimals == 2 for candidate in candidates) > len(candidates) / 2
    contexts = [label_context(sheet, candidate.place) for candidate in candidates]
    roles = [_roles(sheet, candidate.place) for candidate in candidates]
    spelled = spelled_amounts([row.text for row in sheet.rows])
    relations = _relations(magnitudes, roles)
    columns = _column_sums(candidates)
    rows = []
    for index, candidate in enumerate(candidates):
        value, amount = magnitudes[index], candidate.amount
        text = sheet.rows[candidate.place.row].text
        larger = len({other for other in magnitudes if other > value})
        rows.append(
            [
                *contexts[index],
                *position(sheet, candidate.place),
                float(value == top),
                min(larger, 10) / 10.0,
                min(math.log10(float(value) + 1), 10) / 10.0,
                float(value) / float(top) if top else 0.0,
                min(counts[value] - 1, 4) / 4.0,
                float(amount.currency is not None),
                float(amount.grouped),
                float(amount.decimals == 2),
                float((amount.decimals == 2) == with_cents),
                float(not amount.grouped and not amount.decimals and not amount.currency),
                float(candidate.value < 0),
                float(candidate.value == 0),
                float(bool(_PERCENT.search(text))),
                min(sheet.row_letters(candidate.place.row), 40) / 40.0,
                float(value in spelled),
                *relations[index],
                columns[index],
                float(_is_year(candidate)),
            ]
        )
    return np.asarray(rows, np.float32)


def _is_year(candidate: MoneyCandidate) -> bool:
    return 1990 <= candidate.value <= 2035 and not candidate.amount.grouped and not candidate.amount.decimals


def _roles(sheet: Sheet, place: Place) -> frozenset[str]:
    """The kinds of the labels that speak for a place: in its row, else right above."""
    left = {label.kind for label, _ in sheet.labels_left(place)}
    return frozenset(left or {label.kind for label in sheet.labels_above(place)[0]})


def _relations(values: Sequence[Decimal], roles: Sequence[frozenset[str]]) -> list[list[float]]:
    """What arithmetic says of each amount: subtotal with tax, paid less change, parts of others."""
    of: dict[str, set[Decimal]] = {
        kind: {value for value, kinds_of in zip(values, roles, strict=True) if kind in kinds_of and value}
        for kind in (
            "subtotal",
            "tax",
            "total",
            "due",
            "paid",
            "change",
            "discount",
            "charge",
            "rounding",
            "tip",
            "previous",
        )
    }
    extra = {kind: sorted(of[kind])[:12] for kind in of}
    additions = {Decimal(0), *extra["charge"], *extra["tip"]}
    changes = {Decimal(0), *extra["discount"], *extra["rounding"], *(-value for value in extra["rounding"])}
    bases = [*extra["subtotal"], *extra["total"], *extra["due"]]
    sums = {base + tax + more for base in bases for tax in extra["tax"] for more in additions}
    sums |= {base + more for base in bases for more in additions if more}
    reduced = {base - change for base in bases for change in changes if change}
    paid_less_change = {paid - back for paid in extra["paid"] for back in extra["change"] if paid > back}
    taxes = set(extra["tax"])
    everything = set(values)
    rows = []
    for value in values:
        pairs = any(value - tax in everything and value > tax for tax in taxes)
        rows.append(
            [
                float(_near(value, sums)),
                float(_near(value, reduced)),
                float(_near(value, paid_less_change)),
                float(_near(value, of["paid"])),
                float(_near(value, of["due"])),
                float(_near(value, of["total"])),
                float(_near(value, of["subtotal"])),
                float(pairs),
                float(any(base + value in everything for base in of["subtotal"] if base != value)),
                float(any(total - value in everything for total in (*of["due"], *of["total"]) if total > value)),
                float(any(value - old in everything for old in of["previous"] if value > old)),
                float(any(value + old in everything for old in of["previous"] if value != old)),
                float(value in of["previous"]),
            ]
        )
    return rows


def _near(value: Decimal, others: set[Decimal]) -> bool:
    return value in others or (
        value != value.to_integral_value() and any(abs(value - other) <= _SLACK for other in others)
    )


def _column_sums(candidates: Sequence[MoneyCandidate]) -> list[float]:
    """Whether an amount is the sum of two or more right above it in its column."""
    result = []
    for index, candidate in enumerate(candidates):
        running, hit, used = Decimal(0), 0.0, 0
        for other in reversed(candidates[:index]):
            if (
                other.place.row == candidate.place.row
                or abs(other.place.x2 - candidate.place.x2) > 2.5 * candidate.place.height
            ):
                continue
            running += other.value
            used += 1
            if used > 1 and running == candidate.value:
                hit = 1.0
                break
            if used > 40 or running > candidate.value > 0:
                break
        result.append(hit)
    return result

"""What is known of a date, as numbers about one: for the ranker."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from app.core.ocr.extraction.candidates import DateCandidate
from app.core.ocr.extraction.context import label_context, position
from app.core.ocr.extraction.dates import Order
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.text import fold
from app.types import FloatArray

_BESIDE = 12.0
_LONGEST_TERM = timedelta(days=150)
_SETTLED = 0.7
"""Evidence of an order from which the other one is ruled out."""

_TIME = re.compile(r"\d{1,2}\s?[:h]\s?\d{2}")

_AMERICAN = re.compile(
    r"\b(?:A[LKZR]|C[AOT]|DC|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY])"
    r",?\s+\d{5}(?:-\d{4})?\b|\bUSD\b|\(\d{3}\) ?\d{3}[ -]\d{4}\b|\bUSA\b|"
    r"(?<![\d-])[2-9]\d\d-[2-9]\d\d-\d{4}(?![\d-])"
)
_OTHER_DOLLARS = re.compile(r"a\$|s\$|hk\$|nt\$|c\$|r\$|\babn\b|\bgst\b|\bsgd\b|\baud\b|\bhkd\b")
_ELSEWHERE = re.compile(
    r"\b(?:gst|sdn bhd|vat|mwst|ust|tva|iva|btw|moms|jalan|dia chi|ngay|datum|fecha|tong|abn|chf|eur|myr)\b|[€£₫]"
)


def date_features(sheet: Sheet, candidates: Sequence[DateCandidate]) -> FloatArray:
    """(n, d) float32."""
    orders = _order_evidence(sheet, candidates)
    values = sorted({candidate.value for candidate in candidates})
    counts = Counter(candidate.value for candidate in candidates)
    days = set(values)
    rows = []
    for candidate in candidates:
        reading = candidate.reading
        text = sheet.rows[candidate.place.row].text
        rows.append(
            [
                *label_context(sheet, candidate.place),
                *position(sheet, candidate.place),
                *(float(reading.order is order) for order in Order),
                float(reading.clean),
                float(reading.unambiguous),
                orders.get(reading.order, 0.0),
                float(bool(_TIME.search(text))),
                float(candidate.value == values[0]),
                float(candidate.value == values[-1]),
                min(len(values), 6) / 6.0,
                min(counts[candidate.value] - 1, 3) / 3.0,
                float(any(candidate.value + timedelta(days=gap) in days for gap in (7, 10, 14, 15, 30, 31, 60))),
                float(any(candidate.value - timedelta(days=gap) in days for gap in (7, 10, 14, 15, 30, 31, 60))),
                min(sheet.row_letters(candidate.place.row), 40) / 40.0,
                float(candidate.value.year < 2005),
                float(reading.separator == "."),
                float(reading.separator == "-"),
            ]
        )
    return np.asarray(rows, np.float32)


def in_one_order(sheet: Sheet, candidates: Sequence[DateCandidate]) -> list[DateCandidate]:
    """Without the readings that the page's other dates, or its country, speak against: a paper has one order."""
    evidence = _order_evidence(sheet, candidates)
    wrong = next((order for order, score in evidence.items() if score <= -_SETTLED), None)
    other = next((order for order in evidence if order is not wrong), None)
    settled = {candidate.place for candidate in candidates if candidate.reading.order is other}
    return [item for item in candidates if item.reading.order is not wrong or item.place not in settled]


def _order_evidence(sheet: Sheet, candidates: Sequence[DateCandidate]) -> dict[Order, float]:
    """How much speaks for each order of numeric dates on this page, about -1 to 1: its other dates, and its country."""
    sure = Counter(
        candidate.reading.order
        for candidate in candidates
        if candidate.reading.unambiguous and candidate.reading.order in (Order.DAY_FIRST, Order.MONTH_FIRST)
    )
    text = fold(sheet.page.text)
    american = len(_AMERICAN.findall(sheet.page.text)) + 0.5 * ("$" in text and not _OTHER_DOLLARS.search(text))
    elsewhere = len(_ELSEWHERE.findall(text))
    month_first = math.tanh(
        0.9 * min(american, 4)
        - 0.5 * min(elsewhere, 6)
        + 3.0 * (sure[Order.MONTH_FIRST] - sure[Order.DAY_FIRST])
        + 2.0 * _due_later(sheet, candidates)
    )
    return {Order.MONTH_FIRST: month_first, Order.DAY_FIRST: -month_first}


def _due_later(sheet: Sheet, candidates: Sequence[DateCandidate]) -> int:
    """1 where only with the month first a payment is due after the invoice's date, -1 where only with the day first."""
    fits = set()
    for order in (Order.MONTH_FIRST, Order.DAY_FIRST):
        days: dict[str, set[date]] = {"date": set(), "due_date": set()}
        for candidate in candidates:
            if candidate.reading.order is order:
                for label, distance in sheet.labels_left(candidate.place):
                    if label.kind in days and distance < _BESIDE:
                        days[label.kind].add(candidate.value)
        if any(timedelta() <= due - day < _LONGEST_TERM for day in days["date"] for due in days["due_date"]):
            fits.add(order)
    if len(fits) != 1:
        return 0
    return 1 if Order.MONTH_FIRST in fits else -1

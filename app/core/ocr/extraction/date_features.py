"""What is known of a date, as numbers about one: for the ranker."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from app.core.ocr.extraction.candidates import DateCandidate
from app.core.ocr.extraction.context import label_context, position
from app.core.ocr.extraction.dates import Order
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.text import fold
from app.types import FloatArray

_TIME = re.compile(r"\d{1,2}\s?[:h]\s?\d{2}")

_AMERICAN = re.compile(
    r"\b(?:A[LKZR]|C[AOT]|DE|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY])"
    r",?\s+\d{5}(?:-\d{4})?\b|\bUSD\b|\b[Ss]ales [Tt]ax\b|\(\d{3}\) ?\d{3}[ -]\d{4}\b|\bUSA\b"
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
        0.9 * min(american, 4) - 0.5 * min(elsewhere, 6) + 3.0 * (sure[Order.MONTH_FIRST] - sure[Order.DAY_FIRST])
    )
    return {Order.MONTH_FIRST: month_first, Order.DAY_FIRST: -month_first}

"""The day on which a receipt or an invoice was issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from app.core.ocr.dates import find_dates
from app.core.ocr.layout import Page, Row
from app.core.ocr.text import find_label

_LABELS = (
    "ngay ban", "ngay lap", "ngay hoa don", "ngay xuat", "ngay gio", "ngay in", "ngay", "thoi gian", "gio vao",
    "gio ra",
    "date", "invoice date", "bill date", "date time", "issued", "issue date", "time", "inv date", "doc date",
)  # fmt: skip
_WRONG_LABELS = (
    "han su dung", "het han", "ngay sinh", "ngay giao", "ngay den", "ngay di", "tu ngay", "den ngay", "han thanh toan",
    "ngay phat hanh", "doi tra", "trong ngay",
    "due date", "expiry", "expires", "valid until", "best before", "check in", "check out", "arrival", "departure",
    "delivery date", "birth",
)  # fmt: skip
_OLDEST_YEAR = 1995
_TIME_MARKS = (":", "h", "pm", "am")


@dataclass(frozen=True, slots=True)
class ReceiptDate:
    """``confidence`` is 0 to 1. ``text`` is the row in which the date stood."""

    value: date
    confidence: float
    text: str


def find_receipt_date(page: Page, *, today: date, month_first: bool = False) -> ReceiptDate | None:
    """The likeliest date of issue on ``page``; never later than the day after ``today``."""
    best: ReceiptDate | None = None
    for index, row in enumerate(page.rows):
        for text, penalty in _texts(page, index):
            found = find_dates(
                text, latest=today + timedelta(days=1), earliest=date(_OLDEST_YEAR, 1, 1), month_first=month_first
            )
            for item in found:
                confidence = (item.certainty - penalty) * _label_factor(text, row) * min(1.0, 0.5 + 0.5 * row.score)
                if best is None or confidence > best.confidence:
                    best = ReceiptDate(item.value, round(confidence, 3), text)
    return best


def _texts(page: Page, index: int) -> list[tuple[str, float]]:
    """The row as one text, so that a date split over cells is whole; and the label row above an unlabelled one."""
    row = page.rows[index]
    texts = [(row.text, 0.0)] + [(cell.text, 0.05) for cell in row.cells]
    if index and find_label(page.rows[index - 1].text, _LABELS):
        texts.append((page.rows[index - 1].text + " " + row.text, 0.1))
    return texts


def _label_factor(text: str, row: Row) -> float:
    if find_label(row.text, _WRONG_LABELS, min_similarity=88):
        return 0.5
    if find_label(text, _LABELS):
        return 1.0
    return 0.85 if any(mark in text.lower() for mark in _TIME_MARKS) else 0.75

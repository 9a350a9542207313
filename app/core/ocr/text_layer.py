"""Whether a PDF's text layer says what the page shows: some of its lines are read from the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from rapidfuzz import fuzz

from app.core.ocr.money import find_amounts
from app.core.ocr.readers import LineReader, crop_line
from app.core.ocr.text import squeeze
from app.core.ocr.totals import is_money
from app.types import Image, TextLine

_LARGEST, _SPREAD = 4, 4
"""Lines with the largest amounts, of which one is the total, and others from all over the page."""

_MIN_LINES = 3
_LENGTHS = range(4, 31)
"""Letters and digits of a line that is worth its reading."""

_IN_LATIN = 0.9
"""Share of a line's letters and digits that the reader knows, whichever accents they have."""

_ALIKE = 70.0
"""Of 100: misread letters are no contradiction."""

_MAX_DIFFERENT = 0.25
"""Of the lines read. Of 186 pages of invoices_pdf, einvoices_vn and others none came near: a page had one of six."""

_SURE = 0.9
"""Score of a reading that contradicts an amount by itself. On the same pages none did."""


def is_shown(lines: Sequence[TextLine], image: Image, reader: LineReader) -> bool:
    """Whether the text layer is what the picture shows; True too where it has too little to hold against it.

    Args:
        lines: the text layer, px of ``image``.
        reader: for letters without accents and digits.

    Raises:
        ReaderFailure: the reader's runtime failed.
    """
    sample = _sample(lines)
    if len(sample) < _MIN_LINES:
        return True
    readings = reader.read([crop_line(image, line.polygon) for line in sample])
    pairs = list(zip(sample, readings, strict=True))
    if any(reading.score >= _SURE and _other_amount(line.text, reading.text) for line, reading in pairs):
        return False
    different = sum(fuzz.ratio(squeeze(line.text), squeeze(reading.text)) < _ALIKE for line, reading in pairs)
    return different <= _MAX_DIFFERENT * len(sample)


def _other_amount(written: str, shown: str) -> bool:
    """Whether both are amounts, with other digits."""
    digits = [re.sub(r"\D", "", text) for text in (written, shown)]
    return bool(_amount(written) and _amount(shown)) and digits[0] != digits[1]


def _sample(lines: Sequence[TextLine]) -> list[TextLine]:
    readable = sorted((line for line in lines if _is_readable(line.text)), key=lambda line: -_amount(line.text))
    largest, others = readable[:_LARGEST], readable[_LARGEST:]
    step = max(len(others) // _SPREAD, 1)
    return [*largest, *others[step // 2 :: step][:_SPREAD]]


def _is_readable(text: str) -> bool:
    known = len(squeeze(text))
    return known in _LENGTHS and known >= _IN_LATIN * sum(character.isalnum() for character in text)


def _amount(text: str) -> Decimal:
    """The largest sum of money in a line; codes and dates are none."""
    return max((abs(amount.value) for amount in find_amounts(text) if is_money(amount)), default=Decimal(0))

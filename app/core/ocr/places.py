"""Where the values of an invoice are printed: the lines that say them, as parts of the page that was given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from app.core.ocr.dates import find_dates
from app.core.ocr.money import find_amounts, find_short_amounts
from app.core.ocr.orientation import rotate_polygons
from app.core.ocr.page_reader import PageText
from app.core.ocr.read_value import ReadValue
from app.core.ocr.text import fold, squeeze
from app.types import FloatArray

_MOST = 5
"""A value that more lines say is shown nowhere: that would point at nothing."""

_SHORTEST = 3  # of a text that is looked for


@dataclass(frozen=True, slots=True)
class PrintedPlace:
    """A line of print. ``page`` counts from 1; the rest is 0 to 1, parts of the page as it was given, from its top
    left."""

    page: int
    x: float
    y: float
    width: float
    height: float


def places_of(
    values: Mapping[str, ReadValue], pages: Iterable[tuple[int, PageText]]
) -> dict[str, tuple[PrintedPlace, ...]]:
    """Every line that says a value, by the field's name.

    Args:
        pages: of the invoice, or parts of them, with their numbers in the file.
    """
    lines = [(line, number, text) for number, text in pages for line in text.lines]
    found = {}
    for name, read in values.items():
        said = [(line, number, text) for line, number, text in lines if _says(line.text, read.value)]
        if read.of_code or len(said) > _MOST:
            said = []
        found[name] = tuple(_place(line.polygon, number, text) for line, number, text in said)
    return found


def _says(text: str, value: str | Decimal | date) -> bool:
    if isinstance(value, Decimal):
        return abs(value) in {abs(amount.value) for amount in (*find_amounts(text), *find_short_amounts(text))}
    if isinstance(value, date):
        return any(find_dates(text, earliest=value, latest=value, month_first=first) for first in (False, True))
    if any(character.isdigit() for character in value):  # a number is no part of a longer one
        return re.search(rf"(?<![a-z0-9]){re.escape(fold(value))}(?![a-z0-9])", fold(text)) is not None
    wanted = squeeze(value)
    return len(wanted) >= _SHORTEST and wanted in squeeze(text)


def _place(polygon: FloatArray, page: int, text: PageText) -> PrintedPlace:
    height, width = text.image.shape[:2]
    [given] = rotate_polygons([polygon], (360 - text.rotation_deg) % 360, width=width, height=height)
    size = (height, width) if text.rotation_deg in (90, 270) else (width, height)
    parts = np.clip(given / np.array(size, np.float32), 0.0, 1.0)
    (x1, y1), (x2, y2) = parts.min(0).tolist(), parts.max(0).tolist()
    return PrintedPlace(page, *(round(part, 4) for part in (x1, y1, x2 - x1, y2 - y1)))

"""What is known of a code, as numbers about one: for the ranker."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from app.core.ocr.extraction.candidates import CodeCandidate
from app.core.ocr.extraction.context import first_row, label_context, position
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.tax_code import is_tax_code
from app.core.ocr.text import fold
from app.types import FloatArray


def code_features(sheet: Sheet, candidates: Sequence[CodeCandidate]) -> FloatArray:
    """(n, d) float32."""
    text = sheet.page.text
    first_buyer = first_row(sheet, "buyer")
    rows = []
    for candidate in candidates:
        value, place = candidate.value, candidate.place
        digits = sum(character.isdigit() for character in value)
        cell = sheet.rows[place.row].cells[place.cell].text
        before = fold(cell[: place.start]).rstrip()
        rows.append(
            [
                *label_context(sheet, place),
                *position(sheet, place),
                min(len(value), 24) / 24.0,
                digits / max(len(value), 1),
                float(any(character.isalpha() for character in value)),
                float(value.isdigit()),
                float(value[:1] == "0"),
                float("/" in value or "-" in value),
                float(bool(re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}", value))),
                float(bool(re.fullmatch(r"\d{1,3}(?:[.,]\d{3})*(?:[.,]\d{2})?", value)) and not value.isdigit()),
                float(bool(re.fullmatch(r"(?:19|20)\d\d", value))),
                float(is_tax_code(value)),
                float(bool(re.fullmatch(r"[A-Z]{2}\d{8,12}[A-Z]?\d*", value.replace(" ", "")))),
                float(" " in value),
                float(before.endswith(("#", "no.", "no", "nr.", "nr", ":", "so", "no:", "№", "n°"))),
                float(before.endswith(":")),
                float(place.start == 0 and place.end == len(cell)),
                float(place.end == len(cell)),
                float(place.start == 0),
                min(text.count(value) - 1, 3) / 3.0,
                float(first_buyer is not None and place.row >= first_buyer),
                float(bool(re.match(r"\s?%", cell[place.end :]))),
                min(sum(character.isalpha() for character in cell), 40) / 40.0,
                float(place.end < len(cell) and cell[place.end : place.end + 2].strip()[:1].isalpha()),
                float(place.start > 0 and cell[place.start - 1 : place.start].isalnum()),
                float(cell[: place.start].rstrip().endswith(("(", "["))),
                min(place.start, 40) / 40.0,
            ]
        )
    return np.asarray(rows, np.float32)

"""The numbered fields of driving licences: 1 surname, 2 given names, 3 birth, 4a issue, 4b expiry, 5 number, 8 address.

The codes are those of the European directive 2006/126/EC, annex I, which ISO 18013-1 and the American standard took
over; American licences have their number at 4d and that of the plastic card at 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.core.ocr.labels import LabelledValue
from app.core.ocr.layout import Cell, Page

_CODE = re.compile(
    r"(?:^|(?<=\s))(?:(4[a-d]|9a)(?:[.:)]\s*|\s+|$)|(1[25678]|[1-3589])(?:[.:)](?!\d)\s*|\s+|$))", re.IGNORECASE
)
_LETTERS = re.compile(r"[^\W\d_][^\d_:/]*")
_GUESSED = 0.75
"""Of the score of a surname whose code was not read."""

_FIELDS = {
    "1": "surname",
    "2": "given_names",
    "3": "date_of_birth",
    "4a": "issue_date",
    "4b": "expiry_date",
}
_MIN_CODES = 4
_MIN_DIGITS = 3


@dataclass(frozen=True, slots=True)
class _Coded:
    value: LabelledValue
    cell: Cell


def read_field_codes(
    page: Page, *, is_date: Callable[[str], bool], number_code: str
) -> dict[str, LabelledValue] | None:
    """Fields by the names of ``labels``; None where fewer than four codes stand on the page.

    Args:
        is_date: whether a text holds a date.
        number_code: of the document's number, ``5`` or ``4d``.
    """
    coded = _coded(page)
    if len(coded) < _MIN_CODES:
        return None
    kept = {code: found for code, found in coded.items() if _fits(code, found.value.text, is_date)}
    fields = {_FIELDS[code]: found.value for code, found in kept.items() if code in _FIELDS}
    if number_code in kept:
        fields["document_number"] = kept[number_code].value
    if "2" in kept and "1" not in kept:
        fields |= _surname_above(page, kept["2"].cell)
    return fields


def _coded(page: Page) -> dict[str, _Coded]:
    """The first value behind each code, up to the next code of its cell, or in the next cell."""
    found: dict[str, _Coded] = {}
    for index, row in enumerate(page.rows):
        for cell, beside in zip(row.cells, [*row.cells[1:], None], strict=True):
            matches = list(_CODE.finditer(cell.text))
            ends = [*(match.start() for match in matches[1:]), len(cell.text)]
            for match, end in zip(matches, ends, strict=False):
                # A digit alone is a code at the beginning only: ``APT 5 MAIN STREET``.
                code = (match[1] or match[2]).lower()
                if match.start() and len(code) == 1:
                    continue
                text, score = cell.text[match.end() : end].strip(), cell.score
                if not text and beside and beside.x1 - cell.x2 < 3.0 * cell.height:
                    text, score = beside.text, beside.score
                found.setdefault(code, _Coded(LabelledValue(text, score, index), cell))
    return found


def _fits(code: str, text: str, is_date: Callable[[str], bool]) -> bool:
    if code in ("1", "2"):
        return _LETTERS.fullmatch(text) is not None and len(text) > 1
    if code in ("3", "4a", "4b"):
        return is_date(text)
    return code in ("5", "4d") and sum(character.isdigit() for character in text) >= _MIN_DIGITS


def _surname_above(page: Page, below: Cell) -> dict[str, LabelledValue]:
    """The line of letters right above the given names, where it begins as they do."""
    for index, row in enumerate(page.rows):
        for cell in row.cells:
            gap = (below.y_centre - cell.y_centre) / max(below.height, 1.0)
            aligned = -1.0 * below.height < cell.x1 - below.x1 < 3.0 * below.height
            if 0.5 < gap < 2.2 and aligned and _LETTERS.fullmatch(cell.text):
                return {"surname": LabelledValue(cell.text, cell.score * _GUESSED, index)}
    return {}

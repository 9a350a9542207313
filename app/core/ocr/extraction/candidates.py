"""What on a page could be the value of a field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.core.ocr.extraction.dates import DateReading, find_date_readings
from app.core.ocr.extraction.sheet import Place, Sheet
from app.core.ocr.money import Amount, find_amounts, find_short_amounts
from app.core.ocr.text import fold

MAX_CANDIDATES = 400
"""Of one field on one document: what a page has more of is a list of numbers."""

_EARLIEST = date(1995, 1, 1)
_MAX_DIGITS = 13
_CODE = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9./_\-#]*\d)[A-Za-z0-9](?:[A-Za-z0-9./_\-#]*[A-Za-z0-9])?")
_SPACED_DIGITS = re.compile(r"(?<!\d)(?:\d ){5,}\d(?!\d)")
_MAX_CODE = 30
_REGISTRATION = re.compile(
    r"\s*[(\[]?\s*(?:co\\.?\s*(?:reg|no)\W*|reg\.?\s*no\.?:?\s*)?(?:[(\[S]?\d{5,12}\s?-?\s?[A-Z0-9]?\s*[)\]]|\d{12}\s*\([^)]*\))\s*$",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"\b(?:co|ltd|inc|corp|plc|bhd|pvt|e\.v|s\.a|s\.l|a\.s|b\.v|s\.r\.l)\.$", re.IGNORECASE)
_UNIT_PHRASE = re.compile(r"(?:dvt|don vi tinh|don vi)\s*:?\s*(1[.,]?000|nghin|ngan|trieu)\s*(?:dong|vnd|d)\b")


@dataclass(frozen=True, slots=True)
class MoneyCandidate:
    """An amount and where it stands."""

    place: Place
    amount: Amount
    value: Decimal


@dataclass(frozen=True, slots=True)
class DateCandidate:
    """A reading of a date and where it stands."""

    place: Place
    reading: DateReading
    value: date


@dataclass(frozen=True, slots=True)
class CodeCandidate:
    """A word with digits in it."""

    place: Place
    value: str


@dataclass(frozen=True, slots=True)
class NameCandidate:
    """A cell, a part of one behind a label, or two lines that make one name."""

    place: Place
    value: str
    lines: int
    behind_label: bool


def money_candidates(sheet: Sheet) -> list[MoneyCandidate]:
    """Amounts that could be a sum of money, at most :data:`MAX_CANDIDATES`, the last ones of the page."""
    scale = _unit(sheet)
    found: list[MoneyCandidate] = []
    for row, cell, content in sheet.cells():
        for amount in (*find_amounts(content.text), *find_short_amounts(content.text)):
            digits = len(str(abs(int(amount.value))))
            if digits > _MAX_DIGITS or (digits >= 9 and not amount.grouped and not amount.decimals):
                continue
            if not amount.grouped and not amount.decimals and not amount.currency and abs(amount.value) < 10:
                continue
            value = amount.value * scale if amount.currency != "USD" else amount.value
            found.append(MoneyCandidate(sheet.place(row, cell, amount.start, amount.end), amount, value))
    return found[-MAX_CANDIDATES:]


def _unit(sheet: Sheet) -> int:
    """What a printed amount is to be multiplied with: ``ĐVT: 1.000 đồng``."""
    match = _UNIT_PHRASE.search(fold(sheet.page.text))
    if match is None:
        return 1
    return 10**6 if match[1] == "trieu" else 1000


def date_candidates(sheet: Sheet, *, today: date) -> list[DateCandidate]:
    """Every reading of every date up to a year ahead: a due date may be there, the issue date is not."""
    text = sheet.page.text
    buddhist = bool(re.search("[\u0e00-\u0e7f]", text)) or "thailand" in fold(text) or "bangkok" in fold(text)
    minguo = bool(re.search("統一|發票|民國|臺|台灣|taiwan", text, re.IGNORECASE))
    latest = today + timedelta(days=400)
    found: list[DateCandidate] = []
    for row, row_content in enumerate(sheet.rows):
        for cell, content in enumerate(row_content.cells):
            readings = find_date_readings(
                content.text, latest=latest, earliest=_EARLIEST, buddhist=buddhist, minguo=minguo
            )
            found += [
                DateCandidate(sheet.place(row, cell, reading.start, reading.end), reading, reading.value)
                for reading in readings
            ]
        found += _across_cells(sheet, row, latest, buddhist=buddhist, minguo=minguo)
    return found[:MAX_CANDIDATES]


def _across_cells(sheet: Sheet, row: int, latest: date, *, buddhist: bool, minguo: bool) -> Iterator[DateCandidate]:
    """Dates that were split over neighbouring cells."""
    cells = sheet.rows[row].cells
    for index in range(len(cells) - 1):
        joined = f"{cells[index].text} {cells[index + 1].text}"
        border = len(cells[index].text)
        for reading in find_date_readings(joined, latest=latest, earliest=_EARLIEST, buddhist=buddhist, minguo=minguo):
            if reading.start < border < reading.end - 1:
                place = sheet.place(row, index, reading.start, border)
                yield DateCandidate(place, reading, reading.value)


def code_candidates(sheet: Sheet) -> list[CodeCandidate]:
    """Words with a digit, and longer runs behind a label."""
    found: list[CodeCandidate] = []
    for row, cell, content in sheet.cells():
        text = content.text
        spaced = {match.span() for match in _SPACED_DIGITS.finditer(text)}
        for start, end in spaced:
            found.append(CodeCandidate(sheet.place(row, cell, start, end), text[start:end].replace(" ", "")))
        for match in _CODE.finditer(text):
            value = match[0]
            if len(value) <= _MAX_CODE and not any(start <= match.start() < end for start, end in spaced):
                found.append(CodeCandidate(sheet.place(row, cell, match.start(), match.end()), value.strip("#")))
                found += _with_prefix(sheet, row, cell, match)
    return found[:MAX_CANDIDATES]


def _with_prefix(sheet: Sheet, row: int, cell: int, match: re.Match[str]) -> Iterator[CodeCandidate]:
    """``INV - 100``, ``GB 123 4567 89``: the number with what belongs to it."""
    text = sheet.rows[row].cells[cell].text
    longer = re.compile(r"[A-Z]{1,4}\s?[-/]?\s?$").search(text[: match.start()])
    following = re.compile(r"(?:\s?[-/]\s?|\s)[A-Z0-9]{1,12}(?:(?:\s?[-/]\s?|\s)[A-Z0-9]{1,6})?(?![A-Za-z])").match(
        text, match.end()
    )
    start = longer.start() if longer else match.start()
    ends = {match.end()} | ({following.end()} if following and any(c.isdigit() for c in following[0]) else set())
    for end in ends:
        if (start, end) != match.span() and end - start <= _MAX_CODE:
            value = text[start:end].strip()
            yield CodeCandidate(sheet.place(row, cell, start, end), value)


def name_candidates(sheet: Sheet) -> list[NameCandidate]:
    """Cells with letters, what stands behind a label in its cell, and lines of one size below one another."""
    found: list[NameCandidate] = []
    for row, cell, content in sheet.cells():
        text = content.text
        if sum(character.isalpha() for character in text) < 2:
            continue
        found.append(NameCandidate(sheet.place(row, cell, 0, len(text)), text, 1, behind_label=False))
        bare = clean_name(text)
        if bare != text and len(bare) >= 3:
            found.append(NameCandidate(sheet.place(row, cell, 0, len(text)), bare, 1, behind_label=False))
        for label in sheet.labels[row][cell]:
            if label.kind in ("seller", "buyer") and label.end < len(text) - 2:
                rest = re.match(r"(?:[^\W\d_]*\.?)?\s*(?:\([^)]*\))?[\s:.\-]*", text[label.end :])
                start = label.end + (rest.end() if rest else 0)
                if sum(character.isalpha() for character in text[start:]) >= 2:
                    found.append(
                        NameCandidate(sheet.place(row, cell, start, len(text)), text[start:], 1, behind_label=True)
                    )
        below = _line_below(sheet, row, cell)
        if below is not None:
            joined = clean_name(f"{text} {clean_name(below)}")
            found.append(NameCandidate(sheet.place(row, cell, 0, len(text)), joined, 2, behind_label=False))
        neighbour = sheet.rows[row].cells[cell + 1] if cell + 1 < len(sheet.rows[row].cells) else None
        if neighbour and neighbour.x1 - content.x2 < 1.5 * content.height and neighbour.text[:1].isalpha():
            joined = f"{text} {neighbour.text}"
            found.append(NameCandidate(sheet.place(row, cell, 0, len(text)), joined, 1, behind_label=False))
    return found[:MAX_CANDIDATES]


def clean_name(text: str) -> str:
    """Without the registration number behind a company's name, and without stray marks around it."""
    text = _REGISTRATION.sub("", text)
    return (
        text.strip(" .,:;-_|'\"*=#~<>").strip()
        if not _ABBREVIATION.search(text.strip())
        else text.strip(" ,:;-_|'\"*=#~<>")
    )


def _line_below(sheet: Sheet, row: int, cell: int) -> str | None:
    """The text of a line right below, of the same size and flush or centred with this one."""
    upper = sheet.rows[row].cells[cell]
    for other in (content for later in sheet.rows[row + 1 : row + 3] for content in later.cells):
        gap = (other.y_centre - upper.y_centre) / upper.height
        aligned = min(abs(other.x_centre - upper.x_centre), abs(other.x1 - upper.x1)) < 1.2 * upper.height
        alike = 0.75 < other.height / max(upper.height, 1.0) < 1.33
        letters = sum(character.isalpha() for character in other.text)
        if 0.5 < gap < 2.0 and aligned and alike and letters >= 2:
            return other.text
    return None

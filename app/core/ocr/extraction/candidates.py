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
_MAX_NAME_LINES = 3
_LABEL_START = 3
_REGISTRATION = re.compile(
    r"\s*[(\[]?\s*(?:co\\.?\s*(?:reg|no)\W*|reg\.?\s*no\.?:?\s*)?(?:[(\[S]?\d{5,12}\s?-?\s?[A-Z0-9]?\s*[)\]]|\d{12}\s*\([^)]*\))\s*$",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"\b(?:co|ltd|inc|corp|plc|bhd|pvt|e\.v|s\.a|s\.l|a\.s|b\.v|s\.r\.l)\.$", re.IGNORECASE)
_LEGAL_FORM = re.compile(
    r"\b(co phan|cong ty|sdn|bhd|s/b|ltd|limited|llc|inc|corp|corporation|company|co|plc|gmbh|mbh|ag|kg|ohg|ug|se|"
    r"sarl|sas|sa|sl|slu|srl|spa|bv|nv|oy|oyj|ab|as|aps|pte|pvt|pty|tbk|pt|cv|ltda|eirl|kft|sro|zrt|tnhh|cty|"
    r"doanh nghiep|dntn|tu nhan|trach nhiem huu han|mot thanh vien|mtv|chi nhanh|"
    r"ho kinh doanh|hkd|llp|eg|ev|e k|inh|foundation|trust)\b"
)
_LEADING_FORM = re.compile(r"\b(cong ty|cty|doanh nghiep|dntn|ho kinh doanh|hkd|chi nhanh|pt|cv)\b")
"""Behind others no name goes on."""

_NUMBER_WORD = re.compile(r"\b(no|reg|regno|roc)\b")
_LEADING_CODE = re.compile(r"[^\w(]*\d{3,}[^\w(]+(?=[^\W\d]{2})")
"""A till's or a print run's number before the name."""

_EITHER_SIDE = re.compile(r"don vi\s*:")
"""A label of the seller's name or the buyer's."""

_SUMS = frozenset({"due", "total", "subtotal", "tax"})
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
    """A cell, a part of one behind a label, or lines that make one name, of which ``last`` is the ``(row, cell)``."""

    place: Place
    value: str
    lines: int
    behind_label: bool
    last: tuple[int, int]


def money_candidates(sheet: Sheet) -> list[MoneyCandidate]:
    """Amounts that could be a sum of money, at most :data:`MAX_CANDIDATES`, the last ones of the page."""
    scale = _unit(sheet)
    found: list[MoneyCandidate] = []
    for row, cell, content in sheet.cells():
        for amount in (*find_amounts(content.text), *find_short_amounts(content.text)):
            digits = len(str(abs(int(amount.value))))
            if digits > _MAX_DIGITS or (digits >= 9 and not amount.grouped and not amount.decimals):
                continue
            if _is_digit(amount) and not _is_nothing(sheet, row, cell):
                continue
            value = amount.value * scale if amount.currency != "USD" else amount.value
            found.append(MoneyCandidate(sheet.place(row, cell, amount.start, amount.end), amount, value))
    return found[-MAX_CANDIDATES:]


def _is_digit(amount: Amount) -> bool:
    """A bare one is a count, a rank or a page."""
    return not amount.grouped and not amount.decimals and not amount.currency and abs(amount.value) < 10


def _is_nothing(sheet: Sheet, row: int, cell: int) -> bool:
    """A zero alone in its cell, in a row of sums: no tax, or nothing to pay."""
    if sheet.rows[row].cells[cell].text.strip() != "0":
        return False
    return any(label.kind in _SUMS for labels in sheet.labels[row][:cell] for label in labels)


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
    """Cells with letters, what stands behind a label or a colon in them, and lines below one another; no labels."""
    found: list[NameCandidate] = []
    for row, cell, content in sheet.cells():
        text = content.text
        if _letters(text) < 2:
            continue
        if _is_label(sheet, row, cell):
            continue
        start, labelled = _name_start(sheet, row, cell)
        name = text[start:]
        if not labelled:
            found.append(_name(sheet, row, cell, 0, text, 1))
            if start:
                found.append(_name(sheet, row, cell, start, name, 1))
            bare = clean_name(text)
            if bare != text and len(bare) >= 3:
                found.append(_name(sheet, row, cell, 0, bare, 1))
        elif _letters(name) >= 2:
            found.append(_name(sheet, row, cell, start, name, 1, behind_label=True))
        if _letters(name) >= 2:
            found += _stacked(sheet, row, cell, start, labelled=labelled)
        neighbour = sheet.rows[row].cells[cell + 1] if cell + 1 < len(sheet.rows[row].cells) else None
        if neighbour and neighbour.x1 - content.x2 < 1.5 * content.height and neighbour.text[:1].isalpha():
            found.append(_name(sheet, row, cell, 0, f"{text} {neighbour.text}", 1))
    return [item for item in found if not _is_bare_form(item.value)][:MAX_CANDIDATES]


def _stacked(sheet: Sheet, row: int, cell: int, start: int, *, labelled: bool) -> Iterator[NameCandidate]:
    """The name that begins there with what stands below it."""
    joined, last = sheet.rows[row].cells[cell].text[start:], (row, cell)
    if _is_bare_form(joined) and not _LEADING_FORM.search(fold(joined)):
        return
    for lines in range(2, _MAX_NAME_LINES + 1):
        if last not in sheet.below:
            return
        last = sheet.below[last]
        joined = clean_name(f"{joined} {clean_name(sheet.rows[last[0]].cells[last[1]].text)}")
        yield _name(sheet, row, cell, start, joined, lines, behind_label=labelled, last=last)


def _name(
    sheet: Sheet,
    row: int,
    cell: int,
    start: int,
    value: str,
    lines: int,
    *,
    behind_label: bool = False,
    last: tuple[int, int] | None = None,
) -> NameCandidate:
    place = sheet.place(row, cell, start, len(sheet.rows[row].cells[cell].text))
    return NameCandidate(place, value, lines, behind_label, last or (row, cell))


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _name_start(sheet: Sheet, row: int, cell: int) -> tuple[int, bool]:
    """Where a name begins in its cell, behind a label of seller or buyer or else a colon or a number, and whether it is
    a label."""
    text = sheet.rows[row].cells[cell].text
    for label in sheet.labels[row][cell]:
        if label.kind in ("seller", "buyer") and label.start <= _LABEL_START and label.end < len(text) - 2:
            rest = re.match(r"(?:[^\W\d_]*\.?)?\s*(?:\([^)]*\))?\s*[:.\-][\s:.\-]*", text[label.end :])
            if rest and _letters(text[label.end + rest.end() :]) >= 2:
                return label.end + rest.end(), True
    colon = re.match(r"[^:]{2,24}:\s*(?=\S{2})", text) or _LEADING_CODE.match(text)
    return (colon.end(), bool(_EITHER_SIDE.match(fold(text)))) if colon else (0, False)


def _is_label(sheet: Sheet, row: int, cell: int) -> bool:
    """Whether the cell says little more than what it announces."""
    text = sheet.rows[row].cells[cell].text
    covered = {
        index
        for label in sheet.labels[row][cell]
        if label.kind in ("seller", "buyer", "number", "date", "due_date", "tax_id", "phone")
        for index in range(label.start, label.end)
    }
    return bool(covered) and _letters("".join(c for index, c in enumerate(text) if index not in covered)) < 3


def plain_name(name: str) -> str:
    """By its letters, without a registration number: written twice it is one name."""
    return re.sub(r"\W+", " ", clean_name(name)).strip().casefold()


def has_legal_form(text: str) -> bool:
    """Whether a company's form is named."""
    return bool(_LEGAL_FORM.search(_plain(text)))


def _is_bare_form(text: str) -> bool:
    """``SDN BHD``, ``CÔNG TY TNHH``: what a name goes on with, or begins with, and is none by itself."""
    rest = _NUMBER_WORD.sub(" ", _LEGAL_FORM.sub(" ", _plain(text)))
    return has_legal_form(text) and not re.search(r"[^\W\d]{2}", rest)


def _plain(text: str) -> str:
    return re.sub(r"[.,()]", "", fold(text))


def clean_name(text: str) -> str:
    """Without the registration number behind a company's name, and without stray marks around it."""
    text = _REGISTRATION.sub("", text)
    return (
        text.strip(" .,:;-_|'\"*=#~<>").strip()
        if not _ABBREVIATION.search(text.strip())
        else text.strip(" ,:;-_|'\"*=#~<>")
    )

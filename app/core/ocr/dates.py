"""Dates as receipts, invoices and identity papers print them, Vietnamese and English, day before month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from app.core.ocr.text import fold

_MONTH_OF = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january", "janv"), ("feb", "february", "fev", "fevr"), ("mar", "march", "mars"),
            ("apr", "april", "avr", "avril"), ("may", "mai"), ("jun", "june", "juin"), ("jul", "july", "juil"),
            ("aug", "august", "aout"), ("sep", "sept", "september"), ("oct", "october"), ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip

_DIGIT_LIKE = str.maketrans(
    {"o": "0", "q": "0", "c": "0", "d": "0", "l": "1", "i": "1", "|": "1", "z": "2", "s": "5", "b": "8"}
)
_N = r"[\doqcdli|zsb]"
_MARK = r"\s?[-/.,:|\\]\s?"

_DAY_FIRST = re.compile(rf"(?<!\d)({_N}{{1,2}}){_MARK}({_N}{{1,2}}){_MARK}({_N}{{4}}|{_N}{{2}}(?!{_N}))")
_YEAR_FIRST = re.compile(rf"(?<![\d/.-])([12]{_N}{{3}})\s?([-/.])\s?({_N}{{1,2}})\s?\2\s?({_N}{{1,2}})(?!{_N})")
_ONE_MARK_LOST = re.compile(rf"(?<!\d)(\d{{2}})(?:{_MARK}(\d{{2}})|(\d{{2}}){_MARK})((?:19|20)\d{{2}})")
_W = r"\W{0,4}(?:(?:date|day|month|year)\W{1,3})?"
_VIETNAMESE = re.compile(rf"n?gay{_W}({_N}{{1,2}}){_W}thang{_W}({_N}{{1,2}}){_W}nam{_W}({_N}{{4}})")
_DAY_MONTH_NAME = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?[\s./,-]*([a-z]{3,9})(?:\s?/\s?([a-z]{3,9}))?[\s./,'-]*(\d{4}|\d{2})(?!\d)"
)
_MONTH_NAME_DAY = re.compile(r"(?<![a-z])([a-z]{3,9})[\s./-]*(\d{1,2})(?:st|nd|rd|th)?[\s./,'-]+(\d{4}|\d{2})(?!\d)")


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a text. ``certainty`` is 0 to 1: written out in words is surer than repaired digits."""

    value: date
    certainty: float
    start: int
    end: int


def find_dates(
    text: str, *, latest: date, earliest: date = date(1900, 1, 1), month_first: bool = False
) -> list[FoundDate]:
    """Every possible date from ``earliest`` to ``latest`` in ``text``, surest first, then left to right.

    Args:
        latest: a two-digit year means the latest century that does not pass this day.
        month_first: how to read ``03/04/2020`` where both orders are possible (receipts in US dollars).
    """
    folded = fold(text)
    found: list[FoundDate] = []
    for certainty, match, (year, month, day) in _candidates(folded, month_first=month_first):
        value = _to_date(year, month, day, latest=latest)
        overlaps = any(match.start() < other.end and other.start < match.end() for other in found)
        if value and earliest <= value <= latest and not overlaps:
            found.append(FoundDate(value, certainty, match.start(), match.end()))
    return sorted(found, key=lambda item: (-item.certainty, item.start))


def _candidates(folded: str, *, month_first: bool) -> list[tuple[float, re.Match[str], tuple[str, str, str]]]:
    """``(certainty, match, (year, month, day))``; the surest patterns come first."""
    written = [(1.0, match, (match[3], match[2], match[1])) for match in _VIETNAMESE.finditer(folded)]
    return [
        *written,
        *(
            # Passports print the month in two languages; either may be known.
            (1.0, match, (match[4], str(_MONTH_OF.get(match[2]) or _MONTH_OF[match[3]]), match[1]))
            for match in _DAY_MONTH_NAME.finditer(folded)
            if {match[2], match[3]} & set(_MONTH_OF)
        ),
        *(
            (1.0, match, (match[3], str(_MONTH_OF[match[1]]), match[2]))
            for match in _MONTH_NAME_DAY.finditer(folded)
            if match[1] in _MONTH_OF
        ),
        *((0.95, match, (match[1], match[3], match[4])) for match in _YEAR_FIRST.finditer(folded)),
        *(
            (_certainty(match), match, _ordered(match, month_first=month_first))
            for match in _DAY_FIRST.finditer(folded)
            if sum(character.isdigit() for character in match[0]) >= 4
        ),
        *((0.6, match, (match[4], match[2] or match[3], match[1])) for match in _ONE_MARK_LOST.finditer(folded)),
    ]


def _certainty(match: re.Match[str]) -> float:
    """Clean ``dd/mm/yyyy`` 1.0; less for two-digit years, for repaired digits and for odd marks."""
    certainty = 0.95 if len(match[3]) == 4 else 0.85
    if re.search(r"[a-z|]", match[0]):
        certainty -= 0.2
    if re.search(r"[,:\\]", match[0]):
        certainty -= 0.2
    return certainty


def _ordered(match: re.Match[str], *, month_first: bool) -> tuple[str, str, str]:
    first, second = match[1].translate(_DIGIT_LIKE), match[2].translate(_DIGIT_LIKE)
    swap = (month_first and int(first) <= 12) or (int(second) > 12 and int(first) <= 12)
    return (match[3], first, second) if swap else (match[3], second, first)


def _to_date(year: str, month: str, day: str, *, latest: date) -> date | None:
    year_number, month_number, day_number = (int(part.translate(_DIGIT_LIKE)) for part in (year, month, day))
    if len(year) == 2:
        year_number += 2000
        if (year_number, month_number, day_number) > (latest.year, latest.month, latest.day):
            year_number -= 100
    try:
        return date(year_number, month_number, day_number)
    except ValueError:
        return None

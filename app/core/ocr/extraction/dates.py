"""Every date that a text may mean: both orders of day and month, month names, eras."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.core.ocr.text import fold


class Order(StrEnum):
    """How a date was written."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"
    YEAR_FIRST = "ymd"
    NAMED = "named"
    """With the month's name, or the words for day, month and year: there is one reading."""


@dataclass(frozen=True, slots=True)
class DateReading:
    """One meaning of ``text[start:end]``. ``clean``: nothing was repaired, and the year has four digits.
    ``unambiguous``: the text has no other order."""

    value: date
    order: Order
    start: int
    end: int
    clean: bool
    unambiguous: bool
    separator: str


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janv janvier januar jaenner enero ene gennaio gen januari janeiro januar leden "
            "styczen tammikuu",
            "feb february fev fevr fevrier februar febrero febbraio februari fevereiro unor luty helmikuu",
            "mar march mars marz maerz marzo maart mrt marco brezen marzec maret mac maaliskuu",
            "apr april avr avril abril abr aprile avril duben kwiecien huhtikuu",
            "may mai mayo maggio mag mei maio maj kveten toukokuu",
            "jun june juin juni junio giugno giu junho cerven czerwiec kesakuu",
            "jul july juil juillet juli julio luglio lug julho cervenec lipiec julai heinakuu",
            "aug august aout agosto ago augustus srpen sierpien agustus ogos elokuu",
            "sep sept september septembre septiembre settembre set setembro zari wrzesien syyskuu",
            "oct october octobre octubre ottobre ott okt oktober outubro out rijen pazdziernik lokakuu",
            "nov november novembre noviembre novembro listopad marraskuu",
            "dec december decembre dez dezember diciembre dic dicembre dezembro des desember prosinec "
            "grudzien disember joulukuu",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_THAI_MONTHS = (
    "ม.ค", "ก.พ", "มี.ค", "เม.ย", "พ.ค", "มิ.ย", "ก.ค", "ส.ค", "ก.ย", "ต.ค", "พ.ย", "ธ.ค",
)  # fmt: skip
_THAI_LONG = (
    "มกราคม", "กุมภาพันธ์", "มีนาคม", "เมษายน", "พฤษภาคม", "มิถุนายน", "กรกฎาคม", "สิงหาคม", "กันยายน",
    "ตุลาคม", "พฤศจิกายน", "ธันวาคม",
)  # fmt: skip
_DIGIT_LIKE = str.maketrans(
    {"o": "0", "q": "0", "c": "0", "d": "0", "l": "1", "i": "1", "|": "1", "z": "2", "s": "5", "b": "8"}
)
_N = r"[\doqcdli|zsb]"
_GLUED = r"20\d{2}(?=\d{2}[:.]\d{2}|\d:\d{2})"
"""A year with the time right behind it."""

_THIRD = rf"((?:{_N}{{4}}|{_N}{{2}}(?!{_N}))(?!\d)|{_GLUED})"
_NUMERIC = (
    re.compile(rf"(?<![\d.,])(\d{{1,4}})(\s?[-/.|\\]\s?)(\d{{1,2}})\2((?:\d{{4}}|\d{{2}})(?!\d)|{_GLUED})"),
    re.compile(rf"(?<![\d.,])({_N}{{1,4}})(\s?[-/.,:|\\]\s?)({_N}{{1,2}})\s?[-/.,|\\]\s?{_THIRD}"),
    re.compile(r"(?<![\d.,])(\d{1,2})(\s)(\d{1,2})\s(\d{4})(?!\d)"),
)
"""As printed, with marks and digits misread, and with spaces alone; what an earlier one has found, a later one does
not read again."""

_LOST_MARK = re.compile(
    r"(?<!\d)(\d{2})(?:\s?[-/.]\s?(\d{2})\s?|(\d{2})\s?[-/.]\s?|\s(\d{2})[-/.])((?:19|20)\d{2})(?!\d)"
)
_COMPACT = re.compile(r"(?<![\d./-])(20[0-4]\d)([01]\d)([0-3]\d)(?!\d)")
_COMPACT_SHORT = re.compile(r"(?<![\d./-])([0-3]\d)([01]\d)(20[0-4]\d)(?!\d)")
_SUFFIX = r"(?:st|nd|rd|th|er|de|di|do|of|o|\.|ª|º)?"
_DAY_NAME = re.compile(
    rf"(?<!\d)(\d{{1,2}})\s?{_SUFFIX}[\s./,-]*(?:of |de |di |d')?[\s./,-]*([a-z01]{{3,10}})"
    r"[\s./,'’-]*(?:de |del )?(\d{4}|\d{2})(?!\d)"
)
_NAME_DAY = re.compile(
    r"(?<![a-z0-9])([a-z01]{3,10})[\s./-]*(\d{1,2})(?:st|nd|rd|th)?(?:[\s,'’-]+|[./])(\d{4}|\d{2})(?![\d:])"
)
_YEAR_NAME = re.compile(r"(?<!\d)(\d{4})[\s./-]+([a-z01]{3,10})[\s./-]+(\d{1,2})(?!\d)")
_W = r"\W{0,4}(?:(?:date|day|month|year)\W{1,3})?"
_VIETNAMESE = re.compile(rf"n?gay{_W}({_N}{{1,2}}){_W}thang{_W}({_N}{{1,2}}){_W}nam{_W}({_N}{{4}})")
_EAST_ASIAN = re.compile(
    r"(令和|平成|昭和|中華民國|民國|民国)?\s*(\d{1,4}|元)\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号]?"
)
_ERA = re.compile(r"(?<![a-z\d])([rh])\s?(\d{1,2})[./-](\d{1,2})[./-](\d{1,2})(?!\d)")
_ERA_START = {
    "令和": 2018,
    "r": 2018,
    "平成": 1988,
    "h": 1988,
    "昭和": 1925,
    "中華民國": 1911,
    "民國": 1911,
    "民国": 1911,
}
_BUDDHIST_OFFSET = 543


def find_date_readings(
    text: str, *, latest: date, earliest: date, buddhist: bool = False, minguo: bool = False
) -> list[DateReading]:
    """Every reading of every date in ``text`` within the bounds.

    Args:
        buddhist: the page is Thai: two-digit years, and those past 2400, count from the Buddha.
        minguo: the page is Taiwanese: three-digit years count from 1911.
    """
    folded = fold(text)
    found: list[DateReading] = []
    covered: set[int] = set()
    for reading in _raw(folded, latest=latest, buddhist=buddhist, minguo=minguo):
        if not earliest <= reading.value <= latest:
            continue
        places = set(range(reading.start, reading.end))
        same = [other for other in found if (other.start, other.end) == (reading.start, reading.end)]
        if covered & places and not same:
            continue
        if all(other.value != reading.value for other in same):
            covered |= places
            found.append(reading)
    return found


def _raw(folded: str, *, latest: date, buddhist: bool, minguo: bool) -> Iterator[DateReading]:
    yield from _written(folded, latest)
    yield from _named(folded, latest, buddhist=buddhist)
    for pattern in _NUMERIC:
        for match in pattern.finditer(folded):
            yield from _numeric(match, latest, buddhist=buddhist, minguo=minguo)
    for match in _LOST_MARK.finditer(folded):
        value = _date(match[5], match[2] or match[3] or match[4], match[1], latest)
        if value:
            yield DateReading(value, Order.DAY_FIRST, match.start(), match.end(), False, True, "")
    for match in _COMPACT.finditer(folded):
        value = _date(match[1], match[2], match[3], latest)
        if value:
            yield DateReading(value, Order.YEAR_FIRST, match.start(), match.end(), True, True, "")
    for match in _COMPACT_SHORT.finditer(folded):
        value = _date(match[3], match[2], match[1], latest)
        if value:
            yield DateReading(value, Order.DAY_FIRST, match.start(), match.end(), True, True, "")


def _written(folded: str, latest: date) -> Iterator[DateReading]:
    for match in _VIETNAMESE.finditer(folded):
        yield from _as_named(match, (match[3], match[2], match[1]), latest)
    for match in _EAST_ASIAN.finditer(folded):
        year = 1 if match[2] == "元" else int(match[2])
        year += _ERA_START.get(match[1] or "", 0)
        if match[1] is None and 90 <= year <= 150:
            year += _ERA_START["民國"]
        yield from _as_named(match, (str(year).zfill(4 if year > 99 else 2), match[3], match[4]), latest)
    for match in _ERA.finditer(folded):
        value = _date(str(_ERA_START[match[1]] + int(match[2])), match[3], match[4], latest)
        if value:
            yield DateReading(value, Order.YEAR_FIRST, match.start(), match.end(), False, True, "e")
    yield from _thai(folded, latest)


def _as_named(match: re.Match[str], parts: tuple[str, str, str], latest: date) -> Iterator[DateReading]:
    value = _date(*parts, latest)
    if value:
        yield DateReading(value, Order.NAMED, match.start(), match.end(), True, True, "w")


def _thai(folded: str, latest: date) -> Iterator[DateReading]:
    for names in (_THAI_LONG, _THAI_MONTHS):
        for number, name in enumerate(names, 1):
            for match in re.finditer(rf"(\d{{1,2}})\s*{re.escape(fold(name))}\.?\s*(?:พ\.ศ\.\s*)?(\d{{2,4}})", folded):
                yield from _as_named(match, (_thai_year(match[2], buddhist=True), str(number), match[1]), latest)


def _named(folded: str, latest: date, *, buddhist: bool) -> Iterator[DateReading]:
    for pattern, places in ((_DAY_NAME, (3, 2, 1)), (_NAME_DAY, (3, 1, 2)), (_YEAR_NAME, (1, 2, 3))):
        for match in pattern.finditer(folded):
            year, name, day = (match[place] for place in places)
            month = _MONTHS.get(name.replace("0", "o").replace("1", "l"))
            value = _date(_thai_year(year, buddhist=buddhist), str(month), day, latest) if month else None
            if value:
                yield DateReading(value, Order.NAMED, match.start(), match.end(), len(year) == 4, True, "w")


def _numeric(match: re.Match[str], latest: date, *, buddhist: bool, minguo: bool) -> Iterator[DateReading]:
    first, mark, second, third = match[1], match[2].strip(), match[3], match[4]
    if sum(character.isdigit() for character in match[0]) < 4 or mark == ":":
        return
    repaired = bool(re.search(r"[a-z|]", match[0])) or mark in (",", "\\")
    readings: list[tuple[date, Order]] = []
    if len(first) == 4 or (len(first) == 3 and minguo):
        year = str(int(first) + 1911) if len(first) == 3 and first.isdigit() else first
        if len(third) <= 2:
            value = _date(_thai_year(year, buddhist=True), second, third, latest)
            readings += [(value, Order.YEAR_FIRST)] if value else []
    elif len(first) <= 2:
        year = _thai_year(third, buddhist=buddhist)
        day_first, month_first = _date(year, second, first, latest), _date(year, first, second, latest)
        readings += [(day_first, Order.DAY_FIRST)] if day_first else []
        readings += [(month_first, Order.MONTH_FIRST)] if month_first and month_first != day_first else []
        if len(third) == 2 and mark in ("-", "/", "."):
            year_first = _date(first, second, third, latest)
            if year_first and year_first not in [value for value, _ in readings]:
                readings.append((year_first, Order.YEAR_FIRST))
    sure = len({order for _, order in readings} - {Order.YEAR_FIRST}) <= 1
    for value, order in readings:
        clean = not repaired and (len(third) == 4 or len(first) == 4)
        yield DateReading(value, order, match.start(), match.end(), clean, sure and first != second, mark)


def _thai_year(year: str, *, buddhist: bool) -> str:
    digits = year.translate(_DIGIT_LIKE)
    if not digits.isdigit():
        return year
    number = int(digits)
    if 2443 <= number <= 2643:
        return str(number - _BUDDHIST_OFFSET)
    return str(2500 + number - _BUDDHIST_OFFSET) if buddhist and len(digits) == 2 and number > 43 else digits


def _date(year: str, month: str, day: str, latest: date) -> date | None:
    parts = [part.translate(_DIGIT_LIKE) for part in (year, month, day)]
    if not all(part.isdigit() for part in parts):
        return None
    year_number, month_number, day_number = (int(part) for part in parts)
    if len(parts[0]) <= 2:
        year_number += 2000 if 2000 + year_number <= latest.year else 1900
    try:
        return date(year_number, month_number, day_number)
    except ValueError:
        return None

"""The dates of one identity paper, all in the same order of day and month."""

from __future__ import annotations

import re
from datetime import date, timedelta

from app.core.ocr.dates import find_dates
from app.core.ocr.issuers.base import Issuer
from app.core.ocr.issuers.languages import MONTHS
from app.core.ocr.text import fold

_EARLIEST_BIRTH = date(1900, 1, 1)
_EARLIEST_ISSUE = date(1950, 1, 1)
_YEARS_AHEAD = 50

_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})\s?[-/. ]\s?(\d{1,2})\s?[-/. ]\s?(?:\d{4}|\d{2})(?!\d)")
_MONTHS_IN_A_YEAR = 12
_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,10}(?![^\W\d_])")
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPACED = re.compile(r"(?<!\d)(\d{2})(?: (\d{2}) ?|(\d{2}) )(\d{4})(?!\d)")
_DAY_BEFORE_MONTH = re.compile(r"\d{1,2}\. ?\d{1,2}\. ?\d{4}")
"""With dots or spaces between its numbers nobody writes the month first."""


class DateReader:
    """Reads dates in the order that all dates of the page show together, else in the issuer's.

    Args:
        text: of the whole page.
    """

    def __init__(self, text: str, issuer: Issuer, *, today: date) -> None:
        self._issuer = issuer
        self._today = today
        self._month_first = _order(_dotted(issuer.gregorian(text)), issuer.month_first)

    def is_date(self, text: str) -> bool:
        """Whether the text holds a date, be its order known or not."""
        latest = date(self._today.year + _YEARS_AHEAD, 12, 31)
        return bool(find_dates(_dotted(self._issuer.gregorian(text)), latest=latest, earliest=_EARLIEST_BIRTH))

    def birth(self, text: str) -> str | None:
        """A day of birth before today, ``yyyy-mm-dd``."""
        return self._read(text, earliest=_EARLIEST_BIRTH, latest=self._today - timedelta(days=1))

    def day(self, text: str) -> str | None:
        """A day of issue or expiry, at most fifty years ahead."""
        return self._read(text, earliest=_EARLIEST_ISSUE, latest=date(self._today.year + _YEARS_AHEAD, 12, 31))

    def _read(self, text: str, *, earliest: date, latest: date) -> str | None:
        """The surest date; None where nobody can tell whether 03/04/2020 is in March or in April."""
        text = _dotted(_with_english_months(self._issuer.gregorian(text)))
        order = False if _DAY_BEFORE_MONTH.search(text) else self._month_first
        orders = (False, True) if order is None else (order,)
        found = [find_dates(text, latest=latest, earliest=earliest, month_first=order) for order in orders]
        values = {dates[0].value for dates in found if dates}
        return values.pop().isoformat() if len(values) == 1 else None


def _dotted(text: str) -> str:
    """``13 07 1990``, which French cards print, with dots."""
    return _SPACED.sub(lambda match: f"{match[1]}.{match[2] or match[3]}.{match[4]}", text)


def _order(text: str, usual: bool | None) -> bool | None:
    pairs = [(int(match[1]), int(match[2])) for match in _NUMERIC.finditer(text)]
    day_first = any(first > _MONTHS_IN_A_YEAR >= second for first, second in pairs)
    month_first = any(second > _MONTHS_IN_A_YEAR >= first for first, second in pairs)
    return usual if day_first == month_first else month_first


def _with_english_months(text: str) -> str:
    return _WORD.sub(lambda word: _english(word[0]), text)


def _english(word: str) -> str:
    number = MONTHS.get(fold(word))
    return _ENGLISH[number - 1] if number else word

"""Ranges of days and moments in requests."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from app.errors import InvalidInput
from app.models.common import Request
from app.utils import clock


def _day_or_moment(value: object) -> object:
    # Pydantic would read midnight as a day and a day as midnight; what was written decides.
    if isinstance(value, str):
        return date.fromisoformat(value) if len(value) == len("2025-01-17") else datetime.fromisoformat(value)
    raise ValueError("write a day, 2025-01-17, or a moment, 2025-01-17T10:00:00Z")


DayOrMoment = Annotated[date | datetime, BeforeValidator(_day_or_moment)]
"""A day means all of it; a moment without a zone is the hotel's local time."""


_FIRST_YEAR, _LAST_YEAR = date.min.year, date.max.year


class DateRange(Request):
    """Both ends belong to it; one may be left out. A start in the year 1 and an end in the year 9999 leave it open."""

    start: DayOrMoment | None = None
    end: DayOrMoment | None = None

    def bounds(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """The moment that it begins with and the first one behind it; None where it is open.

        Raises:
            InvalidInput: it ends before it begins.
        """
        since = _start_of(self.start, zone) if self.start and self.start.year > _FIRST_YEAR else None
        before = _end_of(self.end, zone) if self.end and self.end.year < _LAST_YEAR else None
        if since and before and since >= before:
            raise InvalidInput("The date range ends before it begins.", code="reversed_date_range")
        return since, before


def _start_of(day_or_moment: date, zone: ZoneInfo) -> datetime:
    if isinstance(day_or_moment, datetime):
        return clock.to_utc(day_or_moment, zone)
    return clock.to_utc(datetime.combine(day_or_moment, datetime.min.time()), zone)


def _end_of(day_or_moment: date, zone: ZoneInfo) -> datetime:
    """The first moment after it: the next midnight after a day."""
    if isinstance(day_or_moment, datetime):
        return clock.to_utc(day_or_moment, zone) + timedelta(microseconds=1)
    return _start_of(day_or_moment + timedelta(days=1), zone)

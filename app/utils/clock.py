"""Moments are timezone-aware UTC inside; a moment that came without a zone is the hotel's local time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.errors import InvalidInput

# A moment closer to the calendar's ends would leave it when it is shown in another zone.
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def to_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    """``moment`` in UTC; without a zone of its own it is read in ``zone``.

    Raises:
        InvalidInput: it lies within a day of the calendar's ends, the years 1 and 9999, or beyond them.
    """
    try:
        utc = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise _out_of_range() from error
    if not _FIRST <= utc <= _LAST:
        raise _out_of_range()
    return utc


def _out_of_range() -> InvalidInput:
    return InvalidInput("That moment is out of range; send one of this century.", code="invalid_moment")


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, as the spec writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._started_at_s = time.perf_counter()

    @property
    def elapsed_ms(self) -> int:
        """Whole milliseconds until now."""
        return round((time.perf_counter() - self._started_at_s) * 1000)

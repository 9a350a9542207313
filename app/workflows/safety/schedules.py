"""When a rule is in force: weekly windows in a place's own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Window:
    """From ``begins`` to ``ends`` by the clock on the wall, beginning on each of ``days`` (0 is Monday).

    A window that ends at or before its beginning runs past midnight, into a day that need not be listed; one that
    ends when it begins lasts a whole day.
    """

    days: frozenset[int]
    begins: time
    ends: time

    def holds(self, local: datetime) -> bool:
        """Whether the wall clock shows a time inside."""
        clock = local.time()
        if self.begins < self.ends:
            return local.weekday() in self.days and self.begins <= clock < self.ends
        yesterday = (local - timedelta(days=1)).weekday()
        return (local.weekday() in self.days and clock >= self.begins) or (yesterday in self.days and clock < self.ends)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows in one time zone; none means always."""

    windows: tuple[Window, ...]
    zone: ZoneInfo

    def in_force(self, moment: datetime) -> bool:
        """Whether the schedule holds at ``moment``, which must be timezone-aware."""
        return not self.windows or any(window.holds(moment.astimezone(self.zone)) for window in self.windows)


def weekdays(names: Sequence[str]) -> frozenset[int]:
    """Numbers of weekdays by their names; every day where none is named."""
    return frozenset(WEEKDAYS.index(name) for name in names) or frozenset(range(len(WEEKDAYS)))

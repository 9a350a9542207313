"""From verdicts on single frames to incidents: k of n frames begin one, quiet ends it, a cooldown bounds alerts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_high, median_low

_SPREAD_S = 60.0
_MOST_EXTENTS = 300
# Held still, one frame of smoke says up to a tenth more or less of the frame than the next.
_LEAST_SPREAD, _LEAST_FACTOR = 0.15, 1.5


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How sure the camera worker has to be.

    Args:
        needed: frames that must show the anomaly …
        window: … among so many of the latest judged ones.
        window_s: frames older than this do not count, however few there are.
        quiet_s: an incident without a positive frame for this long is over.
    """

    needed: int
    window: int
    window_s: float = 30.0
    quiet_s: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= self.window:
            raise ValueError("needed must lie between 1 and window")


class Turn(StrEnum):
    """What one more frame means for the incident."""

    NONE = "none"
    BEGINS = "begins"
    GOES_ON = "goes_on"
    ENDS = "ends"


class Judge:
    """Judges one kind of anomaly at one camera. Times are seconds of a monotonic clock.

    Args:
        rule: how sure to be.
    """

    def __init__(self, rule: Confirmation) -> None:
        self._rule = rule
        self._verdicts: deque[tuple[float, bool]] = deque(maxlen=rule.window)
        self._last_positive_s: float | None = None
        self._in_incident = False

    @property
    def is_suspicious(self) -> bool:
        """Whether the next frame matters even if nothing moves: an incident goes on, or one may be beginning."""
        return self._in_incident or any(positive for _, positive in self._verdicts)

    def see(self, positive: bool, now_s: float) -> Turn:
        """Take in the verdict on one frame."""
        self._verdicts.append((now_s, positive))
        if positive:
            self._last_positive_s = now_s
        self._forget_old(now_s)
        if self._in_incident:
            return self._go_on(positive, now_s)
        if positive and sum(p for _, p in self._verdicts) >= self._rule.needed:
            self._in_incident = True
            return Turn.BEGINS
        return Turn.NONE

    def pass_time(self, now_s: float) -> Turn:
        """Without a verdict, as while nobody looks for the anomaly: end an incident whose time is over."""
        self._forget_old(now_s)
        return self._go_on(False, now_s) if self._in_incident else Turn.NONE

    def _forget_old(self, now_s: float) -> None:
        while self._verdicts and now_s - self._verdicts[0][0] > self._rule.window_s:
            self._verdicts.popleft()

    def _go_on(self, positive: bool, now_s: float) -> Turn:
        if positive:
            return Turn.GOES_ON
        if self._last_positive_s is None or now_s - self._last_positive_s <= self._rule.quiet_s:
            return Turn.NONE
        self._in_incident = False
        self._verdicts.clear()
        return Turn.ENDS


class Spread:
    """Whether a hazard covers more and more of one camera's frame. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._extents: deque[tuple[float, float]] = deque(maxlen=_MOST_EXTENTS)

    def see(self, extent: float, now_s: float) -> bool:
        """Take in a frame that shows it: whether the last third of a minute's frames shows far more than the first.

        Args:
            extent: share of the frame that looks like it.
        """
        self._extents.append((now_s, extent))
        while now_s - self._extents[0][0] > _SPREAD_S:
            self._extents.popleft()
        third = len(self._extents) // 3
        if not third:
            return False
        extents = [extent for _, extent in self._extents]
        first, last = median_high(extents[:third]), median_low(extents[-third:])
        return last >= max(first + _LEAST_SPREAD, first * _LEAST_FACTOR)

"""Shares of trials with their intervals, and the table they are shown in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened in ``n`` trials.

    Attributes:
        name: what happened, with threshold and conditions.
        count: how often.
        n: trials; taken as independent, which makes the interval a little narrow where one person gives several.
        target: what the share must reach, or must not pass; None where nothing is asked.
        better: whether ``target`` is a lower or an upper bound.
        drawn_interval: at 95 %, by drawing people again, where the trials are pairs of few people; None for Wilson's.
    """

    name: str
    count: int
    n: int
    target: float | None = None
    better: Literal["higher", "lower"] = "higher"
    drawn_interval: tuple[float, float] | None = None

    @property
    def value(self) -> float:
        return self.count / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """At 95 %: Wilson's where no other was drawn."""
        if self.drawn_interval is not None:
            return self.drawn_interval
        if not self.n:
            return 0.0, 1.0
        z, n, p = 1.96, self.n, self.value
        centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))

    @property
    def passed(self) -> bool:
        if self.target is None:
            return True
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


def as_table(shares: Sequence[Share]) -> str:
    """A Markdown table."""
    lines = ["| measure | share | 95 % interval | n | asked |", "|---|---|---|---|---|"]
    for share in shares:
        low, high = share.interval
        asked = ""
        if share.target is not None:
            sign = "≥" if share.better == "higher" else "≤"
            asked = f"{sign} {share.target:.1%} {'✓' if share.passed else '✗'}"
        lines.append(f"| {share.name} | {share.value:.2%} | {low:.2%} – {high:.2%} | {share.n} | {asked} |")
    return "\n".join(lines)


def as_json(shares: Sequence[Share]) -> list[Mapping[str, object]]:
    """Plain values, one mapping a share."""
    return [
        {
            "name": share.name,
            "value": share.value,
            "count": share.count,
            "n": share.n,
            "interval": list(share.interval),
            "target": share.target,
            "passed": share.passed,
        }
        for share in shares
    ]

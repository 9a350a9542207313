"""The campaign's table: printed, and put into a document where CV_FAULTS_REPORT names one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmark import machine
from tests.written_tables import put

_FINE = ("200", "429", "503", "504", "no answer", "not sent")


@dataclass
class Result:
    """What one fault did."""

    name: str
    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    writes: int = 0
    stale: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    events_lost: list[str] = field(default_factory=list)
    events_doubled: list[tuple[str, str]] = field(default_factory=list)
    events_repeated: int = 0
    health: str = ""
    told_after_s: float | None = None
    recovery_s: float = 0.0

    @property
    def requests(self) -> int:
        """How many were sent."""
        return sum(n for outcome, n in self.answers.items() if outcome != "not sent")

    def row(self) -> str:
        """The line of the table."""
        refused = sum(self.answers.get(status, 0) for status in ("503", "504", "429"))
        other = sum(n for outcome, n in self.answers.items() if outcome not in _FINE)
        told = "true" if not self.health else f"UNTRUE: {self.health}"
        if self.told_after_s is not None:
            told += f", named after {self.told_after_s:.1f} s"
        events = f"{len(self.events_lost)} / {len(self.events_doubled)} / {self.events_repeated}"
        cells = [
            self.name,
            f"{self.requests} ({self.requests / self.seconds:.0f}/s)",
            str(refused),
            str(other),
            f"{self.writes} / {len(self.lost)}",
            events,
            told,
            f"{self.recovery_s:.1f} s",
        ]
        return f"| {' | '.join(cells)} |"


class Report:
    """Collects results."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def add(self, result: Result) -> None:
        """Take a result in, and write the document again: a campaign that is cut short leaves what it found."""
        self._results.append(result)
        if name := os.environ.get("CV_FAULTS_REPORT"):
            put(Path(name), "make test-faults", self.text())

    def text(self) -> str:
        """The table with what was measured on."""
        longest = max((result.recovery_s for result in self._results), default=0.0)
        requests = sum(result.requests for result in self._results)
        return "\n".join(
            [
                f"{machine()}; n = {requests} requests; longest recovery {longest:.1f} s.",
                "",
                "| fault | requests | 503, 504, 429 | other errors | writes acknowledged / lost "
                "| events lost / doubled / repeated | /health | recovery |",
                "|---|---|---|---|---|---|---|---|",
                *(result.row() for result in self._results),
                "",
            ]
        )

"""Lines across a camera's picture, and who crosses them in which direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from app.errors import InvalidInput
from app.types import Severity
from app.workflows.safety.zones import Point, segments_touch, turn

_MIN_LENGTH = 0.02  # of the picture; shorter is a slip of the mouse
# Nearer to the line than this, nobody is on either side: boxes tremble, and somebody may stand on it.
_HAIR = 0.01


class Direction(StrEnum):
    """``IN``: from the left of the arrow that leads from the line's first point to its second, as seen on the
    picture, to its right. Along a line drawn from left to right that is downwards, towards the camera."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class CrossingLine:
    """A named line. Build one with ``make_line``.

    Attributes:
        alerts: the directions that raise an alarm.
        severity: of that alarm.
    """

    name: str
    begins: Point
    ends: Point
    alerts: frozenset[Direction] = frozenset()
    severity: Severity = Severity.MEDIUM

    def side_of(self, point: Point) -> int:
        """1 to the right of the arrow, -1 to its left, 0 on it."""
        distance = turn(self.begins, self.ends, point) / _length(self.begins, self.ends)
        return 0 if abs(distance) < _HAIR else (1 if distance > 0 else -1)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody crossed a line."""

    line: CrossingLine
    track_id: int
    direction: Direction


class LineWatch:
    """Follows points from frame to frame; a crossing is seen when somebody has arrived on the other side."""

    def __init__(self, lines: Sequence[CrossingLine]) -> None:
        self._lines = lines
        self._last_sides: dict[tuple[int, str], tuple[int, Point]] = {}

    def see(self, points: Mapping[int, Point], alive: Set[int]) -> list[Crossing]:
        """Take in where each track is now, by its number.

        Args:
            alive: tracks that may still go on; what is known of others is forgotten.
        """
        self._last_sides = {key: last for key, last in self._last_sides.items() if key[0] in alive}
        found = []
        for track_id, point in points.items():
            for line in self._lines:
                side = line.side_of(point)
                if side == 0:
                    continue
                last_side, last_point = self._last_sides.get((track_id, line.name), (side, point))
                self._last_sides[track_id, line.name] = side, point
                if side != last_side and segments_touch((last_point, point), (line.begins, line.ends)):
                    found.append(Crossing(line, track_id, Direction.IN if side > 0 else Direction.OUT))
        return found


def make_line(
    name: str,
    points: tuple[Point, Point],
    *,
    alerts: frozenset[Direction] = frozenset(),
    severity: Severity = Severity.MEDIUM,
) -> CrossingLine:
    """A checked line.

    Raises:
        InvalidInput: outside the picture, or without length.
    """
    begins, ends = points
    if not all(0 <= value <= 1 for value in (*begins, *ends)):
        raise InvalidInput(
            f"Line {name} reaches outside the picture; give x and y as fractions from 0 to 1.",
            code="invalid_line",
        )
    if _length(begins, ends) < _MIN_LENGTH:
        raise InvalidInput(f"Line {name} has no length.", code="invalid_line")
    return CrossingLine(name, begins, ends, alerts, severity)


def _length(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)

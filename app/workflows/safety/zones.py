"""Zones: polygons on a camera's picture, in fractions of its width and height, so that they outlive a change of
resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.errors import InvalidInput
from app.types import Box, Severity

Point: TypeAlias = tuple[float, float]
"""x and y from 0 to 1, the origin at the top left."""

_MIN_AREA = 1e-4  # of the picture; smaller is a slip of the mouse


@dataclass(frozen=True, slots=True)
class Zone:
    """A named polygon. Build one with ``make_zone``. ``severity``: of alarms there, instead of each type's own."""

    name: str
    points: tuple[Point, ...]
    severity: Severity | None = None

    def contains(self, point: Point) -> bool:
        """Whether ``point`` lies inside, by the number of edges to its right."""
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in _edges(self.points):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside


def make_zone(name: str, points: Sequence[Point], *, severity: Severity | None = None) -> Zone:
    """A checked zone.

    Raises:
        InvalidInput: fewer than three points, outside the picture, crossing itself, or without area.
    """
    corners = tuple(points)
    if len(corners) < 3:
        raise InvalidInput(f"Zone {name} needs at least three points.", code="invalid_zone")
    if not all(0 <= x <= 1 and 0 <= y <= 1 for x, y in corners):
        raise InvalidInput(
            f"Zone {name} reaches outside the picture; give x and y as fractions from 0 to 1.", code="invalid_zone"
        )
    if _crosses_itself(corners):
        raise InvalidInput(f"Zone {name} crosses itself; give its corners in order.", code="invalid_zone")
    if abs(_area(corners)) < _MIN_AREA:
        raise InvalidInput(f"Zone {name} has no area.", code="invalid_zone")
    return Zone(name, corners, severity)


def foot_point(box: Box, *, width: int, height: int) -> Point:
    """Where a person stands: the middle of the box's lower edge, in fractions of the picture.

    Kept a hair inside the picture, because a person cut off by its lower edge stands in the zone that ends there.
    """
    x = (box.x1 + box.x2) / 2 / width
    y = box.y2 / height
    return min(max(x, 0.0), 1 - 1e-6), min(max(y, 0.0), 1 - 1e-6)


def centre_point(box: Box, *, width: int, height: int) -> Point:
    """The middle of a box, in fractions of the picture."""
    return (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height


def zone_of(point: Point, zones: Sequence[Zone]) -> Zone | None:
    """The first zone that holds ``point``."""
    return next((zone for zone in zones if zone.contains(point)), None)


def _edges(corners: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(corners, (*corners[1:], corners[0]), strict=True))


def _area(corners: Sequence[Point]) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in _edges(corners)) / 2


def _crosses_itself(corners: Sequence[Point]) -> bool:
    if len(set(corners)) < len(corners):
        return True
    edges = _edges(corners)
    for i, first in enumerate(edges):
        for j in range(i + 1, len(edges)):
            neighbours = j == i + 1 or (i == 0 and j == len(edges) - 1)
            if _overlap_backwards(first, edges[j]) if neighbours else segments_touch(first, edges[j]):
                return True
    return False


def turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where ``c`` lies to the right of the arrow from ``a`` to ``b``, as seen on the picture; below 0 to its
    left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: Point, b: Point, c: Point) -> bool:
    """Whether ``c``, on the line through ``a`` and ``b``, lies on the segment."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def segments_touch(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Whether two segments share a point."""
    (a, b), (c, d) = first, second
    abc, abd, cda, cdb = turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)
    if abc * abd < 0 and cda * cdb < 0:
        return True
    return (
        (abc == 0 and _between(a, b, c))
        or (abd == 0 and _between(a, b, d))
        or (cda == 0 and _between(c, d, a))
        or (cdb == 0 and _between(c, d, b))
    )


def _overlap_backwards(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Whether two edges that share a corner also share more than it: one runs back over the other."""
    shared = first[1] if first[1] in second else first[0]
    a = first[0] if first[1] == shared else first[1]
    b = second[0] if second[1] == shared else second[1]
    ahead = (a[0] - shared[0]) * (b[0] - shared[0]) + (a[1] - shared[1]) * (b[1] - shared[1])
    return turn(shared, a, b) == 0 and ahead > 0

"""From text lines to rows and columns, by geometry alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.types import FloatArray, TextLine

_MAX_SKEW_RAD = 0.6
_LONG_LINE = 4.0
_MIN_LONG_LINES = 8
_MAX_SLOPE_SPREAD = 0.06
"""Lines that differ more from the median slope are misdetected, or no part of the page."""

_SAME_ROW = 0.55
"""Two cells share a row when their centres lie within this many text heights, measured along the row's slope."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text line in page coordinates that were turned until the text runs level. ``score`` is 0 to 1."""

    text: str
    score: float
    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def x_centre(self) -> float:
        return (self.x1 + self.x2) / 2

    @property
    def y_centre(self) -> float:
        return (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True)
class Row:
    """Cells that stand side by side, left to right."""

    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)

    @property
    def y_centre(self) -> float:
        return float(np.mean([cell.y_centre for cell in self.cells]))

    @property
    def height(self) -> float:
        return float(np.median([cell.height for cell in self.cells]))

    @property
    def x1(self) -> float:
        return self.cells[0].x1

    @property
    def x2(self) -> float:
        return max(cell.x2 for cell in self.cells)

    @property
    def score(self) -> float:
        return min(cell.score for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page, top to bottom. ``width`` and ``height`` are px of the turned text's extent."""

    rows: tuple[Row, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for row in self.rows for cell in row.cells)

    @property
    def text(self) -> str:
        return "\n".join(row.text for row in self.rows)

    @property
    def text_height(self) -> float:
        """The median height of a text line in px; 1 for an empty page."""
        heights = [cell.height for cell in self.cells]
        return float(np.median(heights)) if heights else 1.0


def arrange(lines: Sequence[TextLine]) -> Page:
    """Group ``lines`` into rows; a page photographed at a slant is levelled first."""
    lines = [line for line in lines if line.text.strip()]
    if not lines:
        return Page(())
    turned = _turned_level(lines)
    slopes = [_NO_SLOPES, _slopes(turned)]
    # Perspective bends rows one way, curled paper another; the correction that splits fewer rows is the right one.
    pages = [Page(tuple(_rows(_cells(lines, turned, slope)))) for slope in slopes]
    return min(pages, key=lambda page: len(page.rows))


def skew_rad(lines: Sequence[TextLine]) -> float:
    """The angle of the text's baseline in radians, clockwise positive; long lines count more."""
    angles, weights = [], []
    for line in lines:
        along = (line.polygon[1] - line.polygon[0]) + (line.polygon[2] - line.polygon[3])
        length = float(np.hypot(*along)) / 2
        if length > 2 * _line_height(line.polygon):
            angles.append(float(np.arctan2(along[1], along[0])))
            weights.append(length)
    if not angles:
        return 0.0
    order = np.argsort(angles)
    cumulated = np.cumsum(np.asarray(weights)[order])
    median = angles[int(order[int(np.searchsorted(cumulated, cumulated[-1] / 2))])]
    return median if abs(median) < _MAX_SKEW_RAD else 0.0


def _line_height(polygon: FloatArray) -> float:
    return float(np.hypot(*(polygon[3] - polygon[0])) + np.hypot(*(polygon[2] - polygon[1]))) / 2


@dataclass(frozen=True, slots=True)
class _Slopes:
    """Of baselines: ``at_mean`` at the height ``mean_y``, and how it grows with y."""

    at_mean: float
    growth: float
    mean_y: float


_NO_SLOPES = _Slopes(0.0, 0.0, 0.0)


def _turned_level(lines: Sequence[TextLine]) -> list[FloatArray]:
    angle = skew_rad(lines)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [np.asarray(line.polygon @ turn.T, np.float32) for line in lines]


def _cells(lines: Sequence[TextLine], turned: Sequence[FloatArray], slopes: _Slopes) -> list[Cell]:
    """The cells of level polygons, each moved up or down by the slope between it and the page's middle."""
    middle_x = float(np.mean([corners[:, 0].mean() for corners in turned]))
    cells = []
    for line, corners in zip(lines, turned, strict=True):
        x, y = (float(value) for value in corners.mean(axis=0))
        y -= (slopes.at_mean + slopes.growth * (y - slopes.mean_y)) * (x - middle_x)
        half = _line_height(line.polygon) / 2
        x1, x2 = float(corners[:, 0].min()), float(corners[:, 0].max())
        # A slanted line's bounding box is taller than its text; the height comes from the polygon's sides.
        cells.append(Cell(line.text.strip(), line.score, x1, y - half, x2, y + half))
    return cells


def _slopes(polygons: Sequence[FloatArray]) -> _Slopes:
    """The slopes of the longer lines by least squares, as perspective leaves them; none where too few lines tell."""
    long = [p for p in polygons if np.linalg.norm(p[1] - p[0]) > _LONG_LINE * _line_height(p)]
    if len(long) < _MIN_LONG_LINES:
        return _NO_SLOPES
    along = np.array([(p[1] - p[0] + p[2] - p[3]) / 2 for p in long])
    ys = np.array([float(p[:, 1].mean()) for p in long])
    slopes, weights = along[:, 1] / along[:, 0], np.abs(along[:, 0])
    near = np.abs(slopes - np.median(slopes)) < _MAX_SLOPE_SPREAD
    mean = float(np.average(ys[near], weights=weights[near]))
    growth, slope = np.polyfit(ys[near] - mean, slopes[near], 1, w=np.sqrt(weights[near]))
    return _Slopes(float(slope), float(growth), mean)


@dataclass(slots=True)
class _OpenRow:
    cells: list[Cell] = field(default_factory=list)

    def distance(self, cell: Cell) -> float | None:
        """How far ``cell`` lies from the row's course, in text heights; None when it would overlap a cell sideways."""
        last = max(self.cells, key=lambda other: other.x2)
        if any(
            min(cell.x2, other.x2) - max(cell.x1, other.x1) > 0.3 * min(cell.width, other.width) for other in self.cells
        ):
            return None
        height = min(max(cell.height, 1.0), max(last.height, 1.0))
        return abs(cell.y_centre - last.y_centre) / height


def _rows(cells: Sequence[Cell]) -> list[Row]:
    """Cells are taken left to right; each joins the row whose rightmost cell lies level with it, so that a row may
    bend with the paper."""
    rows: list[_OpenRow] = []
    for cell in sorted(cells, key=lambda item: item.x1):
        measured = [(row.distance(cell), row) for row in rows]
        near = [(distance, index) for index, (distance, _) in enumerate(measured) if distance is not None]
        best = min(near, default=None)
        if best is not None and best[0] <= _SAME_ROW:
            rows[best[1]].cells.append(cell)
        else:
            rows.append(_OpenRow([cell]))
    finished = [Row(tuple(sorted(row.cells, key=lambda cell: cell.x1))) for row in rows]
    return sorted(finished, key=lambda row: row.cells[0].y_centre)

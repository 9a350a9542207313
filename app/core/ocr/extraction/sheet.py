"""A page as candidates see it: cells with the labels in them, and what stands left of and above a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.core.ocr.extraction.labels import Label, find_labels
from app.core.ocr.layout import Cell, Page, Row

_COLUMN_ROWS = 45
"""How far up a column's head is looked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Part of a cell: ``text[start:end]``, and where it lies."""

    text: str
    row: int
    cell: int
    start: int
    end: int
    x1: float
    x2: float
    y: float
    height: float
    score: float


class Sheet:
    """``page`` with its labels; what is asked often is computed once."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows: Sequence[Row] = page.rows
        self.labels: list[list[tuple[Label, ...]]] = [
            [find_labels(cell.text[:200]) for cell in row.cells] for row in page.rows
        ]

    @cached_property
    def left(self) -> float:
        return min((cell.x1 for cell in self.page.cells), default=0.0)

    @cached_property
    def right(self) -> float:
        return max((cell.x2 for cell in self.page.cells), default=1.0)

    @cached_property
    def top(self) -> float:
        return min((cell.y1 for cell in self.page.cells), default=0.0)

    @cached_property
    def bottom(self) -> float:
        return max((cell.y2 for cell in self.page.cells), default=1.0)

    @cached_property
    def text_height(self) -> float:
        return self.page.text_height

    def place(self, row: int, cell: int, start: int, end: int) -> Place:
        """Some characters of a cell, taken as equally wide."""
        whole = self.rows[row].cells[cell]
        step = whole.width / max(len(whole.text), 1)
        return Place(
            whole.text[start:end], row, cell, start, end,
            whole.x1 + step * start, whole.x1 + step * end, whole.y_centre, whole.height, whole.score,
        )  # fmt: skip

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        for row_index, row in enumerate(self.rows):
            for cell_index, cell in enumerate(row.cells):
                yield row_index, cell_index, cell

    def labels_left(self, place: Place) -> list[tuple[Label, float]]:
        """Labels before ``place`` in its row, nearest first, with their distance in text heights; those of a cell
        that another value stands in count as farther."""
        found: list[tuple[Label, float]] = []
        for cell_index in range(place.cell, -1, -1):
            cell = self.rows[place.row].cells[cell_index]
            step = cell.width / max(len(cell.text), 1)
            for label in reversed(self.labels[place.row][cell_index]):
                if cell_index == place.cell and label.start >= place.start:
                    continue
                end = min(label.end, place.start) if cell_index == place.cell else label.end
                found.append((label, max(place.x1 - (cell.x1 + step * end), 0.0) / self.text_height))
        return found

    def labels_above(self, place: Place) -> tuple[list[Label], list[Label]]:
        """``(labels right above, labels of the column's nearest cell that has some)``."""
        near: list[Label] = []
        column: list[Label] = []
        for row_index in range(place.row - 1, max(place.row - _COLUMN_ROWS, -1), -1):
            for cell_index, cell in enumerate(self.rows[row_index].cells):
                if min(cell.x2, place.x2) - max(cell.x1, place.x1) < 0.3 * min(cell.width, place.x2 - place.x1):
                    continue
                labels = list(self.labels[row_index][cell_index])
                if not labels:
                    continue
                if not near and place.y - cell.y_centre < 2.6 * max(place.height, self.text_height):
                    near = labels
                if not column:
                    column = labels
            if column:
                break
        return near, column

    @cached_property
    def below(self) -> dict[tuple[int, int], tuple[int, int]]:
        """By ``(row, cell)`` the line right below it, flush or centred with it, in type of about its size."""
        found = {}
        for row, cell, upper in self.cells():
            lower = self._line_below(row, upper)
            if lower is not None:
                found[row, cell] = lower
        return found

    @cached_property
    def above(self) -> dict[tuple[int, int], tuple[int, int]]:
        """``below`` the other way round."""
        return {lower: upper for upper, lower in self.below.items()}

    def _line_below(self, row: int, upper: Cell) -> tuple[int, int] | None:
        for index in range(row + 1, min(row + 3, len(self.rows))):
            for cell, other in enumerate(self.rows[index].cells):
                gap = (other.y_centre - upper.y_centre) / upper.height
                aligned = min(abs(other.x_centre - upper.x_centre), abs(other.x1 - upper.x1)) < 1.2 * upper.height
                alike = 0.4 < other.height / max(upper.height, 1.0) < 2.5
                letters = sum(character.isalpha() for character in other.text)
                if 0.5 < gap < 2.0 and aligned and alike and letters >= 2:
                    return index, cell
        return None

    def row_letters(self, row: int) -> int:
        return sum(character.isalpha() for character in self.rows[row].text)

"""Values beside or below their labels, as identity papers print them in two languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.ocr.label_spans import FIELD_CODE, LabelSet, Span, find_spans
from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.text import fold

_DATED = re.compile(r"ngay.{0,12}\d.{0,16}thang")
"""Place and day of issue, which follow an address without a label."""

_DATE_THEN_TEXT = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\s+(\D.*)")

_SECOND_LANGUAGE = re.compile(r"\s*/\s?(?=[^:/]*[^\W\d_])(?![A-ZĐÀ-Ỹ ]+$)[^:/\d]{2,28}(?:[:.]|$)")
"""The English of a label, too badly read to be known as such: ``Họ tên / Púi name``. Values are in capitals there."""

_TIE_BREAK = 0.05

_OF_DIGITS = frozenset({"date_of_birth", "issue_date", "expiry_date", "document_number", "passport_number"})
"""Fields whose values hold digits: what has none belongs to another label."""


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """``text`` may be empty; ``score`` is the reading's, 0 to 1. ``row`` is the label's row in the page."""

    text: str
    score: float
    row: int


def find_values(page: Page, labels: LabelSet, *, multiline: frozenset[str]) -> dict[str, LabelledValue]:
    """The value of each field of ``labels`` that the page prints.

    Args:
        multiline: fields whose values may go on in the lines below.
    """
    spans = find_spans(page, labels)
    found: dict[str, tuple[float, LabelledValue]] = {}
    for row_index, row in enumerate(page.rows):
        for cell_index, cell in enumerate(row.cells):
            for span_index, span in enumerate(spans[row_index][cell_index]):
                following = spans[row_index][cell_index][span_index + 1 :]
                end = following[0].start if following else len(cell.text)
                rest = cell.text[span.end : end]
                if following and labels.in_capitals:
                    rest = FIELD_CODE.sub("", rest.rstrip())
                value = _value(page, spans, row_index, cell_index, rest, last=not following)
                # A label of another column of the cell, or of papers that print values under their labels.
                is_header = (span_index > 0 or labels.in_capitals) and not _stripped(rest)
                if is_header or not _is_of_kind(span.field, value.text):
                    under = _under(page, spans, row_index, cell, span)
                    value = under if under and _is_of_kind(span.field, under.text) else value
                if span.field in multiline and not following:
                    value = _continued(page, spans, row_index, cell, value)
                # Of two labels of one field the longer is likelier to be one.
                rank = span.similarity + _TIE_BREAK * (span.end - span.start)
                rank += 5.0 if _is_of_kind(span.field, value.text) else 0.0
                if span.field not in found or rank > found[span.field][0]:
                    found[span.field] = (rank, value)
    return {field: value for field, (_, value) in found.items()}


def _is_of_kind(field: str, text: str) -> bool:
    return bool(text) and (field not in _OF_DIGITS or any(character.isdigit() for character in text))


def _value(
    page: Page, spans: list[list[list[Span]]], row_index: int, cell_index: int, rest: str, *, last: bool
) -> LabelledValue:
    """What follows the label in its cell, else the next cell of the row, else the cell below."""
    cell = page.rows[row_index].cells[cell_index]
    second = _SECOND_LANGUAGE.match(rest)
    text = _stripped(rest[second.end() :] if second else rest)
    if len(re.sub(r"\W", "", text)) >= 1 or not last:
        return LabelledValue(text, cell.score, row_index)
    other = _beside(page, spans, row_index, cell) or _below(page, spans, row_index, cell)
    if other is None and second:
        return LabelledValue(_stripped(rest), cell.score, row_index)
    return LabelledValue(_stripped(other.text), other.score, row_index) if other else LabelledValue("", 0.0, row_index)


def _beside(page: Page, spans: list[list[list[Span]]], row_index: int, cell: Cell) -> Cell | None:
    """The nearest cell without a label to the right, level with the label or half a line off."""
    near = [
        other
        for index in range(max(row_index - 1, 0), min(row_index + 2, len(page.rows)))
        for position, other in enumerate(page.rows[index].cells)
        if not spans[index][position]
        and -0.5 * cell.height < other.x1 - cell.x2 < 8 * cell.height
        and abs(other.y_centre - cell.y_centre) < 0.9 * max(cell.height, other.height)
    ]
    return min(near, key=lambda other: other.x1, default=None)


def _below(page: Page, spans: list[list[list[Span]]], row_index: int, cell: Cell) -> Cell | None:
    """The cell without a label that begins under the label, at most two and a half lines down."""
    for other_index in range(row_index + 1, min(row_index + 4, len(page.rows))):
        row = page.rows[other_index]
        for index, other in enumerate(row.cells):
            close = 0.3 * cell.height < other.y_centre - cell.y_centre < 3.2 * max(cell.height, other.height)
            under = abs(other.x1 - cell.x1) < 3.0 * other.height
            if close and under and not spans[other_index][index]:
                return other
    return None


def _under(page: Page, spans: list[list[list[Span]]], row_index: int, cell: Cell, span: Span) -> LabelledValue | None:
    """The value under one of several labels that share a cell, by where the label begins in it."""
    x1 = cell.x1 + cell.width * span.start / max(len(cell.text), 1)
    below = _below(page, spans, row_index, replace(cell, x1=x1))
    return LabelledValue(_stripped(below.text), below.score, row_index) if below else None


def _continued(
    page: Page, spans: list[list[list[Span]]], row_index: int, label: Cell, value: LabelledValue
) -> LabelledValue:
    """The value with the lines that follow it, down to the next label or a gap."""
    parts, score = [value.text] if value.text else [], value.score
    previous_y, height = label.y_centre, label.height
    for index in range(row_index + 1, min(row_index + 5, len(page.rows))):
        cells = _continuation_cells(page.rows[index], spans[index], label)
        if not cells or cells[0].y_centre - previous_y > 2.4 * max(height, cells[0].height):
            break
        if _DATED.search(fold(page.rows[index].text)):
            break
        text = " ".join(cell.text for cell in cells)
        if text != value.text:
            parts.append(text)
            score = min([score, *(cell.score for cell in cells)]) if parts[:-1] else cells[0].score
        previous_y, height = cells[0].y_centre, cells[0].height
        if any(spans[index]):
            break
    return LabelledValue(_stripped(" ".join(parts)), score, value.row)


def _continuation_cells(row: Row, spans: Sequence[Sequence[Span]], label: Cell) -> list[Cell]:
    """The cells right of the label's beginning, up to the first one with a label of its own."""
    cells: list[Cell] = []
    for cell, own in zip(row.cells, spans, strict=True):
        if cell.x1 < label.x1 - 2.0 * label.height:
            # On citizen cards the expiry stands left of the address, and detectors join the two.
            joined = _DATE_THEN_TEXT.match(cell.text)
            if joined and cell.x2 > label.x1 + 2.0 * label.height:
                cells.append(replace(cell, text=joined[1], x1=label.x1))
            continue
        if own:
            break
        cells.append(cell)
    return cells


def _stripped(text: str) -> str:
    return re.sub(r"^[\W_]+", "", text).strip(" .:;|/-_")

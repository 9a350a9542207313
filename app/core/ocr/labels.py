"""Values beside or below their labels, as identity papers print them in two languages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.text import find_label, fold

_NEAR_CHARACTERS = 8
"""A label's two languages stand this close together."""

_LOOSE_LETTERS = 2

_DATED = re.compile(r"ngay.{0,12}\d.{0,16}thang")
"""Place and day of issue, which follow an address without a label."""

_DATE_THEN_TEXT = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\s+(\D.*)")

_SECOND_LANGUAGE = re.compile(r"\s*/\s?(?=[^:/]*[^\W\d_])(?![A-ZĐÀ-Ỹ ]+$)[^:/\d]{2,28}(?:[:.]|$)")
"""The English of a label, too badly read to be known as such: ``Họ tên / Púi name``. Values are in capitals there."""

_MIN_SIMILARITY = 83.0


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """``text`` may be empty; ``score`` is the reading's, 0 to 1. ``row`` is the label's row in the page."""

    text: str
    score: float
    row: int


@dataclass(frozen=True, slots=True)
class _Span:
    field: str
    start: int
    end: int
    similarity: float


def find_values(
    page: Page, labels: Mapping[str, Sequence[str]], *, multiline: frozenset[str]
) -> dict[str, LabelledValue]:
    """The value of each field of ``labels`` that the page prints.

    Args:
        labels: folded labels by field, of either language.
        multiline: fields whose values may go on in the lines below.
    """
    spans = [[_spans(cell.text, labels) for cell in row.cells] for row in page.rows]
    found: dict[str, tuple[float, LabelledValue]] = {}
    for row_index, row in enumerate(page.rows):
        for cell_index, cell in enumerate(row.cells):
            for span_index, span in enumerate(spans[row_index][cell_index]):
                following = spans[row_index][cell_index][span_index + 1 :]
                end = following[0].start if following else len(cell.text)
                value = _value(page, spans, row_index, cell_index, cell.text[span.end : end], last=not following)
                if span.field in multiline and not following:
                    value = _continued(page, spans, row_index, cell, value)
                rank = span.similarity + (5.0 if value.text else 0.0)
                if span.field not in found or rank > found[span.field][0]:
                    found[span.field] = (rank, value)
    return {field: value for field, (_, value) in found.items()}


def _spans(text: str, labels: Mapping[str, Sequence[str]]) -> list[_Span]:
    """Where labels stand in a cell, left to right; the two languages of one field become one span."""
    plain = re.sub(r"[^\w]", " ", fold(text))
    found = [
        _Span(field, start, end, similarity)
        for field, names in labels.items()
        for name in names
        for start, end, similarity in _places(plain, name)
        # Labels are set in small letters, the names that resemble them in capitals: Nguyên quán, NGUYỄN TUẤN.
        if not text[start:end].isupper() and _stands_as_label(text, start, end)
    ]
    return _without_overlaps(_joined(found))


def _places(plain: str, name: str) -> list[tuple[int, int, float]]:
    """``(start, end, similarity)`` of each place where one label may stand, left to right."""
    places: list[tuple[int, int, float]] = []
    offset = 0
    while match := find_label(plain[offset:], (name,), min_similarity=_MIN_SIMILARITY):
        start, end = _whole_words(plain, offset + match.start, offset + match.end)
        places.append((start, end, match.similarity))
        offset = max(end, offset + match.end)
    return places


def _whole_words(plain: str, start: int, end: int) -> tuple[int, int]:
    """The span with the letter or two at its ends that were misread, and so left out of the match."""
    first = plain.rfind(" ", 0, start + 1) + 1
    last = plain.find(" ", end - 1)
    last = len(plain) if last < 0 else last
    return first if start - first <= _LOOSE_LETTERS else start, last if 0 <= last - end <= _LOOSE_LETTERS else end


def _stands_as_label(text: str, start: int, end: int) -> bool:
    """At the beginning, or with the marks of a label: a slash beside it or a colon behind it."""
    before, after = text[:start].rstrip(), text[end : end + 4]
    return len(before) <= 2 or before[-1] in "/:" or any(mark in after for mark in "/:")


def _joined(spans: Sequence[_Span]) -> list[_Span]:
    joined: list[_Span] = []
    for span in sorted(spans, key=lambda item: (item.field, item.start)):
        last = joined[-1] if joined else None
        if last and last.field == span.field and span.start - last.end <= _NEAR_CHARACTERS:
            best = max(last.similarity, span.similarity)
            joined[-1] = _Span(span.field, last.start, max(last.end, span.end), best)
        else:
            joined.append(span)
    return joined


def _without_overlaps(spans: Sequence[_Span]) -> list[_Span]:
    """Longer and more similar labels first: ``date of issue`` is not also ``date``."""
    kept: list[_Span] = []
    for span in sorted(spans, key=lambda item: (item.start - item.end, -item.similarity)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda item: item.start)


def _value(
    page: Page, spans: list[list[list[_Span]]], row_index: int, cell_index: int, rest: str, *, last: bool
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


def _beside(page: Page, spans: list[list[list[_Span]]], row_index: int, cell: Cell) -> Cell | None:
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


def _below(page: Page, spans: list[list[list[_Span]]], row_index: int, cell: Cell) -> Cell | None:
    """The cell without a label that begins under the label, at most two and a half lines down."""
    for other_index in range(row_index + 1, min(row_index + 4, len(page.rows))):
        row = page.rows[other_index]
        for index, other in enumerate(row.cells):
            close = 0.3 * cell.height < other.y_centre - cell.y_centre < 3.2 * max(cell.height, other.height)
            under = abs(other.x1 - cell.x1) < 3.0 * other.height
            if close and under and not spans[other_index][index]:
                return other
    return None


def _continued(
    page: Page, spans: list[list[list[_Span]]], row_index: int, label: Cell, value: LabelledValue
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


def _continuation_cells(row: Row, spans: Sequence[Sequence[_Span]], label: Cell) -> list[Cell]:
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

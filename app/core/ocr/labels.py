"""Values beside or below their labels, as identity papers print them in two languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rapidfuzz import fuzz, process

from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.text import fold

_NEAR_CHARACTERS = 8
"""A label's two languages stand this close together."""

_DATED = re.compile(r"ngay.{0,12}\d.{0,16}thang")
"""Place and day of issue, which follow an address without a label."""

_DATE_THEN_TEXT = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\s+(\D.*)")

_SECOND_LANGUAGE = re.compile(r"\s*/\s?(?=[^:/]*[^\W\d_])(?![A-ZĐÀ-Ỹ ]+$)[^:/\d]{2,28}(?:[:.]|$)")
"""The English of a label, too badly read to be known as such: ``Họ tên / Púi name``. Values are in capitals there."""

_MIN_SIMILARITY = 83.0
_MIN_CAPITALS_SIMILARITY = 95.0
_SHORT_LABEL = 4
"""Labels of so few letters must be read exactly."""

_LENGTH_BONUS = 0.4
"""Points for each letter of a label: ten more letters outweigh one misread one."""

_FIELD_CODE = re.compile(r"(?:[.)|]|(?:^|\s)\d{1,2}[a-d]?)$")
"""What stands before a label on papers that number their fields."""

_TIE_BREAK = 0.05

_MAX_WORDS = 8
_MAX_WINDOWS = 20_000
"""Of a page; a paper has some hundreds of places where a label may begin."""

_OF_DIGITS = frozenset({"date_of_birth", "issue_date", "expiry_date", "document_number", "passport_number"})
"""Fields whose values hold digits: what has none belongs to another label."""

_NAMES = frozenset({"full_name", "name", "surname", "given_names"})
_VOWELS = frozenset("aeiouy")


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


class LabelSet:
    """Labels made ready to be found.

    Args:
        labels: by field, folded.
        in_capitals: whether the papers set labels in capitals without a mark behind them. Where they do not, words in
            capitals are values: the name NGUYỄN QUÂN has the letters of the label ``Nguyên quán``.
    """

    def __init__(self, labels: Mapping[str, Sequence[str]], *, in_capitals: bool) -> None:
        pairs = sorted({(_bare(label), name) for name, texts in labels.items() for label in texts})
        self.in_capitals = in_capitals
        self.fields = [name for _, name in pairs]
        self.texts = [text for text, _ in pairs]
        self.least = np.array([100.0 if len(text) <= _SHORT_LABEL else _MIN_SIMILARITY for text in self.texts])
        self.longest = max(map(len, self.texts), default=0)


@dataclass(frozen=True, slots=True)
class _Window:
    """Some words of a cell that may be a label: ``bare`` is how they are compared."""

    row: int
    cell: int
    start: int
    end: int
    bare: str
    capitals: bool


def find_values(page: Page, labels: LabelSet, *, multiline: frozenset[str]) -> dict[str, LabelledValue]:
    """The value of each field of ``labels`` that the page prints.

    Args:
        multiline: fields whose values may go on in the lines below.
    """
    spans = _spans(page, labels)
    found: dict[str, tuple[float, LabelledValue]] = {}
    for row_index, row in enumerate(page.rows):
        for cell_index, cell in enumerate(row.cells):
            for span_index, span in enumerate(spans[row_index][cell_index]):
                following = spans[row_index][cell_index][span_index + 1 :]
                end = following[0].start if following else len(cell.text)
                rest = cell.text[span.end : end]
                if following and labels.in_capitals:
                    rest = _FIELD_CODE.sub("", rest.rstrip())
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


def count_labels(page: Page, labels: LabelSet) -> int:
    """How many of the fields the page has labels for."""
    return len({span.field for row in _spans(page, labels) for cell in row for span in cell})


def _spans(page: Page, labels: LabelSet) -> list[list[list[_Span]]]:
    """Where labels stand in each cell, left to right; the two languages of one field become one span."""
    found: list[list[list[_Span]]] = [[[] for _ in row.cells] for row in page.rows]
    windows = [window for _, window in zip(range(_MAX_WINDOWS), _windows(page, labels), strict=False)]
    if not windows or not labels.texts:
        return found
    alike = process.cdist(
        [window.bare for window in windows], labels.texts, scorer=fuzz.ratio, score_cutoff=_MIN_SIMILARITY
    )
    for index, label in zip(*np.nonzero(alike >= labels.least[None, :]), strict=True):
        window, score = windows[index], float(alike[index, label])
        if not window.capitals or score >= _MIN_CAPITALS_SIMILARITY:
            found[window.row][window.cell].append(_Span(labels.fields[label], window.start, window.end, score))
    return [
        [
            _joined(_without_values(_without_overlaps(spans), cell.text), cell.text)
            for cell, spans in zip(row.cells, in_row, strict=True)
        ]
        for row, in_row in zip(page.rows, found, strict=True)
    ]


def _windows(page: Page, labels: LabelSet) -> Iterator[_Window]:
    """Every run of words that stands where a label may and is no longer than the longest one."""
    for row_index, row in enumerate(page.rows):
        for cell_index, cell in enumerate(row.cells):
            words = _words(cell.text)
            for first, (start, _) in enumerate(words):
                bare, is_value = "", False
                for last in range(first, min(first + _MAX_WORDS, len(words))):
                    word = cell.text[words[last][0] : words[last][1]]
                    if last > first and re.search(r"[\d:]", cell.text[words[last - 1][1] : words[last][0]]):
                        break
                    bare += _bare(word)
                    is_value = is_value or (last > first and _is_shouted(word, cell.text[start : words[first][1]]))
                    if is_value or len(bare) > 1.4 * labels.longest:
                        break
                    end = words[last][1]
                    capitals = cell.text[start:end].isupper() and len(bare) > 1
                    if _stands_as_label(cell.text, start, end, capitals=capitals, labels=labels):
                        yield _Window(row_index, cell_index, start, end, bare, capitals)


def _is_shouted(word: str, first: str) -> bool:
    """Whether a word in capitals follows words that are not: the value behind its label, ``Họ tên PHẠM``. What has no
    vowel is an abbreviation, which labels hold too: ``Số CMND``."""
    return len(word) > 1 and word.isupper() and not first.isupper() and bool(_VOWELS & set(fold(word)))


def _words(text: str) -> list[tuple[int, int]]:
    """Where words stand: letters of one kind. A reader loses the space between a label and a value in capitals; what
    is written without spaces is taken sign by sign."""
    words: list[tuple[int, int]] = []
    for index, character in enumerate(text):
        if not _is_letter(character):
            continue
        if words and words[-1][1] == index and not _is_ideograph(character):
            before = text[index - 1]
            shouts = before.islower() and character.isupper() and text[index : index + 2].isupper()
            if not shouts and not _is_ideograph(before):
                words[-1] = (words[-1][0], index + 1)
                continue
        words.append((index, index + 1))
    return words


def _is_letter(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character).startswith("M")


def _is_ideograph(character: str) -> bool:
    return "\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3"


def _bare(text: str) -> str:
    """Folded letters alone, of any script."""
    return "".join(character for character in fold(text) if _is_letter(character))


def _stands_as_label(text: str, start: int, end: int, *, capitals: bool, labels: LabelSet) -> bool:
    """At the beginning, or with the marks of a label: a slash beside it or a colon behind it."""
    before, after = text[:start].rstrip(), text[end : end + 4]
    marked = any(mark in after for mark in "/:")
    if capitals and not labels.in_capitals:
        return ":" in after
    numbered = labels.in_capitals and _FIELD_CODE.search(before) is not None
    return len(before) <= 2 or before[-1] in "/:" or marked or numbered


def _without_overlaps(spans: Sequence[_Span]) -> list[_Span]:
    """Longer and more similar labels first: ``date of issue`` is not also ``date``."""
    kept: list[_Span] = []
    for span in sorted(spans, key=lambda item: -item.similarity - _LENGTH_BONUS * (item.end - item.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda item: item.start)


def _without_values(spans: Sequence[_Span], text: str) -> list[_Span]:
    """Behind the label of a name and a colon stands the name, whatever label it resembles."""
    kept: list[_Span] = []
    for span in spans:
        last = kept[-1] if kept else None
        between = text[last.end : span.start].strip() if last else ""
        if last and last.field in _NAMES and span.field not in _NAMES and between == ":":
            continue
        kept.append(span)
    return kept


def _joined(spans: Sequence[_Span], text: str) -> list[_Span]:
    """One span for the two languages of a label, with what was misread between them."""
    joined: list[_Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        between = text[last.end : span.start] if last else ""
        near = len(between) <= _NEAR_CHARACTERS and not re.search(r"\d|[^\W\d_a-z]{2}|\b[A-Z]\b", between)
        if last and last.field == span.field and near:
            joined[-1] = _Span(span.field, last.start, span.end, max(last.similarity, span.similarity))
        else:
            joined.append(span)
    return joined


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


def _under(page: Page, spans: list[list[list[_Span]]], row_index: int, cell: Cell, span: _Span) -> LabelledValue | None:
    """The value under one of several labels that share a cell, by where the label begins in it."""
    x1 = cell.x1 + cell.width * span.start / max(len(cell.text), 1)
    below = _below(page, spans, row_index, replace(cell, x1=x1))
    return LabelledValue(_stripped(below.text), below.score, row_index) if below else None


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

"""Where a page prints the labels of fields, in one language or two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from app.core.ocr.layout import Page
from app.core.ocr.text import fold

_NEAR_CHARACTERS = 8
"""A label's two languages stand this close together."""

_MIN_SIMILARITY = 83.0
_MIN_CAPITALS_SIMILARITY = 95.0
_SHORT_LABEL = 4
"""Labels of so few letters must be read exactly."""

_LENGTH_BONUS = 0.4
"""Points for each letter of a label: ten more letters outweigh one misread one."""

FIELD_CODE = re.compile(r"(?:[.)|]|(?:^|\s)\d{1,2}[a-d]?)$")
"""What stands before a label on papers that number their fields."""

_MAX_WORDS = 8
_MAX_WINDOWS = 20_000
"""Of a page; a paper has some hundreds of places where a label may begin."""

_NAMES = frozenset({"full_name", "name", "surname", "given_names"})
_VOWELS = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Span:
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


def count_labels(page: Page, labels: LabelSet) -> int:
    """How many of the fields the page has labels for."""
    return len({span.field for row in find_spans(page, labels) for cell in row for span in cell})


def find_spans(page: Page, labels: LabelSet) -> list[list[list[Span]]]:
    """Where labels stand in each cell, left to right; the two languages of one field become one span."""
    found: list[list[list[Span]]] = [[[] for _ in row.cells] for row in page.rows]
    windows = [window for _, window in zip(range(_MAX_WINDOWS), _windows(page, labels), strict=False)]
    if not windows or not labels.texts:
        return found
    alike = process.cdist(
        [window.bare for window in windows], labels.texts, scorer=fuzz.ratio, score_cutoff=_MIN_SIMILARITY
    )
    for index, label in zip(*np.nonzero(alike >= labels.least[None, :]), strict=True):
        window, score = windows[index], float(alike[index, label])
        if not window.capitals or score >= _MIN_CAPITALS_SIMILARITY:
            found[window.row][window.cell].append(Span(labels.fields[label], window.start, window.end, score))
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
    numbered = labels.in_capitals and FIELD_CODE.search(before) is not None
    return len(before) <= 2 or before[-1] in "/:" or marked or numbered


def _without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """Longer and more similar labels first: ``date of issue`` is not also ``date``."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda item: -item.similarity - _LENGTH_BONUS * (item.end - item.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda item: item.start)


def _without_values(spans: Sequence[Span], text: str) -> list[Span]:
    """Behind the label of a name and a colon stands the name, whatever label it resembles."""
    kept: list[Span] = []
    for span in spans:
        last = kept[-1] if kept else None
        between = text[last.end : span.start].strip() if last else ""
        if last and last.field in _NAMES and span.field not in _NAMES and between == ":":
            continue
        kept.append(span)
    return kept


def _joined(spans: Sequence[Span], text: str) -> list[Span]:
    """One span for the two languages of a label, with what was misread between them."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        between = text[last.end : span.start] if last else ""
        near = len(between) <= _NEAR_CHARACTERS and not re.search(r"\d|[^\W\d_a-z]{2}|\b[A-Z]\b", between)
        if last and last.field == span.field and near:
            joined[-1] = Span(span.field, last.start, span.end, max(last.similarity, span.similarity))
        else:
            joined.append(span)
    return joined

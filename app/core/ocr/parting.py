"""Which lines belong to one invoice where a file or a photo holds several.

Nothing is parted on geometry alone: a part is a document only if it reads as one by itself, with a total that is sure
and a number or a date of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from app.core.ocr.extraction.labels import find_labels
from app.core.ocr.invoice import Invoice
from app.core.ocr.layout import Cell, Page, Row, arrange
from app.core.ocr.money import find_amounts
from app.core.ocr.page_reader import PageText
from app.core.ocr.text import fold
from app.core.ocr.totals import is_money
from app.types import TextLine

Read = Callable[[PageText, Page], Invoice]
"""The invoice on a page, whose lines are arranged."""

_SURE = 0.8
_MIN_LINES = 5
"""Of a document on a photo of several."""

_MIN_GUTTER = 1.5
"""Of the text's height: between two documents that lie side by side."""

_MAX_PIECES = 6
"""Of one page; to read them costs as much as that many pages."""

_SUMS = frozenset({"total", "due"})
_TITLE_ROWS = 2
"""A title may have so many, one a language."""

_TITLE_FILL = 0.5
"""A title fills so much of its row; a sentence only mentions the document."""


_LATER_PAGE = re.compile(
    r"\b(?:page|trang|seite|pagina|pag|sida|side|strana|blad)\b\W{0,3}0*(?:[2-9]|[1-9]\d)\s?(?:/|of|von|de|di|sur|van|av)\s?\d"
)


@dataclass(frozen=True, slots=True)
class DocumentPages:
    """The pages of one document. ``invoice`` is what its only page says, where that was read to part documents."""

    texts: tuple[PageText, ...]
    invoice: Invoice | None = None


class _Sheet:
    """A page, or a part of one, and what it says by itself: read when it is asked for, and once."""

    def __init__(self, text: PageText, read: Read) -> None:
        self.text = text
        self._read = read
        self.was_read = False

    @cached_property
    def page(self) -> Page:
        return arrange(self.text.lines)

    @cached_property
    def invoice(self) -> Invoice:
        self.was_read = True
        return self._read(self.text, self.page)

    @property
    def number(self) -> str | None:
        return self.invoice.header.invoice_number

    @property
    def is_whole(self) -> bool:
        """Whether it says by itself what it comes to, and which document or of which day it is."""
        if not self._may_be_whole:
            return False
        total = self.invoice.values.get("total_amount")
        return total is not None and total.confidence >= _SURE and bool(self.number or self.invoice.date)

    @cached_property
    def _may_be_whole(self) -> bool:
        """Whether it is worth the reading: it names a sum, has an amount, and does not call itself a later page."""
        texts = [cell.text for cell in self.page.cells]
        return (
            any(label.kind in _SUMS for text in texts for label in find_labels(text[:200]))
            and any(is_money(amount) for text in texts for amount in find_amounts(text))
            and not _LATER_PAGE.search(fold(self.page.text))
        )


def part_documents(texts: Sequence[PageText], read: Read) -> list[DocumentPages]:
    """The documents of a file, of which ``texts`` are the pages, in their order."""
    parted = [_parts(text, read) for text in texts]
    if parted == [[]]:
        return [DocumentPages(tuple(texts))]
    sheets = [sheet for text, parts in zip(texts, parted, strict=True) for sheet in parts or [_Sheet(text, read)]]
    documents: list[list[_Sheet]] = []
    for sheet in sheets:
        if documents and not _begins(sheet, documents[-1]):
            documents[-1].append(sheet)
        else:
            documents.append([sheet])
    return [_document(sheets) for sheets in documents]


def _document(sheets: Sequence[_Sheet]) -> DocumentPages:
    alone = len(sheets) == 1 and sheets[0].was_read
    return DocumentPages(tuple(sheet.text for sheet in sheets), sheets[0].invoice if alone else None)


def _begins(sheet: _Sheet, before: Sequence[_Sheet]) -> bool:
    """Whether a page begins another document: it has a number of its own, or, where no number tells, each of the two is
    whole by itself and of another day, seller or total."""
    if not sheet.is_whole:
        return False
    numbers = {one.number for one in before if one.number}
    if sheet.number and numbers:
        return sheet.number not in numbers
    wholes = [one.invoice for one in before if one.is_whole]
    return bool(wholes) and all(_differ(one, sheet.invoice) for one in wholes)


def _differ(one: Invoice, other: Invoice) -> bool:
    pairs = [(one.date, other.date), tuple(invoice.vendor and invoice.vendor.name for invoice in (one, other))]
    return one.total != other.total and any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _parts(text: PageText, read: Read) -> list[_Sheet]:
    """The documents on a page, where it can be parted so that every part is one; else none."""
    for pieces in (_beside(text), _below(text)):
        if not 1 < len(pieces) <= _MAX_PIECES:
            continue
        sheets = _joined(text, pieces, read)
        if len(sheets) > 1 and all(_begins(other, [one]) for one, other in pairwise(sheets)):
            return sheets
    return []


def _joined(text: PageText, pieces: Sequence[Sequence[TextLine]], read: Read) -> list[_Sheet]:
    """Pieces put together, in their order, until they are whole: amounts may stand in a column of their own."""
    sheets: list[_Sheet] = []
    lines: list[TextLine] = []
    for index, piece in enumerate(pieces, 1):
        lines += piece
        if index == len(pieces) and not sheets:
            return []  # the whole page, which is read later
        sheet = _Sheet(replace(text, lines=tuple(lines)), read)
        if len(lines) >= _MIN_LINES and sheet.is_whole:
            sheets.append(sheet)
            lines = []
    if sheets and lines:
        sheets[-1] = _Sheet(replace(text, lines=(*sheets[-1].text.lines, *lines)), read)
    return sheets


def _beside(text: PageText) -> list[tuple[TextLine, ...]]:
    """The lines left and right of each gutter that no line crosses."""
    if not text.lines:
        return []
    spans = sorted(
        (float(line.polygon[:, 0].min()), float(line.polygon[:, 0].max()), index)
        for index, line in enumerate(text.lines)
    )
    gutter = _MIN_GUTTER * float(np.median([np.ptp(line.polygon[:, 1]) for line in text.lines]))
    groups: list[list[int]] = [[]]
    reached = spans[0][1]
    for left, right, index in spans:
        if left - reached > gutter:
            groups.append([])
        groups[-1].append(index)
        reached = max(reached, right)
    return [tuple(text.lines[index] for index in sorted(group)) for group in groups]


def _below(text: PageText) -> list[tuple[TextLine, ...]]:
    """The lines of documents below one another, each with a title of its own."""
    rows = arrange(text.lines).rows
    titles = [index for index, row in enumerate(rows) if any(_is_title(cell.text) for cell in row.cells)]
    starts = [0, *(_start(rows, *pair) for pair in pairwise(titles) if pair[1] - pair[0] > _TITLE_ROWS), len(rows)]
    return [tuple(_line(cell) for row in rows[first:last] for cell in row.cells) for first, last in pairwise(starts)]


def _start(rows: Sequence[Row], above: int, title: int) -> int:
    """The first row of the document that ``title`` is of: behind the widest gap since the last sum of the one above."""
    money = [
        index
        for index in range(above, title)
        if any(is_money(amount) for cell in rows[index].cells for amount in find_amounts(cell.text))
    ]
    gaps = {
        index: rows[index].y_centre - rows[index - 1].y_centre for index in range((money or [above])[-1] + 1, title + 1)
    }
    return max(gaps, key=lambda index: (gaps[index], index))


def _line(cell: Cell) -> TextLine:
    left, right, top, bottom = cell.x1, cell.x2, cell.y1, cell.y2
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return TextLine(np.array(corners, np.float32), cell.text, cell.score)


def _is_title(text: str) -> bool:
    letters = sum(character.isalpha() for character in fold(text))
    titled = sum(label.end - label.start for label in find_labels(text[:80]) if label.kind == "title")
    return letters > 0 and titled >= _TITLE_FILL * letters

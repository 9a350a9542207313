"""The text layer of a PDF page as cells: what stands together, with its box, whatever order it was written in."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]  # no stubs

from app.types import TextLine

_MIN_CHARACTERS = 40
"""A shorter text layer is a stamp or a page number on a scan."""

_MAX_CHARACTERS = 20_000
_MAX_ANGLE_RAD = 0.1
_SAME_LINE = 0.45
_WORD_GAP = 0.16
_SPACE_GAP = 0.04
"""A written space counts where this much room is: writers put spaces between glyphs that touch."""

_TWINS = frozenset("ft")
"""Letters that ligatures have twice: in one place stand the letters of a ligature, or one that is written twice."""

_CELL_GAP = 1.0
"""Of the type's height: what stands farther apart is another cell."""


@dataclass(frozen=True, slots=True)
class _Glyph:
    text: str
    x1: float
    y1: float
    x2: float
    y2: float
    after_space: bool

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def y_centre(self) -> float:
        return (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True)
class _Last:
    """The character before, whether it counts or not."""

    text: str
    corners: tuple[float, float, float, float]
    kept: bool


def text_lines(page: pdfium.PdfPage, *, scale: float) -> tuple[TextLine, ...]:
    """The page's cells in px of its rendering at ``scale``; empty where it has no readable text layer.

    A page that is turned has none: its coordinates are those of the unturned one.
    """
    if page.get_rotation() != 0:
        return ()
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if not _MIN_CHARACTERS <= count <= _MAX_CHARACTERS:
            return ()
        glyphs = _glyphs(text_page.raw, count, page_height=page.get_height())
    finally:
        text_page.close()
    if len(glyphs) < _MIN_CHARACTERS / 2 or any(not _is_readable(glyph.text) for glyph in glyphs):
        return ()
    return tuple(TextLine(_polygon(cell, scale), _text(cell), 1.0) for line in _lines(glyphs) for cell in _cells(line))


def _glyphs(text_page: object, count: int, *, page_height: float) -> list[_Glyph]:
    """Level characters with their boxes, y downwards; those written twice for bold type once, a ligature's letters as
    one glyph."""
    box = pdfium_c.FS_RECTF()
    glyphs: list[_Glyph] = []
    seen: set[tuple[str, int, int]] = set()
    space, last = False, None
    for index in range(count):
        code = pdfium_c.FPDFText_GetUnicode(text_page, index)
        character = chr(code) if 0 < code < 0x110000 else ""
        if not character or character.isspace() or code < 0x20:
            space, last = True, None
            continue
        if abs(pdfium_c.FPDFText_GetCharAngle(text_page, index)) > _MAX_ANGLE_RAD:
            continue
        if not pdfium_c.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box)):
            continue
        corners = (box.left, page_height - box.top, box.right, page_height - box.bottom)
        if last and corners == last.corners and (character != last.text or character in _TWINS):
            if last.kept:
                glyphs[-1] = replace(glyphs[-1], text=glyphs[-1].text + character)
            last = replace(last, text=character)
            continue
        glyph = _Glyph(character, *corners, space)
        place = (character, round(glyph.x1), round(glyph.y1))
        last = _Last(character, corners, kept=glyph.height > 0 and glyph.x2 >= glyph.x1 and place not in seen)
        if last.kept:
            seen.add(place)
            glyphs.append(glyph)
        space = False
    return glyphs


def _is_readable(text: str) -> bool:
    """Fonts without a map to Unicode give private or replacement characters."""
    return not (text == "\ufffd" or "\ue000" <= text <= "\uf8ff")


def _lines(glyphs: Sequence[_Glyph]) -> list[list[_Glyph]]:
    """Glyphs level with one another, left to right; lines top to bottom."""
    lines: list[list[_Glyph]] = []
    for glyph in sorted(glyphs, key=lambda item: item.y_centre):
        last = lines[-1][-1] if lines else None
        if last and abs(glyph.y_centre - last.y_centre) < _SAME_LINE * min(glyph.height, last.height):
            lines[-1].append(glyph)
        else:
            lines.append([glyph])
    return [sorted(line, key=lambda item: item.x1) for line in lines]


def _cells(line: Sequence[_Glyph]) -> Iterator[list[_Glyph]]:
    cell = [line[0]]
    for left, right in pairwise(line):
        if right.x1 - left.x2 > _CELL_GAP * min(left.height, right.height):
            yield cell
            cell = []
        cell.append(right)
    yield cell


def _text(cell: Sequence[_Glyph]) -> str:
    parts = [cell[0].text]
    for left, right in pairwise(cell):
        gap = (right.x1 - left.x2) / min(left.height, right.height)
        parts.append(" " if gap > _WORD_GAP or (right.after_space and gap > _SPACE_GAP) else "")
        parts.append(right.text)
    return "".join(parts)


def _polygon(cell: Sequence[_Glyph], scale: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    left, right = min(glyph.x1 for glyph in cell), max(glyph.x2 for glyph in cell)
    top, bottom = min(glyph.y1 for glyph in cell), max(glyph.y2 for glyph in cell)
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return np.asarray(corners, np.float32) * np.float32(scale)

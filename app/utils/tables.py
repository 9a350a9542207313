"""Tables for spreadsheets and as XML. What a cell holds is never taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from xml.etree import ElementTree

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError

Cell: TypeAlias = str | int | float | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what no XML may hold
_MAX_CELL = 32_000  # a little less than a spreadsheet's own limit


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """UTF-8 with a mark at the beginning, by which Excel knows it; text that begins like a formula gets a quote."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def to_xlsx(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str) -> bytes:
    """A workbook with one sheet of that title; text stays text."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_typed(sheet, cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def to_xml(tags: Sequence[str], rows: Iterable[Sequence[Cell]], *, root: str, row: str) -> bytes:
    """An element for each row, and in it one for each cell, empty ones included."""
    document = ElementTree.Element(root)
    for cells in rows:
        element = ElementTree.SubElement(document, row)
        for tag, cell in zip(tags, cells, strict=True):
            ElementTree.SubElement(element, tag).text = None if cell is None else _NO_XML.sub("", str(cell))
    ElementTree.indent(document)
    return bytes(ElementTree.tostring(document, encoding="utf-8", xml_declaration=True))


def _typed(sheet: object, cell: Cell) -> object:
    if not isinstance(cell, str):
        return cell
    try:
        typed = WriteOnlyCell(sheet, value=cell[:_MAX_CELL])
    except IllegalCharacterError:  # what no XML may hold
        typed = WriteOnlyCell(sheet, value="".join(c for c in cell[:_MAX_CELL] if c.isprintable()))
    typed.data_type = "s"
    return typed

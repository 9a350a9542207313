"""Tables for spreadsheets. What a cell holds is never taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError

Cell: TypeAlias = str | int | float | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
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


def to_xlsx(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A workbook with one sheet; text stays text."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Invoices")
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_typed(sheet, cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _typed(sheet: object, cell: Cell) -> object:
    if not isinstance(cell, str):
        return cell
    try:
        typed = WriteOnlyCell(sheet, value=cell[:_MAX_CELL])
    except IllegalCharacterError:  # what no XML may hold
        typed = WriteOnlyCell(sheet, value="".join(c for c in cell[:_MAX_CELL] if c.isprintable()))
    typed.data_type = "s"
    return typed

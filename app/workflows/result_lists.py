"""Read documents as lists, and confirmed invoices as tables for accounting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

from app.errors import InvalidInput
from app.services.database import Database
from app.services.stores import result_list
from app.services.stores.audit import add_audit_entry
from app.services.stores.document_store import OtherKind
from app.services.stores.result_list import ListedResult, ResultFilter
from app.types import Scope
from app.utils import clock
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.tables import Cell, to_csv, to_xlsx
from app.workflows.access import Caller

__all__ = ["ListedResult", "OtherKind", "ResultFilter", "ResultLists"]

TableFormat = Literal["csv", "xlsx"]

_MAX_ROWS = 10_000
_INVOICE_COLUMNS = (
    "invoice_number",
    "invoice_serial",
    "date",
    "due_date",
    "vendor",
    "vendor_tax_code",
    "buyer",
    "buyer_tax_code",
    "currency",
    "subtotal",
    "tax_amount",
    "discount",
    "total_amount",
    "payment_method",
)
COLUMNS = ("result_id", *_INVOICE_COLUMNS, "confirmed_at", "confirmed_by")
_WRITERS: Mapping[TableFormat, Callable[[Sequence[str], Iterable[Sequence[Cell]]], bytes]] = {
    "csv": to_csv,
    "xlsx": partial(to_xlsx, title="Invoices"),
}


class ResultLists:
    """Reads the record of documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def visible_to(caller: Caller) -> bool | None:
        """Whether the caller may see invoices alone or no invoices; None for both."""
        invoices, others = caller.may(Scope.OCR_INVOICE), caller.may(Scope.OCR_ID)
        return None if invoices and others else invoices

    async def list_results(self, wanted: ResultFilter, *, cursor: str | None, limit: int) -> Slice[ListedResult]:
        """Documents, newest first.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.connection() as connection:
            found = await result_list.list_results(connection, wanted, before_id=before, limit=limit + 1)
        return slice_of(found, limit, lambda result: (result.id,))

    async def export_invoices(
        self, *, first_day: str | None, last_day: str | None, table: TableFormat, actor: str | None
    ) -> bytes:
        """Confirmed invoices as a file, newest first.

        Args:
            first_day: of the dates that the invoices bear, ISO 8601; ``last_day`` likewise, and belongs to them.

        Raises:
            InvalidInput: they are more than a file takes.
        """
        wanted = ResultFilter(document_type=OtherKind.INVOICE, confirmed=True, first_day=first_day, last_day=last_day)
        async with self._database.transaction() as connection:
            found = await result_list.list_results(connection, wanted, before_id=None, limit=_MAX_ROWS + 1)
            if len(found) > _MAX_ROWS:
                raise InvalidInput(f"More than {_MAX_ROWS} invoices; narrow the dates.", code="too_many_rows")
            details = {"format": table, "rows": len(found), "first_day": first_day, "last_day": last_day}
            await add_audit_entry(connection, "ocr.export", subject="invoices", actor=actor, details=details)
        return await asyncio.to_thread(_WRITERS[table], COLUMNS, [_row(result) for result in found])


def _row(result: ListedResult) -> list[Cell]:
    data = result.invoice or {}
    cells = [data.get(column) for column in _INVOICE_COLUMNS]
    return [
        result.id,
        *(cell if isinstance(cell, str | int | float) else None for cell in cells),
        clock.iso(result.confirmed_at) if result.confirmed_at else None,
        result.confirmed_by,
    ]

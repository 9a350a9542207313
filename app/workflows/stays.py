"""Guests' stays: a record from their papers, completed by hand, and the lists that the police ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from app.core.stays.forms import StayForm
from app.core.stays.record import (
    ReadPaper,
    Record,
    StayField,
    StayKind,
    changed,
    kind_of,
    missing_of,
    of_papers,
)
from app.errors import Conflict, InvalidInput, NotFound
from app.services.database import Database
from app.services.stores import stay_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.document_store import OtherKind
from app.services.stores.stay_store import StayFilter, StoredStay
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.tables import to_csv, to_xlsx, to_xml
from app.workflows.ocr import MaySee, OcrWorkflow
from app.workflows.ocr_records import identity_data

# What callers of the use cases speak in, wherever it is defined.
__all__ = ["ListFormat", "NewStay", "PaperOutcome", "StayDesk", "StayFilter", "StayRetention"]

ListFormat = Literal["xlsx", "csv", "xml"]

_MAX_ROWS = 10_000
_NAMED_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class PaperOutcome:
    """What became of a paper: ``error`` says why nothing was taken from it."""

    document_type: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class NewStay:
    """A stay with what became of each paper, in their order: pictures first, then stored results."""

    stay: StoredStay
    papers: tuple[PaperOutcome, ...]


class StayDesk:
    """Registers guests over the reader of documents and PostgreSQL."""

    def __init__(self, database: Database, documents: OcrWorkflow, forms: Mapping[StayKind, StayForm]) -> None:
        self._database = database
        self._documents = documents
        self._forms = forms

    def today(self) -> date:
        """Of the hotel."""
        return self._documents.today()

    async def register(
        self,
        images: Sequence[bytes],
        result_ids: Sequence[UUID],
        given: Mapping[str, str | None],
        *,
        may_see: MaySee,
        actor: str | None,
    ) -> NewStay:
        """A record of one guest's papers and of what a person says beside them, which counts before the papers.

        Args:
            images: pictures or PDFs; only what they say is kept.
            result_ids: papers that were read before.

        Raises:
            NotFound: there is no such result that the caller may see.
            Conflict: a result was redacted.
            InvalidInput: a result is an invoice, the papers are those of several people, or a date does not fit.
            Everything that reading a document raises.
        """
        papers: list[ReadPaper] = []
        outcomes = []
        for image in images:
            reading = await self._documents.read_paper(image)
            found = _papers_in(identity_data(reading.identity, engine=reading.engine)) if reading.identity else []
            is_taken = reading.reason in (None, "unsupported_issuer")
            papers += found if is_taken else []
            outcomes.append(PaperOutcome(found[0].document_type if found else None, reading.reason))
        for result_id in result_ids:
            stored = await self._documents.result(result_id, may_see=may_see, actor=actor)
            if stored.redacted_at is not None:
                raise Conflict(f"Result {result_id} is past its retention; send the paper.", code="result_redacted")
            if stored.document_type == OtherKind.INVOICE:
                raise InvalidInput(f"Result {result_id} is an invoice; send identity papers.", code="no_identity_paper")
            papers += _papers_in(stored.data)
            outcomes.append(PaperOutcome(stored.document_type))
        record = changed(of_papers(papers), given)
        async with self._database.transaction() as connection:
            stay = await stay_store.insert_stay(connection, record, created_by=actor)
            details = {"papers": len(outcomes)}
            await add_audit_entry(connection, "stay.create", subject=str(stay.stay_id), actor=actor, details=details)
        return NewStay(stay, tuple(outcomes))

    async def change(self, stay_id: UUID, changes: Mapping[str, str | None], *, actor: str | None) -> StoredStay:
        """Complete or correct a record; None takes a value away.

        Raises:
            NotFound: there is no such stay.
            InvalidInput: a date does not fit.
        """
        async with self._database.transaction() as connection:
            stay = await stay_store.lock_stay(connection, stay_id)
            if stay is None:
                raise _unknown(stay_id)
            record = changed(stay.record, changes)
            stay = await stay_store.update_stay(connection, stay.id, record, changed_by=actor)
            details = {"fields": sorted(changes)}
            await add_audit_entry(connection, "stay.change", subject=str(stay_id), actor=actor, details=details)
        return stay

    async def get(self, stay_id: UUID, *, actor: str | None) -> StoredStay:
        """A stay, for somebody to see: the audit says who did.

        Raises:
            NotFound: there is no such stay.
        """
        async with self._database.transaction() as connection:
            stay = await stay_store.find_stay(connection, stay_id)
            if stay is None:
                raise _unknown(stay_id)
            await add_audit_entry(connection, "stay.see", subject=str(stay_id), actor=actor)
        return stay

    async def list_stays(
        self, wanted: StayFilter, *, cursor: str | None, limit: int, actor: str | None
    ) -> Slice[StoredStay]:
        """Stays, those written last first; audited, as they name guests.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.transaction() as connection:
            found = await stay_store.list_stays(connection, wanted, before_id=before, limit=limit + 1)
            details = {"rows": min(len(found), limit)}
            await add_audit_entry(connection, "stay.list", subject="stays", actor=actor, details=details)
        return slice_of(found, limit, lambda stay: (stay.id,))

    async def delete(self, stay_id: UUID, *, actor: str | None) -> None:
        """Erase a stay; the audit keeps that it was.

        Raises:
            NotFound: there is no such stay.
        """
        async with self._database.transaction() as connection:
            if not await stay_store.delete_stay(connection, stay_id):
                raise _unknown(stay_id)
            await add_audit_entry(connection, "stay.delete", subject=str(stay_id), actor=actor)

    async def export(
        self, wanted: StayFilter, kind: StayKind, table: ListFormat, *, only_complete: bool, actor: str | None
    ) -> bytes:
        """The list of guests of one kind as a file, in the order of their registration.

        Args:
            only_complete: refuse while a guest's record lacks something.

        Raises:
            Conflict: records lack something, or nobody knows whose list a guest belongs to.
            InvalidInput: they are more than a file takes.
        """
        async with self._database.transaction() as connection:
            found = await stay_store.list_stays(connection, wanted, before_id=None, limit=_MAX_ROWS + 1)
            if len(found) > _MAX_ROWS:
                raise InvalidInput(f"More than {_MAX_ROWS} guests; ask for less.", code="too_many_rows")
            if only_complete:
                _refuse_incomplete(found, kind)
            guests = [stay.record for stay in reversed(found) if kind_of(stay.record) is kind]
            details = {"kind": kind, "format": table, "rows": len(guests)}
            await add_audit_entry(connection, "stay.export", subject="stays", actor=actor, details=details)
        return await asyncio.to_thread(_file, self._forms[kind], table, guests)


def _refuse_incomplete(found: Sequence[StoredStay], kind: StayKind) -> None:
    lacking = [stay for stay in found if kind_of(stay.record) in (kind, None) and missing_of(stay.record)]
    if lacking:
        raise Conflict(
            f"{len(lacking)} records lack something; complete them, or export with incomplete=true.",
            code="stays_incomplete",
            details={"stay_ids": [str(stay.stay_id) for stay in lacking[:_NAMED_AT_ONCE]]},
        )


def _file(form: StayForm, table: ListFormat, guests: Sequence[Record]) -> bytes:
    rows, titles = form.rows(guests), [column.title for column in form.columns]
    match table:
        case "csv":
            return to_csv(titles, rows)
        case "xlsx":
            return to_xlsx(titles, rows, title=form.title)
        case "xml":
            return to_xml([column.tag for column in form.columns], rows, root=form.root, row=form.row)


def _papers_in(data: Mapping[str, Any]) -> list[ReadPaper]:
    """The papers of a stored or fresh reading, by ``identity_data``."""
    return [
        ReadPaper(
            paper.get("document_type"),
            {
                name: StayField(field["value"], field["confidence"], str(field["source"]))
                for name, field in paper.get("fields", {}).items()
            },
        )
        for paper in (data, *data.get("others", ()))
    ]


def _unknown(stay_id: UUID) -> NotFound:
    return NotFound(f"There is no stay {stay_id}.", code="stay_not_found")


class StayRetention:
    """Erases stays when their time is over."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database = database
        self._days = days

    async def step(self) -> int:
        """How many were erased. Safe to run anywhere at any time."""
        async with self._database.connection() as connection:
            return await stay_store.delete_past_stays(connection, days=self._days)

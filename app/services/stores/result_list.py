"""The SQL of lists of read documents: what they are, and of invoices what accounting needs; nobody's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.services.database import Connection, Row
from app.services.stores.folding import folded_sql
from app.utils.text_folding import folded

# Only invoices are kept readable; of any other paper nothing but its type is shown in a list.
_RESULTS = (
    "SELECT r.id, r.document_type, CASE WHEN r.document_type = 'invoice' THEN r.extracted_data END AS invoice, "
    "r.confidence, r.processed_at, r.processed_by, o.confirmed_at, o.confirmed_by, o.redacted_at, o.public_id "
    "FROM ocr_results r LEFT JOIN ocr_result_records o ON o.result_id = r.id WHERE TRUE"
)
_VENDOR = folded_sql("r.extracted_data->>'vendor'")


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """All that is set must hold.

    Attributes:
        vendor: a part of an invoice's seller, whatever its case and marks.
        since, before: when it was read.
        are_invoices: invoices alone, or no invoices.
        first_day, last_day: the date that the invoice itself bears, ISO 8601; both belong to it.
    """

    document_type: str | None = None
    confirmed: bool | None = None
    vendor: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    are_invoices: bool | None = None
    first_day: str | None = None
    last_day: str | None = None


@dataclass(frozen=True, slots=True)
class ListedResult:
    """A read document; ``invoice`` has the fields of an invoice, None for any other paper."""

    id: int
    document_type: str
    invoice: Mapping[str, Any] | None
    confidence: float
    processed_at: datetime
    processed_by: str | None
    confirmed_at: datetime | None
    confirmed_by: str | None
    redacted_at: datetime | None
    public_id: UUID | None


def _listed(row: Row) -> ListedResult:
    return ListedResult(**row)


async def list_results(
    connection: Connection, wanted: ResultFilter, *, before_id: int | None, limit: int
) -> list[ListedResult]:
    """Documents, newest first, with smaller ids than ``before_id``."""
    rows = await connection.fetch(
        f"{_RESULTS} AND ($1::text IS NULL OR r.document_type = $1) "
        "AND ($2::bool IS NULL OR (o.confirmed_at IS NOT NULL) = $2) "
        "AND ($3::text IS NULL OR (r.document_type = 'invoice' "
        f"AND position($3 in {_VENDOR}) > 0)) "
        "AND ($4::timestamptz IS NULL OR r.processed_at >= $4) AND ($5::timestamptz IS NULL OR r.processed_at < $5) "
        "AND ($6::text IS NULL OR r.extracted_data->>'date' >= $6) "
        "AND ($7::text IS NULL OR r.extracted_data->>'date' <= $7) "
        "AND ($10::bool IS NULL OR (r.document_type = 'invoice') = $10) "
        "AND ($8::bigint IS NULL OR r.id < $8) ORDER BY r.id DESC LIMIT $9",
        wanted.document_type,
        wanted.confirmed,
        folded(wanted.vendor) if wanted.vendor else None,
        wanted.since,
        wanted.before,
        wanted.first_day,
        wanted.last_day,
        before_id,
        limit,
        wanted.are_invoices,
    )
    return [_listed(row) for row in rows]

"""Read documents and known suppliers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.core.ocr.issuers.base import DocumentType
from app.services.database import Connection, Row
from app.types import Reference

_COLUMNS = "r.*, o.confirmed_at, o.redacted_at, o.object_key, o.public_id"
_SELECT = f"SELECT {_COLUMNS} FROM ocr_results r LEFT JOIN ocr_result_records o ON o.result_id = r.id "  # noqa: S608


class OtherKind(StrEnum):
    """What is kept beside papers whose type is known."""

    INVOICE = "invoice"
    UNKNOWN = "unknown"
    """An identity paper that does not say what it is."""


DocumentKind = DocumentType | OtherKind


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A row of ``ocr_results`` with our columns beside it; ``document_type`` may be one that this release does not
    know."""

    id: int
    document_type: str
    data: dict[str, object]
    confidence: float
    raw_text: str | None
    processed_at: datetime
    processed_by: str | None
    confirmed_at: datetime | None
    redacted_at: datetime | None
    object_key: str | None
    public_id: UUID | None


@dataclass(frozen=True, slots=True)
class ResultKey:
    """How a result is named; ``public_id`` tells nobody how many there are, and is None of rows that others wrote."""

    id: int
    public_id: UUID | None


@dataclass(frozen=True, slots=True)
class StoredSupplier:
    """A seller confirmed by a person."""

    id: int
    name: str
    tax_code: str | None
    aliases: tuple[str, ...]
    fingerprints: frozenset[str]


async def insert_result(
    connection: Connection,
    *,
    document_type: DocumentKind,
    data: Mapping[str, object],
    confidence: float,
    raw_text: str,
    processed_by: str | None,
    read_vendor: str | None = None,
    fingerprints: Sequence[str] = (),
    object_key: str | None = None,
) -> ResultKey:
    """Write a result, where its picture is kept, and what it could teach about its seller."""
    result_id: int = await connection.fetchval(
        "INSERT INTO ocr_results (document_type, extracted_data, confidence, raw_text, processed_by) "
        "VALUES ($1, $2, $3, $4, $5) RETURNING id",
        document_type,
        dict(data),
        confidence,
        raw_text.replace("\x00", ""),
        processed_by,
    )
    public_id: UUID = await connection.fetchval(
        "INSERT INTO ocr_result_records (result_id, read_vendor, fingerprints, object_key) VALUES ($1, $2, $3, $4) "
        "RETURNING public_id",
        result_id,
        read_vendor,
        list(fingerprints),
        object_key,
    )
    return ResultKey(result_id, public_id)


async def find_result(connection: Connection, reference: Reference) -> StoredResult | None:
    query = _SELECT + ("WHERE o.public_id = $1" if isinstance(reference, UUID) else "WHERE r.id = $1")
    row = await connection.fetchrow(query, reference)
    return _result(row) if row else None


async def delete_result(connection: Connection, result_id: int) -> None:
    """Remove a result with all that we know of it; its picture is the caller's to remove."""
    await connection.execute("DELETE FROM ocr_result_records WHERE result_id = $1", result_id)
    await connection.execute("DELETE FROM ocr_results WHERE id = $1", result_id)


def _result(row: Row) -> StoredResult:
    return StoredResult(
        id=row["id"],
        document_type=row["document_type"],
        data=row["extracted_data"],
        confidence=row["confidence"],
        raw_text=row["raw_text"],
        processed_at=row["processed_at"],
        processed_by=row["processed_by"],
        confirmed_at=row["confirmed_at"],
        redacted_at=row["redacted_at"],
        object_key=row["object_key"],
        public_id=row["public_id"],
    )


async def confirm_result(
    connection: Connection, result_id: int, *, data: Mapping[str, object], confirmed_by: str | None
) -> None:
    """Put a person's values in the place of what was read."""
    await connection.execute("UPDATE ocr_results SET extracted_data = $2 WHERE id = $1", result_id, dict(data))
    await connection.execute(
        "UPDATE ocr_result_records SET confirmed_at = NOW(), confirmed_by = $2 WHERE result_id = $1",
        result_id,
        confirmed_by,
    )


async def seller_evidence(connection: Connection, result_id: int) -> tuple[str | None, list[str]]:
    """``(name as read, fingerprints)`` of a result's seller."""
    row = await connection.fetchrow(
        "SELECT read_vendor, fingerprints FROM ocr_result_records WHERE result_id = $1", result_id
    )
    return (row["read_vendor"], list(row["fingerprints"])) if row else (None, [])


async def suppliers(connection: Connection, *, limit: int) -> list[StoredSupplier]:
    """The suppliers confirmed last."""
    rows = await connection.fetch("SELECT * FROM ocr_suppliers ORDER BY updated_at DESC LIMIT $1", limit)
    return [
        StoredSupplier(row["id"], row["name"], row["tax_code"], tuple(row["aliases"]), frozenset(row["fingerprints"]))
        for row in rows
    ]


async def learn_supplier(
    connection: Connection,
    *,
    name: str,
    name_key: str,
    tax_code: str | None,
    alias: str | None,
    fingerprints: Sequence[str],
) -> int:
    """Add a supplier, or what is new about one; ``name_key`` is the name without accents and marks.

    An identifier that another supplier already has is taken from neither: it identifies nobody.
    """
    supplier_id: int = await connection.fetchval(
        "INSERT INTO ocr_suppliers (name, name_key, tax_code, aliases, fingerprints) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (name_key) DO UPDATE SET updated_at = NOW(), confirmations = ocr_suppliers.confirmations + 1, "
        "tax_code = COALESCE(EXCLUDED.tax_code, ocr_suppliers.tax_code), "
        "aliases = ARRAY(SELECT DISTINCT unnest(ocr_suppliers.aliases || EXCLUDED.aliases)), "
        "fingerprints = ARRAY(SELECT DISTINCT unnest(ocr_suppliers.fingerprints || EXCLUDED.fingerprints)) "
        "RETURNING id",
        name,
        name_key,
        tax_code,
        [alias] if alias else [],
        list(fingerprints),
    )
    await connection.execute(
        "UPDATE ocr_suppliers s SET fingerprints = ARRAY(SELECT f FROM unnest(s.fingerprints) f WHERE NOT EXISTS "
        "(SELECT 1 FROM ocr_suppliers o WHERE o.id <> s.id AND f = ANY(o.fingerprints))) "
        "WHERE s.fingerprints && $1",
        list(fingerprints),
    )
    return supplier_id


async def lock_expired(connection: Connection, *, days: int, limit: int) -> list[StoredResult]:
    """Results with raw text or identity fields older than ``days``, locked until the transaction ends."""
    rows = await connection.fetch(
        _SELECT
        + "WHERE o.result_id IS NOT NULL AND o.redacted_at IS NULL AND r.processed_at < NOW() - $1 * INTERVAL '1 day' "
        "ORDER BY r.id LIMIT $2 FOR UPDATE SKIP LOCKED",
        days,
        limit,
    )
    return [_result(row) for row in rows]


async def redact_result(connection: Connection, result_id: int, data: Mapping[str, object]) -> None:
    """Replace the data and drop the raw text for good."""
    await connection.execute(
        "UPDATE ocr_results SET extracted_data = $2, raw_text = NULL WHERE id = $1", result_id, dict(data)
    )
    await connection.execute(
        "UPDATE ocr_result_records SET redacted_at = NOW(), object_key = NULL, read_vendor = NULL, "
        "fingerprints = '{}' WHERE result_id = $1",
        result_id,
    )

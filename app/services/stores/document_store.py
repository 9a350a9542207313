"""Read documents and known suppliers in PostgreSQL.

Raw texts, and the fields of whatever is no invoice, are sealed: a text is then base64, the fields are one entry
``sealed`` of base64. Invoices' fields stay open to the hotel's own queries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.core.ocr.issuers.base import DocumentType
from app.services.database import Connection, Row
from app.services.stores import key_store
from app.services.vault import SealedUnreadable, SealPlace
from app.types import Reference


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
    """Write a result, where its picture is kept, and what it could teach about its seller. Inside a transaction."""
    version = await key_store.sealing_version(connection)
    result_id: int = await connection.fetchval("SELECT nextval(pg_get_serial_sequence('ocr_results', 'id'))")
    sealed = _sealed(connection, result_id, document_type, data, raw_text.replace("\x00", ""), version=version)
    await connection.execute(
        "INSERT INTO ocr_results (id, document_type, extracted_data, confidence, raw_text, processed_by) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        result_id,
        document_type,
        sealed.data,
        confidence,
        sealed.raw_text,
        processed_by,
    )
    public_id: UUID = await connection.fetchval(
        "INSERT INTO ocr_result_records (result_id, read_vendor, fingerprints, object_key, key_version) "
        "VALUES ($1, $2, $3, $4, $5) RETURNING public_id",
        result_id,
        read_vendor,
        list(fingerprints),
        object_key,
        version,
    )
    return ResultKey(result_id, public_id)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What the columns hold."""

    data: dict[str, object]
    raw_text: str | None


def _sealed(
    connection: Connection,
    result_id: int,
    document_type: str,
    data: Mapping[str, object],
    raw_text: str | None,
    *,
    version: int,
) -> _Sealed:
    def seal(value: str, column: str) -> str:
        return connection.vault.seal_text(value, _place(column, result_id), version=version)

    return _Sealed(
        dict(data)
        if document_type == OtherKind.INVOICE
        else {"sealed": seal(json.dumps(dict(data), ensure_ascii=False), "extracted_data")},
        None if raw_text is None else seal(raw_text, "raw_text"),
    )


def _place(column: str, result_id: int) -> SealPlace:
    return SealPlace("ocr_results", column, str(result_id))


def _opened(connection: Connection, row: Row) -> _Sealed:
    """The other way; a row without a key version is plain."""
    data, raw_text = row["extracted_data"], row["raw_text"]
    if row["key_version"] is None:
        return _Sealed(data, raw_text)

    def open_(value: object, column: str) -> str:
        return connection.vault.open_text(value, _place(column, row["id"]))

    if row["document_type"] != OtherKind.INVOICE:
        data = json.loads(open_(data.get("sealed"), "extracted_data"))
    return _Sealed(data, None if raw_text is None else open_(raw_text, "raw_text"))


_STORED = (
    "SELECT r.*, o.confirmed_at, o.redacted_at, o.object_key, o.public_id, o.key_version FROM ocr_results r "
    "{join} ocr_result_records o ON o.result_id = r.id"
)


async def find_result(connection: Connection, reference: Reference) -> StoredResult | None:
    query = _STORED.format(join="LEFT JOIN") + (
        " WHERE o.public_id = $1" if isinstance(reference, UUID) else " WHERE r.id = $1"
    )
    row = await connection.fetchrow(query, reference)
    return _result(connection, row) if row else None


async def delete_result(connection: Connection, result_id: int) -> None:
    """Remove a result with all that we know of it; its picture is the caller's to remove."""
    await connection.execute("DELETE FROM ocr_result_records WHERE result_id = $1", result_id)
    await connection.execute("DELETE FROM ocr_results WHERE id = $1", result_id)


def _result(connection: Connection, row: Row, *, unreadable: dict[str, object] | None = None) -> StoredResult:
    try:
        opened = _opened(connection, row)
    except SealedUnreadable:
        if unreadable is None:
            raise
        opened = _Sealed(unreadable, None)
    return StoredResult(
        id=row["id"],
        document_type=row["document_type"],
        data=opened.data,
        confidence=row["confidence"],
        raw_text=opened.raw_text,
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
    """Put a person's values in the place of what was read; inside a transaction."""
    row = await connection.fetchrow(f"{_STORED.format(join='JOIN')} WHERE r.id = $1 FOR UPDATE OF r, o", result_id)
    if row is None:
        return
    await _rewrite(connection, result_id, row["document_type"], data, _opened(connection, row).raw_text)
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
    """Results with raw text or identity fields older than ``days``, locked until the transaction ends. One that
    can't be opened any more has nothing to keep."""
    rows = await connection.fetch(
        f"{_STORED.format(join='JOIN')} "
        "WHERE o.redacted_at IS NULL AND r.processed_at < NOW() - $1 * INTERVAL '1 day' "
        "ORDER BY r.id LIMIT $2 FOR UPDATE SKIP LOCKED",
        days,
        limit,
    )
    return [_result(connection, row, unreadable={}) for row in rows]


async def _rewrite(
    connection: Connection, result_id: int, document_type: str, data: Mapping[str, object], raw_text: str | None
) -> None:
    """Write fields and text, sealed with the key of today."""
    version = await key_store.sealing_version(connection)
    sealed = _sealed(connection, result_id, document_type, data, raw_text, version=version)
    await connection.execute(
        "UPDATE ocr_results SET extracted_data = $2, raw_text = $3 WHERE id = $1",
        result_id,
        sealed.data,
        sealed.raw_text,
    )
    await connection.execute("UPDATE ocr_result_records SET key_version = $2 WHERE result_id = $1", result_id, version)


async def seal_again(
    connection: Connection, *, unless: int, after_id: int, limit: int
) -> tuple[int, list[str], int | None]:
    """Seal the next results that are plain, or sealed with another key than that of the version ``unless``, with the
    key of today; the answer is that of ``key_store.seal_each``. Inside a transaction.
    """
    rows = await connection.fetch(
        f"{_STORED.format(join='JOIN')} WHERE o.key_version IS DISTINCT FROM $1 AND r.id > $2 "
        "ORDER BY r.id LIMIT $3 FOR UPDATE OF r, o",
        unless,
        after_id,
        limit,
    )

    async def seal(row: Row) -> None:
        opened = _opened(connection, row)
        await _rewrite(connection, row["id"], row["document_type"], opened.data, opened.raw_text)

    return await key_store.seal_each(rows, seal, name=lambda row: f"document {row['id']}")


async def redact_result(connection: Connection, result_id: int, data: Mapping[str, object]) -> None:
    """Replace the data and drop the raw text for good; inside a transaction."""
    kind = await connection.fetchval("SELECT document_type FROM ocr_results WHERE id = $1", result_id)
    await _rewrite(connection, result_id, kind, data, None)
    await connection.execute(
        "UPDATE ocr_result_records SET redacted_at = NOW(), object_key = NULL, read_vendor = NULL, "
        "fingerprints = '{}' WHERE result_id = $1",
        result_id,
    )

"""The SQL of lost-property claims. What the guest says, and how the guest is reached, lies sealed in one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import numpy as np

from app.core.image_embedding import QueryKind
from app.services.database import Connection, Row, affected
from app.services.stores.sealed_details import SealedDetails
from app.types import FloatArray

SEALED = SealedDetails("lost_claims", "claim")


class ClaimState(StrEnum):
    """``MATCHED``: a find may be it. ``RETURNED``: handed over. ``CLOSED``: given up, or withdrawn."""

    OPEN = "open"
    MATCHED = "matched"
    RETURNED = "returned"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class HandOver:
    """Who got a find, from whom, when, and which paper was seen."""

    image_id: str
    received_by: str
    paper_seen: str
    handed_over_by: str | None
    handed_over_at: str


@dataclass(frozen=True, slots=True)
class ClaimDetails:
    """What is kept sealed."""

    description: str | None = None
    place: str | None = None
    contact: str | None = None
    note: str | None = None
    hand_over: HandOver | None = None


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """What finds are compared with: ``vector`` is (d,) float32 of unit norm."""

    vector: FloatArray
    model_id: str
    kind: QueryKind


@dataclass(frozen=True, slots=True)
class ClaimDraft:
    """A claim as it is written."""

    details: ClaimDetails
    query: ClaimQuery
    room_number: str | None
    lost_from: date | None
    lost_until: date | None


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim. ``id`` is for cursors and rows beside it; callers know the ``claim_id``."""

    id: int
    claim_id: UUID
    state: ClaimState
    details: ClaimDetails
    query: ClaimQuery
    room_number: str | None
    lost_from: date | None
    lost_until: date | None
    created_at: datetime
    created_by: str | None
    changed_at: datetime
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class WaitingClaim:
    """What a find is held against: nothing that is sealed."""

    id: int
    claim_id: UUID
    query: ClaimQuery
    room_number: str | None


@dataclass(frozen=True, slots=True)
class ClaimFilter:
    """All that is set must hold; ``since`` and ``before`` are of its making."""

    state: ClaimState | None = None
    room_number: str | None = None
    since: datetime | None = None
    before: datetime | None = None


async def insert_claim(connection: Connection, draft: ClaimDraft, *, created_by: str | None) -> StoredClaim:
    """Write a claim; inside a transaction."""
    claim_id: int = await connection.fetchval("SELECT nextval(pg_get_serial_sequence('lost_claims', 'id'))")
    details, version = await SEALED.seal(connection, claim_id, asdict(draft.details))
    rows = await connection.fetch(
        "INSERT INTO lost_claims (id, room_number, lost_from, lost_until, details, key_version, model_id, query_kind, "
        "vector, created_by, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING *",
        claim_id,
        draft.room_number,
        draft.lost_from,
        draft.lost_until,
        details,
        version,
        draft.query.model_id,
        draft.query.kind,
        draft.query.vector.astype("<f4").tobytes(),
        created_by,
    )
    return _claim(connection, rows[0])


async def update_claim(connection: Connection, claim: StoredClaim, *, changed_by: str | None) -> StoredClaim:
    """Write a claim's fields over those of its row; inside a transaction that holds the row."""
    details, version = await SEALED.seal(connection, claim.id, asdict(claim.details))
    rows = await connection.fetch(
        "UPDATE lost_claims SET state = $2, room_number = $3, lost_from = $4, lost_until = $5, details = $6, "
        "key_version = $7, model_id = $8, query_kind = $9, vector = $10, changed_by = $11, changed_at = NOW() "
        "WHERE id = $1 RETURNING *",
        claim.id,
        claim.state,
        claim.room_number,
        claim.lost_from,
        claim.lost_until,
        details,
        version,
        claim.query.model_id,
        claim.query.kind,
        claim.query.vector.astype("<f4").tobytes(),
        changed_by,
    )
    return _claim(connection, rows[0])


async def note_hand_over(connection: Connection, claim_id: int, image_id: str) -> bool:
    """Write whose find it was; false where another claim has it. Inside a transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", image_id)
    return bool(
        await connection.fetchval(
            "UPDATE lost_claims SET handed_over_image = $2 WHERE id = $1 AND NOT EXISTS "
            "(SELECT FROM lost_claims WHERE handed_over_image = $2 AND id <> $1) RETURNING TRUE",
            claim_id,
            image_id,
        )
    )


def _opened(connection: Connection, row: Row) -> ClaimDetails:
    data = SEALED.open(connection, row)
    hand_over = data.pop("hand_over")
    return ClaimDetails(**data, hand_over=HandOver(**hand_over) if hand_over else None)


def _query(row: Row) -> ClaimQuery:
    return ClaimQuery(np.frombuffer(row["vector"], "<f4"), row["model_id"], QueryKind(row["query_kind"]))


def _claim(connection: Connection, row: Row) -> StoredClaim:
    return StoredClaim(
        id=row["id"],
        claim_id=row["public_id"],
        state=ClaimState(row["state"]),
        details=_opened(connection, row),
        query=_query(row),
        room_number=row["room_number"],
        lost_from=row["lost_from"],
        lost_until=row["lost_until"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )


async def find_claim(connection: Connection, claim_id: UUID) -> StoredClaim | None:
    row = await connection.fetchrow("SELECT * FROM lost_claims WHERE public_id = $1", claim_id)
    return _claim(connection, row) if row else None


async def lock_claim(connection: Connection, claim_id: UUID) -> StoredClaim | None:
    """As ``find_claim``, nobody else's to change until the transaction ends."""
    row = await connection.fetchrow("SELECT * FROM lost_claims WHERE public_id = $1 FOR UPDATE", claim_id)
    return _claim(connection, row) if row else None


async def list_claims(
    connection: Connection, wanted: ClaimFilter, *, before_id: int | None, limit: int
) -> list[StoredClaim]:
    """Claims, newest first, with smaller ids than ``before_id``."""
    rows = await connection.fetch(
        "SELECT * FROM lost_claims WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR room_number = $2) "
        "AND ($3::timestamptz IS NULL OR created_at >= $3) AND ($4::timestamptz IS NULL OR created_at < $4) "
        "AND ($5::bigint IS NULL OR id < $5) ORDER BY id DESC LIMIT $6",
        wanted.state,
        wanted.room_number,
        wanted.since,
        wanted.before,
        before_id,
        limit,
    )
    return [_claim(connection, row) for row in rows]


async def delete_claim(connection: Connection, claim_id: UUID) -> bool:
    """Remove a claim with its matches; whether there was one."""
    return affected(await connection.execute("DELETE FROM lost_claims WHERE public_id = $1", claim_id)) == 1


async def delete_old_claims(connection: Connection, *, days: int) -> int:
    """Erase claims that nobody changed for more than ``days``, whatever their state; how many."""
    return affected(
        await connection.execute("DELETE FROM lost_claims WHERE changed_at < NOW() - $1 * INTERVAL '1 day'", days)
    )


# Matches


async def add_match(connection: Connection, claim_id: int, image_id: str, similarity: float) -> bool:
    """Note that a find may be what a claim waits for; false where that was noted, or the claim waits no more. Inside a
    transaction."""
    status = await connection.execute(
        "INSERT INTO claim_matches (claim_id, image_id, similarity) SELECT id, $2, $3 FROM lost_claims "
        "WHERE id = $1 AND state IN ('open', 'matched') FOR UPDATE ON CONFLICT DO NOTHING",
        claim_id,
        image_id,
        similarity,
    )
    if not affected(status):
        return False
    await connection.execute(
        "UPDATE lost_claims SET state = 'matched', changed_at = NOW() WHERE id = $1 AND state = 'open'", claim_id
    )
    return True


async def dismissed_finds(connection: Connection, claim_id: int) -> set[str]:
    """The finds that somebody said are not it."""
    rows = await connection.fetch("SELECT image_id FROM claim_matches WHERE claim_id = $1 AND dismissed", claim_id)
    return {row["image_id"] for row in rows}


async def dismiss_finds(connection: Connection, claim_id: int, image_ids: Sequence[str]) -> bool:
    """Note that these finds are not it; whether others are left that may be."""
    await connection.executemany(
        "INSERT INTO claim_matches (claim_id, image_id, similarity, dismissed) VALUES ($1, $2, 0, TRUE) "
        "ON CONFLICT (claim_id, image_id) DO UPDATE SET dismissed = TRUE",
        [(claim_id, image_id) for image_id in image_ids],
    )
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM claim_matches WHERE claim_id = $1 AND NOT dismissed)", claim_id
        )
    )


# The work of the matcher


async def note_find(connection: Connection, image_id: str) -> None:
    """Have a find held against the claims that wait; in the transaction that makes it visible."""
    await connection.execute("INSERT INTO new_finds (image_id) VALUES ($1) ON CONFLICT DO NOTHING", image_id)


async def take_finds(connection: Connection, *, limit: int) -> list[str]:
    """Finds that no claim was held against, taken out of the list by the caller's transaction."""
    rows = await connection.fetch(
        "DELETE FROM new_finds WHERE image_id IN (SELECT image_id FROM new_finds ORDER BY noted_at LIMIT $1 "
        "FOR UPDATE SKIP LOCKED) RETURNING image_id",
        limit,
    )
    return [row["image_id"] for row in rows]


async def waiting_claims(
    connection: Connection, *, model_id: str, day: date, after_id: int, limit: int
) -> list[WaitingClaim]:
    """The next claims that a find of that day may answer: those of things lost until then."""
    rows = await connection.fetch(
        "SELECT id, public_id, vector, model_id, query_kind, room_number FROM lost_claims "
        "WHERE state IN ('open', 'matched') AND model_id = $1 AND (lost_from IS NULL OR lost_from <= $2) AND id > $3 "
        "ORDER BY id LIMIT $4",
        model_id,
        day,
        after_id,
        limit,
    )
    return [WaitingClaim(row["id"], row["public_id"], _query(row), row["room_number"]) for row in rows]


async def unsearched_claims(connection: Connection, *, older_than_s: float, limit: int) -> list[StoredClaim]:
    """Claims whose first search did not come to its end."""
    rows = await connection.fetch(
        "SELECT * FROM lost_claims WHERE NOT searched AND state IN ('open', 'matched') "
        "AND changed_at < NOW() - $1 * INTERVAL '1 second' ORDER BY id LIMIT $2",
        older_than_s,
        limit,
    )
    return [_claim(connection, row) for row in rows]


async def claims_of_other_models(connection: Connection, *, model_id: str, limit: int) -> list[StoredClaim]:
    """Claims that wait with a vector of another model, and whose words can be read again."""
    rows = await connection.fetch(
        "SELECT * FROM lost_claims WHERE state IN ('open', 'matched') AND model_id <> $1 AND query_kind <> 'image' "
        "ORDER BY id LIMIT $2",
        model_id,
        limit,
    )
    return [_claim(connection, row) for row in rows]


async def set_searched(connection: Connection, claim_id: int, *, searched: bool) -> None:
    await connection.execute("UPDATE lost_claims SET searched = $2 WHERE id = $1", claim_id, searched)


def with_changes(claim: StoredClaim, changes: Mapping[str, object]) -> StoredClaim:
    """The claim with other values, those of its details among them."""
    details = {name: value for name, value in changes.items() if name in ClaimDetails.__dataclass_fields__}
    own = {name: value for name, value in changes.items() if name not in details}
    return replace(claim, details=replace(claim.details, **details), **own)  # type: ignore[arg-type]  # the model checked them

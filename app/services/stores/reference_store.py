"""The SQL of reference photos: how a room, or every room of a type, should look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.services.database import Connection, Row
from app.types import Box


class OwnerKind(StrEnum):
    """A room's own reference goes before that of its type."""

    ROOM = "room"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose reference it is: a room's number, or the name of a type."""

    kind: OwnerKind
    name: str


@dataclass(frozen=True, slots=True)
class ReferenceItem:
    """Something that is counted: its name, and its place in the reference photo of that number, in pixels."""

    name: str
    photo: int
    box: Box


@dataclass(frozen=True, slots=True)
class Reference:
    """The photos, by their keys, and what is counted in them."""

    owner: Owner
    photo_keys: tuple[str, ...]
    items: tuple[ReferenceItem, ...]
    set_at: datetime
    set_by: str | None


async def lock_owner(connection: Connection, owner: Owner) -> None:
    """Wait until no other transaction changes this reference; held until this one ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext('cv_room_reference'), hashtext($1))", f"{owner.kind}:{owner.name}"
    )


async def save_reference(
    connection: Connection, owner: Owner, keys: Sequence[str], items: Sequence[ReferenceItem], *, set_by: str | None
) -> Reference:
    """Set what is compared with, in the place of what was."""
    [row] = await connection.fetch(
        "INSERT INTO room_references (owner_kind, owner, photo_keys, items, set_by) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (owner_kind, owner) DO UPDATE SET photo_keys = $3, items = $4, set_at = NOW(), set_by = $5 "
        "RETURNING *",
        owner.kind,
        owner.name,
        list(keys),
        [
            {"name": item.name, "photo": item.photo, "box": [item.box.x1, item.box.y1, item.box.x2, item.box.y2]}
            for item in items
        ],
        set_by,
    )
    return _reference(row)


async def find_reference(connection: Connection, *owners: Owner) -> Reference | None:
    """That of the first of these that has one."""
    rows = await connection.fetch(
        "SELECT held.* FROM room_references AS held JOIN unnest($1::text[], $2::text[]) "
        "WITH ORDINALITY AS wanted (kind, name, place) ON wanted.kind = owner_kind AND wanted.name = owner "
        "ORDER BY place LIMIT 1",
        [owner.kind for owner in owners],
        [owner.name for owner in owners],
    )
    return _reference(rows[0]) if rows else None


async def delete_reference(connection: Connection, owner: Owner) -> None:
    await connection.execute("DELETE FROM room_references WHERE owner_kind = $1 AND owner = $2", owner.kind, owner.name)


def _reference(row: Row) -> Reference:
    return Reference(
        owner=Owner(OwnerKind(row["owner_kind"]), row["owner"]),
        photo_keys=tuple(row["photo_keys"]),
        items=tuple(ReferenceItem(item["name"], item["photo"], Box(*item["box"])) for item in row["items"]),
        set_at=row["set_at"],
        set_by=row["set_by"],
    )

"""The SQL of indexed pictures. Every function runs on the caller's connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from app.services.database import Connection, Row, affected
from app.services.image_filters import ImageFilter
from app.services.stores.folding import folded_sql
from app.services.stores.image_matrix import IMAGES
from app.services.stores.matrix_store import unseen
from app.types import FloatArray

_PAGE_COLUMNS = (
    "m.id, m.vector_id, m.category, m.room_number, m.upload_time, m.uploaded_by, m.tags, m.metadata, "
    "a.object_key, a.thumbnail_key, a.width, a.height, a.model_id"
)
_FROM = "FROM image_metadata m JOIN image_assets a ON a.image_id = m.id WHERE NOT m.is_deleted"
_ITEM_TYPE, _LOCATION = folded_sql("m.metadata->>'item_type'"), folded_sql("m.metadata->>'location'")
_TAGS = (
    f"SELECT {folded_sql('tag')} FROM jsonb_array_elements_text("  # noqa: S608  # constants only
    "CASE jsonb_typeof(m.tags) WHEN 'array' THEN m.tags ELSE '[]' END) AS tag"
)
_SHOWN = f"SELECT {_PAGE_COLUMNS} {_FROM}"  # constants only


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What people say of a picture. ``item_type``, ``tags`` and ``location`` are what searches are narrowed by."""

    category: str
    room_number: str | None = None
    item_type: str | None = None
    tags: tuple[str, ...] = ()
    location: str | None = None
    description: str | None = None
    status: str = "active"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An indexed picture. Keys name objects of the store."""

    image_id: str
    vector_id: str
    details: ImageDetails
    uploaded_at: datetime
    uploaded_by: str | None
    object_key: str
    thumbnail_key: str
    width: int
    height: int
    model_id: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture is searched and recognised again by: its vector, (d,) of unit norm, and its pixels' SHA-256."""

    vector: FloatArray
    pixel_sha256: bytes


async def lock_picture(connection: Connection, pixel_sha256: bytes) -> None:
    """Wait until no other transaction indexes the same pixels; held until this one ends."""
    number = int.from_bytes(pixel_sha256[:8], "big", signed=True)
    await connection.execute("SELECT pg_advisory_xact_lock($1)", number)


async def find_duplicate(connection: Connection, category: str, pixel_sha256: bytes) -> StoredImage | None:
    """The first picture of the category with the same pixels."""
    row = await connection.fetchrow(
        f"{_SHOWN} AND m.category = $1 AND a.pixel_sha256 = $2 ORDER BY m.upload_time, m.id LIMIT 1",
        category,
        pixel_sha256,
    )
    return _image(row) if row else None


async def add_image(
    connection: Connection, image: StoredImage, fingerprint: Fingerprint, *, storage_url: str, thumbnail_url: str
) -> None:
    """Write the rows that make the picture visible."""
    details = image.details
    await connection.execute(
        "INSERT INTO image_metadata (id, category, room_number, vector_id, storage_url, thumbnail_url, upload_time, "
        "uploaded_by, tags, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        image.image_id,
        details.category,
        details.room_number,
        image.vector_id,
        storage_url,
        thumbnail_url,
        image.uploaded_at,
        image.uploaded_by,
        list(details.tags),
        _metadata(details),
    )
    await connection.execute(
        "INSERT INTO image_assets (image_id, object_key, thumbnail_key, pixel_sha256, width, height, model_id, vector) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        image.image_id,
        image.object_key,
        image.thumbnail_key,
        fingerprint.pixel_sha256,
        image.width,
        image.height,
        image.model_id,
        fingerprint.vector.astype("<f4").tobytes(),
    )


async def find_image(connection: Connection, image_id: str) -> StoredImage | None:
    row = await connection.fetchrow(f"{_SHOWN} AND m.id = $1", image_id)
    return _image(row) if row else None


async def find_for_change(connection: Connection, image_id: str) -> StoredImage | None:
    """A picture, locked until the transaction ends."""
    row = await connection.fetchrow(f"{_SHOWN} AND m.id = $1 FOR UPDATE OF m", image_id)
    return _image(row) if row else None


async def find_with_vector(connection: Connection, image_id: str) -> tuple[StoredImage, FloatArray] | None:
    """A picture and its vector."""
    row = await connection.fetchrow(
        f"SELECT {_PAGE_COLUMNS}, a.vector {_FROM} AND m.id = $1",  # constants only
        image_id,
    )
    return (_image(row), np.frombuffer(row["vector"], "<f4")) if row else None


async def change_image(connection: Connection, image_id: str, details: ImageDetails, *, vector_id: str) -> None:
    await connection.execute(
        "UPDATE image_metadata SET room_number = $2, tags = $3, metadata = $4, vector_id = $5 WHERE id = $1",
        image_id,
        details.room_number,
        list(details.tags),
        _metadata(details),
        vector_id,
    )


async def remove_image(connection: Connection, image_id: str) -> StoredImage | None:
    """Delete a picture's rows; None if there are none."""
    image = await find_image(connection, image_id)
    if image is not None:
        await connection.execute("DELETE FROM image_metadata WHERE id = $1", image_id)
    return image


async def shown_vectors(connection: Connection, vector_ids: Sequence[str], wanted: ImageFilter) -> set[str]:
    """Those of the ids whose picture may be shown and meets the filter; an orphan of a crash and a deleted picture do
    not."""
    arguments: list[object] = [list(vector_ids)]
    conditions = conditions_of(wanted, arguments)
    rows = await connection.fetch(
        " AND ".join([f"SELECT m.vector_id {_FROM} AND m.vector_id = ANY($1)", *conditions]), *arguments
    )
    return {row["vector_id"] for row in rows}


async def images_now(
    connection: Connection, image_ids: Sequence[str], snapshot: str | None
) -> tuple[dict[str, StoredImage], bool]:
    """The pictures of these ids, and whether there are changes that the snapshot has not seen.

    Args:
        snapshot: None where that is not asked.
    """
    rows = await connection.fetch(
        f"SELECT known.is_behind, o.* FROM (SELECT {unseen(IMAGES, '$2::text')} AS is_behind) known "  # noqa: S608  # constants only
        f"LEFT JOIN ({_SHOWN} AND m.id = ANY($1)) o ON TRUE",
        list(image_ids),
        snapshot,
    )
    return {row["id"]: _image(row) for row in rows if row["id"]}, any(row["is_behind"] for row in rows)


async def vectors_of(connection: Connection, vector_ids: Sequence[str]) -> list[tuple[StoredImage, FloatArray]]:
    """The pictures of these vector ids, with their vectors."""
    rows = await connection.fetch(
        f"SELECT {_PAGE_COLUMNS}, a.vector {_FROM} AND m.vector_id = ANY($1)",
        list(vector_ids),
    )
    return [(_image(row), np.frombuffer(row["vector"], "<f4")) for row in rows]


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """What reconciling has to know of a picture. ``settled``: its row is older than the age asked about."""

    vector_id: str
    thumbnail_key: str
    model_id: str
    settled: bool


async def indexed_images(connection: Connection, *, settled_after: timedelta) -> list[IndexedImage]:
    """All pictures that searches may show."""
    rows = await connection.fetch(
        f"SELECT m.vector_id, a.thumbnail_key, a.model_id, a.created_at < NOW() - $1::interval AS settled {_FROM}",
        settled_after,
    )
    return [IndexedImage(**row) for row in rows]


async def named_vectors(connection: Connection, model_id: str) -> list[tuple[str, FloatArray]]:
    """Item types and vectors of the model's pictures that have one."""
    rows = await connection.fetch(
        f"SELECT m.metadata->>'item_type' AS name, a.vector {_FROM} AND a.model_id = $1 "  # constants only
        "AND m.metadata->>'item_type' IS NOT NULL",
        model_id,
    )
    return [(row["name"], np.frombuffer(row["vector"], "<f4")) for row in rows]


async def list_images(
    connection: Connection, wanted: ImageFilter, *, after: tuple[datetime, str] | None, limit: int
) -> list[StoredImage]:
    """The next pictures, newest first, after the one of that moment and id."""
    arguments: list[object] = []
    conditions = conditions_of(wanted, arguments)
    if after is not None:
        arguments += after
        conditions.append(f"(m.upload_time, m.id) < (${len(arguments) - 1}, ${len(arguments)})")
    arguments.append(limit)
    rows = await connection.fetch(
        " AND ".join([_SHOWN, *conditions]) + f" ORDER BY m.upload_time DESC, m.id DESC LIMIT ${len(arguments)}",
        *arguments,
    )
    return [_image(row) for row in rows]


async def count_for_which(connection: Connection, wanted: ImageFilter, *, model_id: str) -> int:
    """How many pictures of a model the filter holds for."""
    arguments: list[object] = [model_id]
    conditions = conditions_of(wanted, arguments)
    query = " AND ".join([f"SELECT count(*) {_FROM} AND a.model_id = $1", *conditions])  # values are arguments
    return int(await connection.fetchval(query, *arguments))


async def vectors_for_which(connection: Connection, wanted: ImageFilter, *, limit: int) -> list[str]:
    """The vector ids of up to ``limit`` pictures for which the filter holds, in no order."""
    arguments: list[object] = []
    conditions = conditions_of(wanted, arguments)
    arguments.append(limit)
    query = " AND ".join([f"SELECT m.vector_id {_FROM}", *conditions]) + f" LIMIT ${len(arguments)}"
    rows = await connection.fetch(query, *arguments)
    return [row["vector_id"] for row in rows]


# What cv reindex still has to embed with a model: its vector is of another one, and none is staged.
_WAITING = (
    f"{_FROM} AND a.model_id <> $1 "
    "AND NOT EXISTS (SELECT FROM image_reindex r WHERE r.image_id = m.id AND r.model_id = $1)"
)


async def count_waiting(connection: Connection, model_id: str) -> int:
    """Pictures that have no vector of the model yet."""
    return int(await connection.fetchval(f"SELECT count(*) {_WAITING}", model_id))


async def waiting_images(connection: Connection, model_id: str, *, after_id: str, limit: int) -> list[StoredImage]:
    """The next pictures, by id, that have no vector of the model yet."""
    rows = await connection.fetch(
        f"SELECT {_PAGE_COLUMNS} {_WAITING} AND m.id > $2 ORDER BY m.id LIMIT $3",
        model_id,
        after_id,
        limit,
    )
    return [_image(row) for row in rows]


async def stage_vectors(connection: Connection, staged: Sequence[tuple[StoredImage, FloatArray]]) -> None:
    """Keep new vectors, with the vector and model ids that the pictures carry here, until the switch."""
    await connection.executemany(
        "INSERT INTO image_reindex (image_id, model_id, vector_id, vector) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (image_id) DO UPDATE SET model_id = $2, vector_id = $3, vector = $4",
        [(image.image_id, image.model_id, image.vector_id, vector.astype("<f4").tobytes()) for image, vector in staged],
    )


async def switch_vectors(connection: Connection, model_id: str) -> int:
    """Make the staged vectors of the model the pictures' own, and empty the stage; how many there were."""
    await connection.execute(
        "UPDATE image_assets a SET model_id = r.model_id, vector = r.vector FROM image_reindex r "
        "WHERE r.image_id = a.image_id AND r.model_id = $1",
        model_id,
    )
    status = await connection.execute(
        "UPDATE image_metadata m SET vector_id = r.vector_id FROM image_reindex r "
        "WHERE r.image_id = m.id AND r.model_id = $1",
        model_id,
    )
    await connection.execute("DELETE FROM image_reindex")
    return affected(status)


def conditions_of(wanted: ImageFilter, arguments: list[object]) -> list[str]:
    """The filter as conditions on ``image_metadata m``; their values are appended to ``arguments``."""

    def place(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    found: list[str] = []
    for column, value in (("m.category", wanted.category), ("m.room_number", wanted.room_number)):
        if value:
            found.append(f"{column} = {place(value)}")
    if wanted.item_type:
        found.append(f"{_ITEM_TYPE} = {place(wanted.item_type)}")
    if wanted.status:
        found.append(f"m.metadata->>'status' = {place(wanted.status)}")
    if wanted.tags:
        tags = place(list(wanted.tags))
        found.append(f"{tags}::text[] <@ ARRAY({_TAGS})")
    if wanted.location:
        found.append(f"position({place(wanted.location)} in {_LOCATION}) > 0")
    if wanted.since:
        found.append(f"m.upload_time >= {place(wanted.since)}")
    if wanted.before:
        found.append(f"m.upload_time < {place(wanted.before)}")
    return found


def _metadata(details: ImageDetails) -> dict[str, object]:
    described = {
        "item_type": details.item_type,
        "location": details.location,
        "description": details.description,
        "status": details.status,
    }
    return {name: value for name, value in described.items() if value is not None}


def _image(row: Row) -> StoredImage:
    metadata = row["metadata"] or {}
    return StoredImage(
        image_id=row["id"],
        vector_id=row["vector_id"],
        details=ImageDetails(
            category=row["category"],
            room_number=row["room_number"],
            item_type=metadata.get("item_type"),
            tags=tuple(row["tags"] or ()),
            location=metadata.get("location"),
            description=metadata.get("description"),
            status=metadata.get("status", "active"),
        ),
        uploaded_at=row["upload_time"],
        uploaded_by=row["uploaded_by"],
        object_key=row["object_key"],
        thumbnail_key=row["thumbnail_key"],
        width=row["width"],
        height=row["height"],
        model_id=row["model_id"],
    )

"""Which objects of the store are sealed: crops of faces and pictures of documents. Every function runs on the caller's
connection."""

from __future__ import annotations

from app.services.database import Connection

_NAMED = (
    "SELECT crop_key AS key FROM face_templates WHERE crop_key IS NOT NULL UNION "
    "SELECT object_key FROM ocr_result_records WHERE object_key IS NOT NULL"
)


async def named_objects(connection: Connection) -> list[str]:
    """The keys of all that rows name, in order."""
    rows = await connection.fetch(f"{_NAMED} ORDER BY key")
    return [row["key"] for row in rows]


async def is_named(connection: Connection, key: str) -> bool:
    """Whether a row names that object."""
    return await connection.fetchval(f"SELECT 1 FROM ({_NAMED}) n WHERE key = $1", key) is not None  # noqa: S608

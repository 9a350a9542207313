"""Which turns of the face index there are. Every function runs on the caller's connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection


@dataclass(frozen=True, slots=True)
class IndexTurns:
    """Key versions of the turns: the one that is searched, and all that are written, that one among them."""

    searched: int
    written: tuple[int, ...]


async def index_turns(connection: Connection) -> IndexTurns | None:
    """None where there is no index yet."""
    rows = await connection.fetch("SELECT key_version, searched FROM face_index_turns ORDER BY key_version")
    searched = [row["key_version"] for row in rows if row["searched"]]
    return IndexTurns(searched[0], tuple(row["key_version"] for row in rows)) if searched else None


async def begin_index(connection: Connection, version: int) -> IndexTurns:
    """Let an index of that turn be the first one, unless somebody else was faster. Inside a transaction."""
    await connection.execute("LOCK TABLE face_index_turns IN SHARE ROW EXCLUSIVE MODE")
    await connection.execute(
        "INSERT INTO face_index_turns (key_version, searched) "
        "SELECT $1, TRUE WHERE NOT EXISTS (SELECT FROM face_index_turns WHERE searched)",
        version,
    )
    return await index_turns(connection) or IndexTurns(version, (version,))


async def add_turn(connection: Connection, version: int) -> datetime:
    """Let a turn be written beside the one that is searched; since when it is."""
    await connection.execute(
        "INSERT INTO face_index_turns (key_version, searched) VALUES ($1, FALSE) ON CONFLICT DO NOTHING", version
    )
    since: datetime = await connection.fetchval("SELECT since FROM face_index_turns WHERE key_version = $1", version)
    return since


async def search_turn(connection: Connection, version: int) -> None:
    """Let a turn be the one that is searched."""
    await connection.execute("UPDATE face_index_turns SET searched = (key_version = $1)", version)


async def remove_other_turns(connection: Connection, version: int) -> list[int]:
    """Write that turn alone from now on; the others."""
    rows = await connection.fetch("DELETE FROM face_index_turns WHERE key_version <> $1 RETURNING key_version", version)
    return [row["key_version"] for row in rows]

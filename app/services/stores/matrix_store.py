"""The SQL of change notes: what a matrix in memory has not seen yet. Triggers write the notes.

A *snapshot* (PostgreSQL's own, as text) says which transactions its reader has seen. A note whose transaction is not
among them is unseen, in whatever order transactions commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.vector_matrix import MatrixRow
from app.services.database import Connection

CHANNEL = "cv_matrix"
NOTES_KEPT_S = 24 * 3600.0
"""How long notes are kept: what has not looked for longer has to read everything again."""


def unseen(matrix: str, snapshot: str) -> str:
    """A condition: there are notes that the snapshot has not seen.

    Args:
        matrix: a constant of ours.
        snapshot: a placeholder; where it is NULL, there are none.
    """
    return f"EXISTS (SELECT FROM matrix_changes n WHERE {_unseen(matrix, snapshot)})"


def _unseen(matrix: str, snapshot: str) -> str:
    # A number that the server has not given out yet is of the server that the database was restored from.
    return (
        f"n.matrix = '{matrix}' AND n.xid >= pg_snapshot_xmin({snapshot}::pg_snapshot) "
        f"AND n.xid < pg_snapshot_xmax(pg_current_snapshot()) "
        f"AND NOT pg_visible_in_snapshot(n.xid, {snapshot}::pg_snapshot)"
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a snapshot, and the snapshot that has seen it. ``keys`` is None where that is everything, or
    more than was asked for."""

    snapshot: str
    keys: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class MatrixPage:
    """Some rows, and what to ask on after; None at the end."""

    rows: tuple[MatrixRow, ...]
    next_after: str | None


class MatrixTable(Protocol):
    """The table behind a matrix. ``connection`` is the caller's in every call."""

    @property
    def matrix(self) -> str:
        """What the notes call it."""

    async def count(self, connection: Connection) -> int:
        """How many rows the matrix would have."""

    async def page(self, connection: Connection, *, after: str, limit: int) -> MatrixPage:
        """The rows after one, "" for the first, in an order of their own."""

    async def rows(self, connection: Connection, keys: Sequence[str]) -> tuple[MatrixRow, ...]:
        """Those of the keys that the matrix has to hold."""


async def take_snapshot(connection: Connection) -> str:
    """What this moment has seen."""
    return str(await connection.fetchval("SELECT pg_current_snapshot()::text"))


async def changes_since(connection: Connection, matrix: str, snapshot: str, *, limit: int) -> Changes:
    """The keys that were noted since a snapshot."""
    row = await connection.fetchrow(
        "SELECT pg_current_snapshot()::text AS snapshot, "  # noqa: S608  # constants only
        f"ARRAY(SELECT DISTINCT n.key FROM matrix_changes n WHERE {_unseen(matrix, '$1::text')} LIMIT $2) AS keys",
        snapshot,
        limit + 1,
    )
    keys = row["keys"] if row else []
    return Changes(
        str(row["snapshot"]) if row else snapshot, None if None in keys or len(keys) > limit else tuple(keys)
    )


async def is_behind(connection: Connection, matrix: str, snapshot: str) -> bool:
    """Whether there are notes that the snapshot has not seen."""
    return bool(await connection.fetchval(f"SELECT {unseen(matrix, '$1::text')}", snapshot))


async def forget_old_notes(connection: Connection) -> None:
    """Remove notes older than ``NOTES_KEPT_S``."""
    await connection.execute(
        "DELETE FROM matrix_changes WHERE changed_at < NOW() - $1 * INTERVAL '1 second'", NOTES_KEPT_S
    )

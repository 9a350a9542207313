"""The SQL of the gallery in memory: the active templates of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.vector_matrix import MatrixRow
from app.services.database import Connection, Row
from app.services.stores.face_store import STORED_VECTOR, Identity, stored_vector
from app.services.stores.matrix_store import MatrixPage, unseen

FACES = "faces"
OWNER_COLUMN = 0
"""The only label of a row: whose template it is."""

_ACTIVE = (
    "FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) WHERE f.is_active AND t.model_id = $1"
)
_ROWS = f"SELECT {STORED_VECTOR}, t.employee_id, t.number {_ACTIVE}"  # constants only


@dataclass(frozen=True, slots=True)
class TemplateTable:
    """``MatrixTable`` over the templates of a model, by their vector ids."""

    model_id: str
    matrix: str = FACES

    async def count(self, connection: Connection) -> int:
        return int(await connection.fetchval(f"SELECT count(*) {_ACTIVE}", self.model_id))

    async def page(self, connection: Connection, *, after: str, limit: int) -> MatrixPage:
        rows = await connection.fetch(
            f"{_ROWS} AND t.number > $2 ORDER BY t.number LIMIT $3", self.model_id, int(after or 0), limit
        )
        return MatrixPage(_read(connection, rows), str(rows[-1]["number"]) if len(rows) == limit else None)

    async def rows(self, connection: Connection, keys: Sequence[str]) -> tuple[MatrixRow, ...]:
        return _read(
            connection, await connection.fetch(f"{_ROWS} AND t.vector_id = ANY($2)", self.model_id, list(keys))
        )


def _read(connection: Connection, rows: Sequence[Row]) -> tuple[MatrixRow, ...]:
    return tuple(MatrixRow(row["vector_id"], stored_vector(connection, row), (row["employee_id"],)) for row in rows)


async def owners_now(
    connection: Connection, vector_ids: Sequence[str], snapshot: str | None
) -> tuple[dict[str, Identity], bool]:
    """The owners of those templates that are active, and whether there are changes that the snapshot has not seen.

    Args:
        snapshot: None where that is not asked.
    """
    rows = await connection.fetch(
        "SELECT known.is_behind, o.* FROM "  # noqa: S608  # constants only
        f"(SELECT {unseen(FACES, '$2::text')} AS is_behind) known LEFT JOIN "
        "(SELECT f.vector_id, f.employee_id, e.name FROM employee_faces f JOIN employees e ON e.id = f.employee_id "
        "WHERE f.vector_id = ANY($1) AND f.is_active) o ON TRUE",
        list(vector_ids),
        snapshot,
    )
    owners = {row["vector_id"]: Identity(row["employee_id"], row["name"]) for row in rows if row["vector_id"]}
    return owners, any(row["is_behind"] for row in rows)

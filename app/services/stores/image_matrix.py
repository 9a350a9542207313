"""The SQL of pictures in memory: the vectors of one model, with what searches are narrowed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.vector_matrix import BoolArray, MatrixRow, MatrixView
from app.services.database import Connection, Row
from app.services.image_filters import ImageFilter
from app.services.stores.matrix_store import MatrixPage
from app.utils.text_folding import folded

IMAGES = "images"
COLUMNS = ("category", "room_number", "item_type", "location", "status", "tags")
"""The labels of a row, in this order; words and tags are folded, and empty where unknown."""

_SHOWN = "FROM image_metadata m JOIN image_assets a ON a.image_id = m.id WHERE NOT m.is_deleted AND a.model_id = $1"
_ROWS = (
    "SELECT m.id, a.vector, m.category, m.room_number, m.upload_time, m.tags, m.metadata->>'item_type' AS item_type, "
    "m.metadata->>'location' AS location, COALESCE(m.metadata->>'status', 'active') AS status " + _SHOWN
)


@dataclass(frozen=True, slots=True)
class ImageTable:
    """``MatrixTable`` over the pictures of a model, by their ids."""

    model_id: str
    matrix: str = IMAGES

    async def count(self, connection: Connection) -> int:
        return int(await connection.fetchval(f"SELECT count(*) {_SHOWN}", self.model_id))

    async def page(self, connection: Connection, *, after: str, limit: int) -> MatrixPage:
        rows = await connection.fetch(f"{_ROWS} AND m.id > $2 ORDER BY m.id LIMIT $3", self.model_id, after, limit)
        return MatrixPage(_read(rows), rows[-1]["id"] if len(rows) == limit else None)

    async def rows(self, connection: Connection, keys: Sequence[str]) -> tuple[MatrixRow, ...]:
        return _read(await connection.fetch(f"{_ROWS} AND m.id = ANY($2)", self.model_id, list(keys)))


def rows_for_which(view: MatrixView, wanted: ImageFilter) -> BoolArray | None:
    """The rows for which a filter holds; None for all."""
    equal = {
        "category": wanted.category,
        "room_number": wanted.room_number,
        "item_type": wanted.item_type,
        "status": wanted.status,
    }
    masks = [view.where(COLUMNS.index(name), value.__eq__) for name, value in equal.items() if value]
    if wanted.location:
        part = wanted.location
        masks.append(view.where(COLUMNS.index("location"), lambda place: part in str(place)))
    if wanted.tags:
        tags = frozenset(wanted.tags)
        masks.append(view.where(COLUMNS.index("tags"), lambda own: isinstance(own, frozenset) and tags <= own))
    if wanted.since or wanted.before:
        masks.append(
            view.between(
                wanted.since.timestamp() if wanted.since else None, wanted.before.timestamp() if wanted.before else None
            )
        )
    return np.logical_and.reduce(masks) if masks else None


def _read(rows: Sequence[Row]) -> tuple[MatrixRow, ...]:
    return tuple(
        MatrixRow(
            row["id"],
            np.frombuffer(row["vector"], "<f4"),
            (
                row["category"],
                row["room_number"] or "",
                folded(row["item_type"] or ""),
                folded(row["location"] or ""),
                row["status"],
                frozenset(map(folded, row["tags"] or ())),
            ),
            row["upload_time"].timestamp(),
        )
        for row in rows
    )

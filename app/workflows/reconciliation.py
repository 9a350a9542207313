"""Finds and mends what a crash left between PostgreSQL, which is the record, and Milvus and the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import face_store
from app.services.vector_db import VectorDBService

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class FaceFindings:
    """What does not fit.

    Attributes:
        orphan_vectors: in Milvus without an active row: they match nobody, and only take room.
        missing_vectors: active rows whose vector Milvus lacks: these people are not recognised by that template.
        orphan_crops: kept crops that no row names.
        half_enrolled: active rows without a stored template; nothing but a hand in the database makes them.
    """

    orphan_vectors: tuple[str, ...]
    missing_vectors: tuple[str, ...]
    orphan_crops: tuple[str, ...]
    half_enrolled: tuple[str, ...]

    @property
    def consistent(self) -> bool:
        return not (self.orphan_vectors or self.missing_vectors or self.orphan_crops or self.half_enrolled)


class FaceReconciler:
    """Compares the two sides; safe to run beside a serving process.

    Rows younger than a minute are left: Milvus may not have listed their vectors yet. Enrolments wait for the look at
    PostgreSQL, and it for them.
    """

    def __init__(self, database: Database, vectors: VectorDBService, storage: ObjectStorage) -> None:
        self._database = database
        self._vectors = vectors
        self._storage = storage

    async def find(self) -> FaceFindings:
        """Look, without changing anything."""
        model_id = self._vectors.faces.spec.model_id
        # Milvus and the store first, then the lock: the enrolment that wrote what was just seen is over by then.
        stored = {row["vector_id"] async for row in self._stored_vectors()}
        crops = set(await self._storage.list_keys("faces/"))
        async with self._database.transaction() as connection:
            await face_store.lock_enrolments(connection)
            known = await _known_templates(connection)
            half = await _half_enrolled(connection)
            pending = await _pending(connection)
        current = {vector_id for vector_id, (model, _, _) in known.items() if model == model_id}
        settled = {vector_id for vector_id in current if known[vector_id][2]}
        kept = {crop for _, crop, _ in known.values() if crop}
        return FaceFindings(
            orphan_vectors=tuple(sorted(stored - set(known) - pending)),
            missing_vectors=tuple(sorted(settled - stored)),
            orphan_crops=tuple(sorted(crops - kept - pending)),
            half_enrolled=tuple(half),
        )

    async def mend(self, findings: FaceFindings) -> None:
        """Remove orphans and insert missing vectors from the stored templates."""
        await self._vectors.delete_face_vectors(findings.orphan_vectors)
        await self._storage.delete_all(findings.orphan_crops)
        for start in range(0, len(findings.missing_vectors), _PAGE):
            await self._restore(findings.missing_vectors[start : start + _PAGE])

    async def _restore(self, vector_ids: tuple[str, ...]) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT t.vector_id, t.employee_id, t.vector, f.quality_score FROM face_templates t "
                "JOIN employee_faces f USING (employee_id, vector_id) WHERE t.vector_id = ANY($1) AND f.is_active",
                list(vector_ids),
            )
        for row in rows:
            await self._vectors.insert_face_embedding(
                row["employee_id"],
                np.frombuffer(row["vector"], "<f4"),
                row["quality_score"],
                vector_id=row["vector_id"],
            )

    async def _stored_vectors(self) -> AsyncIterator[dict[str, str]]:
        last = -1
        while True:
            rows = await self._vectors.faces.page(after_id=last, limit=_PAGE, fields=("vector_id",))
            for row in rows:
                yield row
            if len(rows) < _PAGE:
                return
            last = rows[-1]["id"]


async def _known_templates(connection: Connection) -> dict[str, tuple[str, str | None, bool]]:
    """By vector id: the model, the crop's key, and whether the row is older than a minute."""
    rows = await connection.fetch(
        "SELECT t.vector_id, t.model_id, t.crop_key, t.created_at < NOW() - INTERVAL '1 minute' AS settled "
        "FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) WHERE f.is_active"
    )
    return {row["vector_id"]: (row["model_id"], row["crop_key"], row["settled"]) for row in rows}


async def _half_enrolled(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT f.vector_id FROM employee_faces f LEFT JOIN face_templates t USING (employee_id, vector_id) "
        "WHERE f.is_active AND t.vector_id IS NULL ORDER BY f.vector_id"
    )
    return [row["vector_id"] for row in rows]


async def _pending(connection: Connection) -> set[str]:
    """What the removal worker will remove by itself."""
    return {row["key"] for row in await connection.fetch("SELECT key FROM pending_removals")}

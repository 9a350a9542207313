"""Finds and repairs what a crash left between PostgreSQL, which is the record, vector index and object store."""

from __future__ import annotations

from dataclasses import dataclass

from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import face_store, removals
from app.services.vectors.base import FaceIndex, FaceVector

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class FaceFindings:
    """What does not fit.

    Attributes:
        orphan_vectors: in the index without an active row: they match nobody, and only take room.
        missing_vectors: active rows whose vector the index lacks: these people are not recognised by that template.
        different_vectors: in the index with another vector than the row's.
        orphan_crops: kept crops that no row names.
        half_enrolled: active rows without a stored template; nothing but a hand in the database makes them.
        looked_at: how many vectors and crops are stored.
    """

    orphan_vectors: tuple[str, ...]
    missing_vectors: tuple[str, ...]
    different_vectors: tuple[str, ...]
    orphan_crops: tuple[str, ...]
    half_enrolled: tuple[str, ...]
    looked_at: int

    @property
    def surplus(self) -> int:
        """How many things ``remove`` would delete."""
        return len(self.orphan_vectors) + len(self.orphan_crops)

    @property
    def consistent(self) -> bool:
        return not (
            self.orphan_vectors
            or self.missing_vectors
            or self.different_vectors
            or self.orphan_crops
            or self.half_enrolled
        )


class FaceReconciler:
    """Compares the two sides; safe to run beside a serving process.

    Rows younger than a minute are left: the index may not have listed their vectors yet. Enrolments wait for the look
    at PostgreSQL, and it for them.
    """

    def __init__(self, database: Database, vectors: FaceIndex, storage: ObjectStorage) -> None:
        self._database = database
        self._vectors = vectors
        self._storage = storage

    async def find(self) -> FaceFindings:
        """Look, without changing anything."""
        model_id = self._vectors.spec.model_id
        # The index and the store first, then the lock: the enrolment that wrote what was just seen is over by then.
        stored, different = await self._stored_vectors()
        crops = set(await self._storage.list_keys("faces/"))
        async with self._database.transaction() as connection:
            await face_store.lock_enrolments(connection)
            known = await face_store.known_templates(connection)
            half = await face_store.half_enrolled(connection)
            pending = await removals.pending_keys(connection)
        settled = {template.vector_id for template in known if template.model_id == model_id and template.settled}
        kept = {template.crop_key for template in known if template.crop_key}
        return FaceFindings(
            orphan_vectors=tuple(sorted(stored - {template.vector_id for template in known} - pending)),
            missing_vectors=tuple(sorted(settled - stored)),
            different_vectors=tuple(sorted(different & {template.vector_id for template in known})),
            orphan_crops=tuple(sorted(crops - kept - pending)),
            half_enrolled=tuple(half),
            looked_at=len(stored) + len(crops),
        )

    async def remove(self, findings: FaceFindings) -> None:
        """Delete the orphans."""
        await self._vectors.delete(findings.orphan_vectors)
        await self._storage.delete_all(findings.orphan_crops)

    async def restore(self, findings: FaceFindings) -> None:
        """Insert missing vectors from the stored templates, and others in the place of different ones."""
        await self._vectors.delete(findings.different_vectors)
        absent = findings.missing_vectors + findings.different_vectors
        for start in range(0, len(absent), _PAGE):
            await self._insert(absent[start : start + _PAGE])

    async def _insert(self, vector_ids: tuple[str, ...]) -> None:
        async with self._database.connection() as connection:
            templates = await face_store.owned_vectors(connection, vector_ids)
        await self._vectors.insert(
            [
                FaceVector(template.vector_id, template.employee_id, template.vector, template.quality_score)
                for template in templates
            ]
        )

    async def _stored_vectors(self) -> tuple[set[str], set[str]]:
        """The ids of the index' vectors, and of those that are not what the record has."""
        stored: set[str] = set()
        different: set[str] = set()
        cursor = None
        while True:
            page = await self._vectors.page(cursor=cursor, limit=_PAGE)
            stored |= {vector.vector_id for vector in page.vectors}
            async with self._database.connection() as connection:
                owned = await face_store.owned_vectors(connection, [vector.vector_id for vector in page.vectors])
            templates = {template.vector_id: template.vector for template in owned}
            different |= {
                vector.vector_id
                for vector in page.vectors
                if vector.vector_id in templates and vector.differs_from(templates[vector.vector_id])
            }
            cursor = page.next_cursor
            if cursor is None:
                return stored, different

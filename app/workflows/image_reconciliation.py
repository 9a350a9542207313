"""Finds and repairs what a crash left of pictures between PostgreSQL (the record), vector index and object store."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import image_store, removals
from app.services.vectors.base import ImageIndex
from app.utils import clock
from app.workflows.image_records import IMAGE_FOLDERS, THUMBNAIL_PREFIX, vector_row

_PAGE = 1000
# What is younger may be a picture that is just being indexed.
_SETTLED_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ImageFindings:
    """What does not fit.

    Attributes:
        orphan_vectors: in the index without a row: no search shows them, and they only take room.
        missing_vectors: rows whose vector the index lacks: no search finds these pictures.
        different_vectors: in the index with another vector than the row's.
        orphan_objects: stored pictures and thumbnails that no row names.
        looked_at: how many vectors and objects are stored.
    """

    orphan_vectors: tuple[str, ...]
    missing_vectors: tuple[str, ...]
    different_vectors: tuple[str, ...]
    orphan_objects: tuple[str, ...]
    looked_at: int

    @property
    def surplus(self) -> int:
        """How many things ``remove`` would delete."""
        return len(self.orphan_vectors) + len(self.orphan_objects)

    @property
    def consistent(self) -> bool:
        return not (self.orphan_vectors or self.missing_vectors or self.different_vectors or self.orphan_objects)


class ImageReconciler:
    """Compares the sides; safe to run beside a serving process, because what is younger than a minute is left."""

    def __init__(self, database: Database, vectors: ImageIndex, storage: ObjectStorage) -> None:
        self._database = database
        self._vectors = vectors
        self._storage = storage

    async def find(self) -> ImageFindings:
        """Look, without changing anything."""
        # The index and the store first: what is committed in between would otherwise look like an orphan.
        stored, different = await self._stored_vectors()
        objects = {
            key
            for folder in IMAGE_FOLDERS.values()
            for key in await self._storage.list_keys(f"{folder}/", min_age=_SETTLED_AFTER)
        }
        async with self._database.connection() as connection:
            images = await image_store.indexed_images(connection, settled_after=_SETTLED_AFTER)
            pending = await removals.pending_keys(connection)
        model_id = self._vectors.spec.model_id
        wanted = {image.vector_id for image in images if image.model_id == model_id and image.settled}
        newest = (clock.now() - _SETTLED_AFTER).timestamp()
        old_vectors = {vector_id for vector_id, uploaded_at_s in stored.items() if uploaded_at_s < newest}
        orphan_objects = _orphans(objects, kept={image.thumbnail_key for image in images})
        return ImageFindings(
            orphan_vectors=tuple(sorted(old_vectors - {image.vector_id for image in images} - pending)),
            missing_vectors=tuple(sorted(wanted - set(stored))),
            different_vectors=tuple(sorted(different & wanted)),
            orphan_objects=tuple(sorted(orphan_objects - pending)),
            looked_at=len(stored) + len(objects),
        )

    async def remove(self, findings: ImageFindings) -> None:
        """Delete the orphans."""
        await self._vectors.delete(findings.orphan_vectors)
        await self._storage.delete_all(findings.orphan_objects)

    async def restore(self, findings: ImageFindings) -> None:
        """Insert missing vectors from PostgreSQL, and others in the place of different ones."""
        await self._vectors.delete(findings.different_vectors)
        absent = findings.missing_vectors + findings.different_vectors
        for start in range(0, len(absent), _PAGE):
            await self._insert(absent[start : start + _PAGE])

    async def _insert(self, vector_ids: Sequence[str]) -> None:
        async with self._database.connection() as connection:
            images = await image_store.vectors_of(connection, vector_ids)
        await self._vectors.insert([vector_row(image, vector) for image, vector in images])

    async def _stored_vectors(self) -> tuple[dict[str, int], set[str]]:
        """Unix time of the upload by vector id, and the ids of those vectors that are not what the record has."""
        stored: dict[str, int] = {}
        different: set[str] = set()
        cursor = None
        while True:
            page = await self._vectors.page(cursor=cursor, limit=_PAGE)
            stored |= {vector.vector_id: vector.stored_at_s for vector in page.vectors}
            async with self._database.connection() as connection:
                images = await image_store.vectors_of(connection, [vector.vector_id for vector in page.vectors])
            record = {image.vector_id: vector for image, vector in images}
            different |= {
                vector.vector_id
                for vector in page.vectors
                if vector.vector_id in record and vector.differs_from(record[vector.vector_id])
            }
            cursor = page.next_cursor
            if cursor is None:
                return stored, different


def _orphans(objects: Set[str], *, kept: Set[str]) -> set[str]:
    """Thumbnails that no row names, with the pictures they were made of. Other objects are not ours to judge."""
    thumbnails = {key for key in objects if key.rpartition("/")[2].startswith(THUMBNAIL_PREFIX)} - kept
    pictures = {key.replace(f"/{THUMBNAIL_PREFIX}", "/") for key in thumbnails}
    return thumbnails | (pictures & objects)

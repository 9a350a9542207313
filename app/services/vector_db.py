"""The vector database under the spec's names, over whichever adapter was chosen (``app/composition/backends.py``).

Losing it loses nothing: ``cv reconcile`` rebuilds it from PostgreSQL.
"""

from __future__ import annotations

import time

from app.services.image_filters import ImageFilter
from app.services.vectors.base import (
    FaceIndex,
    FaceVector,
    ImageIndex,
    ImageVector,
    VectorBackend,
    VectorIndex,
    new_vector_id,
)
from app.types import FloatArray


class VectorDBService:
    """Both indexes of one vector database. Workflows take the index that they need; the spec's methods are for callers
    who know no more than the spec.

    Args:
        backend: the adapter, closed by ``close``.
        faces: the index of people's templates, where that is not the adapter's own.
    """

    def __init__(self, backend: VectorBackend, faces: FaceIndex | None = None) -> None:
        self._backend = backend
        self._faces = faces

    @property
    def faces(self) -> FaceIndex:
        """The templates of people."""
        return self._faces or self._backend.faces

    @property
    def images(self) -> ImageIndex:
        """The pictures."""
        return self._backend.images

    @property
    def indexes(self) -> tuple[VectorIndex, ...]:
        """All of them."""
        return (self.faces, self.images)

    async def open(self) -> None:
        """Create what is missing; see ``VectorIndex.open``."""
        for index in self.indexes:
            await index.open()

    async def ping(self) -> None:
        """Raises BackendUnavailable unless the vector database answers and the indexes are open."""
        await self._backend.ping()

    async def close(self) -> None:
        await self._backend.close()

    async def insert_face_embedding(
        self, employee_id: str, embedding: FloatArray, quality_score: float, *, vector_id: str = ""
    ) -> str:
        """Insert one template and return its ``vector_id``. It matches nobody until PostgreSQL knows it as active.

        Args:
            embedding: (d,) float32 of unit norm.
            vector_id: chosen by the caller, so that it can undo an insert whose answer was lost; made here if empty.
        """
        vector_id = vector_id or new_vector_id()
        await self.faces.insert([FaceVector(vector_id, employee_id, embedding, quality_score)])
        return vector_id

    async def search_face(self, query_embedding: FloatArray, top_k: int = 1) -> list[tuple[str, float]]:
        """(employee_id, cosine) of the ``top_k`` nearest templates, closest first. Raw hits: not yet held against
        PostgreSQL."""
        [hits] = await self.faces.search(query_embedding[None], top_k=top_k)
        return [(hit.employee_id, hit.similarity) for hit in hits]

    async def delete_face_embeddings(self, employee_id: str) -> None:
        """Remove every template of a person, orphans included."""
        await self.faces.delete_person(employee_id)

    async def insert_image_embedding(self, image_id: str, category: str, embedding: FloatArray) -> str:
        """Insert one picture of which nothing else is known, and return its ``vector_id``. As with faces, it counts
        only when PostgreSQL knows it.

        Args:
            embedding: (d,) float32 of unit norm.
        """
        vector_id = new_vector_id()
        await self.images.insert([ImageVector(vector_id, image_id, embedding, category, int(time.time()))])
        return vector_id

    async def search_similar_images(
        self, query_embedding: FloatArray, category: str | None = None, top_k: int = 10
    ) -> list[tuple[str, float]]:
        """(image_id, cosine) of the ``top_k`` nearest pictures, closest first. Raw hits: not yet held against
        PostgreSQL."""
        hits = await self.images.search(query_embedding, wanted=ImageFilter(category=category), top_k=top_k)
        return [(hit.image_id, hit.similarity) for hit in hits]

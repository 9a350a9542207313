"""Milvus: the index over what PostgreSQL records. Losing it loses nothing; ``scripts/reconcile.py`` rebuilds it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from pymilvus import AsyncMilvusClient, DataType, MilvusClient

from app.services.calls import backend_call
from app.services.vector_collections import (
    BACKEND,
    FAILURES,
    GRPC_OPTIONS,
    CollectionSpec,
    VectorCollection,
    any_of,
)
from app.services.vector_index import VectorIndex
from app.types import FloatArray

FACE_FIELDS = ("vector_id", "employee_id")
_MAX_TAGS_BYTES = 8192
_ONLY_BEGINNINGS = re.compile(r"v?(?:[01]|2\.[0-3])\.")
_BYTES_PER_LETTER = 4  # Milvus counts a VARCHAR's bytes


@dataclass(frozen=True, slots=True)
class FaceHit:
    """A stored template near the probe; ``similarity`` is the cosine, -1 to 1."""

    vector_id: str
    employee_id: str
    similarity: float


def finds_parts(version: str) -> bool:
    """Whether a server of that version finds parts of texts; Milvus Lite tells its name before its version."""
    return _ONLY_BEGINNINGS.match(version) is None


def new_vector_id() -> str:
    """A fresh key for a vector."""
    return f"vec_{uuid.uuid4().hex}"


def face_collection(model_id: str, dimension: int) -> CollectionSpec:
    """The spec's ``face_embeddings`` plus ``vector_id``, our own key, so that an insert can be undone by name."""
    schema = AsyncMilvusClient.create_schema(
        auto_id=True, enable_dynamic_field=False, description="Employee face embeddings"
    )
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    schema.add_field("employee_id", DataType.VARCHAR, max_length=20)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("quality_score", DataType.FLOAT)
    schema.add_field("enrolled_at", DataType.INT64)
    schema.add_field("vector_id", DataType.VARCHAR, max_length=100)
    schema.add_field("model_id", DataType.VARCHAR, max_length=100)
    return CollectionSpec("face_embeddings", model_id, schema)


@dataclass(frozen=True, slots=True)
class ImageVector:
    """A picture's row: its vector, (d,) float32 of unit norm, and what searches are narrowed by.

    Words are normalised (``image_filters.normal``) and tags joined (``joined_tags``); empty where unknown.
    ``uploaded_at_s`` is Unix time.
    """

    vector_id: str
    image_id: str
    vector: FloatArray
    category: str
    uploaded_at_s: int
    room_number: str
    item_type: str
    location: str
    status: str
    tags: str


@dataclass(frozen=True, slots=True)
class ImageHit:
    """A stored picture near the query; ``similarity`` is the cosine, -1 to 1."""

    vector_id: str
    similarity: float


def image_collection(model_id: str, dimension: int, *, index: VectorIndex = VectorIndex.HNSW) -> CollectionSpec:
    """The spec's ``image_embeddings`` plus our own key, and what searches are narrowed by.

    ``tags`` is one text, ``|clean|deluxe|``: Milvus Lite looks into an array row by row, which took 2 s for 20,000.
    """
    schema = AsyncMilvusClient.create_schema(
        auto_id=True, enable_dynamic_field=False, description="Image embeddings for similarity search"
    )
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    schema.add_field("image_id", DataType.VARCHAR, max_length=100)
    schema.add_field("category", DataType.VARCHAR, max_length=50)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("upload_time", DataType.INT64)
    schema.add_field("vector_id", DataType.VARCHAR, max_length=100)
    schema.add_field("model_id", DataType.VARCHAR, max_length=100)
    schema.add_field("room_number", DataType.VARCHAR, max_length=10)
    schema.add_field("item_type", DataType.VARCHAR, max_length=50 * _BYTES_PER_LETTER)
    schema.add_field("location", DataType.VARCHAR, max_length=200 * _BYTES_PER_LETTER)
    schema.add_field("status", DataType.VARCHAR, max_length=30)
    schema.add_field("tags", DataType.VARCHAR, max_length=_MAX_TAGS_BYTES)
    return CollectionSpec("image_embeddings", model_id, schema, index)


class VectorDBService:
    """The face and image collections of one Milvus.

    Args:
        uri: ``http(s)://host:port``, or a local file that ends in ``.db``.
        faces: which face collection; see ``face_collection``.
        images: which image collection; see ``image_collection``.
        timeout_s: limit of one call.
    """

    def __init__(
        self, uri: str, *, user: str, password: str, faces: CollectionSpec, images: CollectionSpec, timeout_s: float
    ) -> None:
        self._timeout_s = timeout_s
        self._finds_parts: bool | None = None
        self.client = AsyncMilvusClient(uri, user=user, password=password, timeout=timeout_s, grpc_options=GRPC_OPTIONS)

        def blocking_client() -> MilvusClient:
            return MilvusClient(uri, user=user, password=password, timeout=timeout_s, grpc_options=GRPC_OPTIONS)

        self.faces = VectorCollection(self.client, faces, blocking_client=blocking_client, timeout_s=timeout_s)
        self.images = VectorCollection(self.client, images, blocking_client=blocking_client, timeout_s=timeout_s)

    @property
    def collections(self) -> tuple[VectorCollection, ...]:
        """Every collection that the service uses."""
        return (self.faces, self.images)

    async def open(self) -> None:
        """Create what is missing and load it; see ``VectorCollection.open``."""
        for collection in self.collections:
            await collection.open()

    async def insert_face_embedding(
        self, employee_id: str, embedding: FloatArray, quality_score: float, *, vector_id: str = ""
    ) -> str:
        """Insert one template and return its ``vector_id``. It matches nobody until PostgreSQL knows it as active.

        Args:
            embedding: (d,) float32 of unit norm.
            vector_id: chosen by the caller, so that it can undo an insert whose answer was lost; made here if empty.
        """
        vector_id = vector_id or new_vector_id()
        row = {
            "employee_id": employee_id,
            "embedding": embedding,
            "quality_score": quality_score,
            "enrolled_at": int(time.time()),
            "vector_id": vector_id,
            "model_id": self.faces.spec.model_id,
        }
        await self.faces.insert([row])
        return vector_id

    async def search_face(self, query_embedding: FloatArray, top_k: int = 1) -> list[tuple[str, float]]:
        """(employee_id, cosine) of the ``top_k`` nearest templates, closest first. Raw hits: not yet held against
        PostgreSQL."""
        hits = (await self.search_faces(query_embedding[None], top_k=top_k))[0]
        return [(hit.employee_id, hit.similarity) for hit in hits]

    async def search_faces(self, probes: FloatArray, *, top_k: int, strong: bool = False) -> list[list[FaceHit]]:
        """The nearest templates of several probes, (n, d) float32, in one call."""
        found = await self.faces.search(probes, limit=top_k, fields=FACE_FIELDS, strong=strong)
        return [
            [FaceHit(hit.fields["vector_id"], hit.fields["employee_id"], hit.similarity) for hit in hits]
            for hits in found
        ]

    async def delete_face_embeddings(self, employee_id: str) -> None:
        """Remove every template of a person, orphans included."""
        await self.faces.delete(any_of("employee_id", [employee_id]))

    async def delete_face_vectors(self, vector_ids: Sequence[str]) -> None:
        """Remove templates by id."""
        if vector_ids:
            await self.faces.delete(any_of("vector_id", vector_ids))

    async def insert_image_embeddings(self, images: Sequence[ImageVector]) -> None:
        """Insert pictures. None is found until PostgreSQL knows its vector."""
        rows = [
            {
                "image_id": image.image_id,
                "category": image.category,
                "embedding": image.vector,
                "upload_time": image.uploaded_at_s,
                "vector_id": image.vector_id,
                "model_id": self.images.spec.model_id,
                "room_number": image.room_number,
                "item_type": image.item_type,
                "location": image.location,
                "status": image.status,
                "tags": image.tags,
            }
            for image in images
        ]
        await self.images.insert(rows)

    async def insert_image_embedding(self, image_id: str, category: str, embedding: FloatArray) -> str:
        """Insert one picture of which nothing else is known, and return its ``vector_id``. As with faces, it counts
        only when PostgreSQL knows it.

        Args:
            embedding: (d,) float32 of unit norm.
        """
        vector_id = new_vector_id()
        await self.insert_image_embeddings(
            [
                ImageVector(
                    vector_id=vector_id,
                    image_id=image_id,
                    vector=embedding,
                    category=category,
                    uploaded_at_s=int(time.time()),
                    room_number="",
                    item_type="",
                    location="",
                    status="",
                    tags="",
                )
            ]
        )
        return vector_id

    async def search_similar_images(
        self, query_embedding: FloatArray, category: str | None = None, top_k: int = 10
    ) -> list[tuple[str, float]]:
        """(image_id, cosine) of the ``top_k`` nearest pictures, closest first. Raw hits: not yet held against
        PostgreSQL."""
        expression = any_of("category", [category]) if category else ""
        found = await self.images.search(
            query_embedding[None], limit=top_k, fields=("image_id",), expression=expression
        )
        return [(hit.fields["image_id"], hit.similarity) for hit in found[0]]

    async def search_images(self, query: FloatArray, *, expression: str, top_k: int) -> list[ImageHit]:
        """The nearest pictures for which the expression holds, closest first. Raw hits: not yet held against
        PostgreSQL.

        Args:
            query: (d,) float32 of unit norm.
        """
        found = await self.images.search(query[None], limit=top_k, fields=("vector_id",), expression=expression)
        return [ImageHit(hit.fields["vector_id"], hit.similarity) for hit in found[0]]

    async def delete_image_vectors(self, vector_ids: Sequence[str]) -> None:
        """Remove pictures by vector id."""
        if vector_ids:
            await self.images.delete(any_of("vector_id", vector_ids))

    async def finds_parts_of_texts(self) -> bool:
        """Whether an expression may say ``like "%part%"``: Milvus 2.3 knows beginnings alone. Asked once."""
        if self._finds_parts is None:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=FAILURES):
                version = str(await self.client.get_server_version(timeout=self._timeout_s, retry_times=0))
            self._finds_parts = finds_parts(version)
        return self._finds_parts

    async def ping(self) -> None:
        """Raises BackendUnavailable unless Milvus answers and the collections are open."""
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=FAILURES):
            await self.client.list_collections(timeout=self._timeout_s, retry_times=0)
        for collection in self.collections:
            await collection.ready()

    async def close(self) -> None:
        for collection in self.collections:
            await collection.close()
        await self.client.close()

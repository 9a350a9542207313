"""Milvus as the vector database: the schemas of the spec's two collections, and how they are searched."""

from __future__ import annotations

from collections.abc import Sequence

from pymilvus import AsyncMilvusClient, CollectionSchema, DataType

from app.services.image_filters import ImageFilter
from app.services.vectors.base import (
    MAX_CHOSEN,
    Chooser,
    CollectionSpec,
    FaceHit,
    FaceVector,
    ImageHit,
    ImageVector,
)
from app.services.vectors.milvus_collection import MilvusCollection
from app.services.vectors.milvus_connection import MilvusAddress, MilvusConnection
from app.services.vectors.milvus_expressions import (
    any_of,
    image_expression,
    joined_tags,
)
from app.services.vectors.milvus_settings import MilvusIndexKind
from app.types import FloatArray

_MAX_TAGS_BYTES = 8192
_BYTES_PER_LETTER = 4  # Milvus counts a VARCHAR's bytes


def face_schema(dimension: int) -> CollectionSchema:
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
    return schema


def image_schema(dimension: int) -> CollectionSchema:
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
    return schema


class MilvusFaceIndex(MilvusCollection):
    """``FaceIndex`` over Milvus."""

    def __init__(self, connection: MilvusConnection, spec: CollectionSpec) -> None:
        super().__init__(
            connection,
            spec,
            schema=face_schema(spec.dimension),
            index=MilvusIndexKind.HNSW,
            time_field="enrolled_at",
        )

    async def insert(self, faces: Sequence[FaceVector]) -> None:
        """Add templates."""
        await self._insert_rows(
            [
                {
                    "employee_id": face.employee_id,
                    "embedding": face.vector,
                    "quality_score": face.quality_score,
                    "enrolled_at": face.enrolled_at_s,
                    "vector_id": face.vector_id,
                    "model_id": self.spec.model_id,
                }
                for face in faces
            ]
        )

    async def search(self, probes: FloatArray, *, top_k: int, strong: bool = False) -> list[list[FaceHit]]:
        """The nearest templates of each probe, closest first."""
        found = await self._nearest(probes, limit=top_k, fields=("vector_id", "employee_id"), strong=strong)
        return [
            [FaceHit(hit.fields["vector_id"], hit.fields["employee_id"], hit.similarity) for hit in hits]
            for hits in found
        ]

    async def delete_person(self, employee_id: str) -> None:
        """Remove every template of a person."""
        await self._delete_where(any_of("employee_id", [employee_id]))


class MilvusImageIndex(MilvusCollection):
    """``ImageIndex`` over Milvus.

    Args:
        choose: names the vectors to look among where the filter has words.
    """

    def __init__(
        self, connection: MilvusConnection, spec: CollectionSpec, *, index: MilvusIndexKind, choose: Chooser
    ) -> None:
        super().__init__(connection, spec, schema=image_schema(spec.dimension), index=index, time_field="upload_time")
        self._choose = choose

    async def insert(self, images: Sequence[ImageVector]) -> None:
        """Add pictures."""
        await self._insert_rows(
            [
                {
                    "image_id": image.image_id,
                    "category": image.category,
                    "embedding": image.vector,
                    "upload_time": image.uploaded_at_s,
                    "vector_id": image.vector_id,
                    "model_id": self.spec.model_id,
                    "room_number": image.room_number,
                    "item_type": image.item_type,
                    "location": image.location,
                    "status": image.status,
                    "tags": joined_tags(image.tags),
                }
                for image in images
            ]
        )

    async def search(self, query: FloatArray, *, wanted: ImageFilter, top_k: int) -> list[ImageHit]:
        """The nearest pictures for which the filter holds, closest first."""
        expression = await self._expression(wanted)
        [found] = await self._nearest(query[None], limit=top_k, fields=("vector_id", "image_id"), expression=expression)
        return [ImageHit(hit.fields["vector_id"], hit.fields["image_id"], hit.similarity) for hit in found]

    async def _expression(self, wanted: ImageFilter) -> str:
        if wanted.has_words and len(chosen := await self._choose(wanted)) <= MAX_CHOSEN:
            return any_of("vector_id", chosen)
        return image_expression(wanted)


class MilvusBackend:
    """One Milvus, Milvus Lite among them.

    Args:
        address: ``uri`` is ``http(s)://host:port``, or a local file that ends in ``.db``.
        index: how pictures are searched.
        choose: see ``MilvusImageIndex``.
    """

    def __init__(
        self,
        address: MilvusAddress,
        *,
        faces: CollectionSpec,
        images: CollectionSpec,
        index: MilvusIndexKind,
        choose: Chooser,
    ) -> None:
        self._connection = MilvusConnection(address)
        self._face_spec = faces
        self._face_indexes: dict[CollectionSpec, MilvusFaceIndex] = {}
        self.images = MilvusImageIndex(self._connection, images, index=index, choose=choose)

    @property
    def faces(self) -> MilvusFaceIndex:
        """The index of the model's plain vectors."""
        return self.face_index(self._face_spec)

    def face_index(self, spec: CollectionSpec) -> MilvusFaceIndex:
        """The index of a collection."""
        if spec not in self._face_indexes:
            self._face_indexes[spec] = MilvusFaceIndex(self._connection, spec)
        return self._face_indexes[spec]

    async def ping(self) -> None:
        """Raises BackendUnavailable unless Milvus answers and the collections are open."""
        async with self._connection.call():
            await self._connection.client.list_collections(timeout=self._connection.address.timeout_s, retry_times=0)
        for index in list(self._face_indexes.values()):
            await index.ready()
        await self.images.ready()

    async def close(self) -> None:
        for index in list(self._face_indexes.values()):
            await index.close()
        await self.images.close()
        await self._connection.close()

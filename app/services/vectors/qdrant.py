"""Qdrant as the vector database.

It answers a write when it is applied, so whatever searches after that sees it. Where a collection has replicas, that
asks for a ``write_consistency_factor`` of as many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qdrant_client import AsyncQdrantClient, models

from app.services.calls import backend_call
from app.services.image_filters import ImageFilter
from app.services.vectors.base import (
    BACKEND,
    MAX_CHOSEN,
    Chooser,
    CollectionSpec,
    FaceHit,
    FaceVector,
    ImageHit,
    ImageVector,
)
from app.services.vectors.qdrant_collection import FAILURES, QdrantCollection, equal_to, point_id
from app.types import FloatArray

_WORD, _NUMBER = models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.INTEGER
_FACE_FIELDS = {"vector_id": _WORD, "employee_id": _WORD}
_IMAGE_FIELDS = {
    "vector_id": _WORD,
    "category": _WORD,
    "room_number": _WORD,
    "item_type": _WORD,
    "status": _WORD,
    "tags": _WORD,
    "upload_time": _NUMBER,
}


def open_client(url: str, *, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client of the server at ``http(s)://host[:port]``; it connects at the first call."""
    return AsyncQdrantClient(
        url,
        # As a header, since the argument warns of every http:// address, in a cluster's own network too.
        headers={"api-key": api_key} if api_key else None,
        timeout=math.ceil(timeout_s),
        check_compatibility=False,  # it would ask the server at once, and wait for it
    )


class QdrantFaceIndex(QdrantCollection):
    """``FaceIndex`` over Qdrant."""

    def __init__(self, client: AsyncQdrantClient, spec: CollectionSpec, *, timeout_s: float) -> None:
        super().__init__(client, spec, timeout_s=timeout_s, fields=_FACE_FIELDS, time_field="enrolled_at")

    async def insert(self, faces: Sequence[FaceVector]) -> None:
        """Add templates."""
        await self._insert_points(
            [
                models.PointStruct(
                    id=point_id(face.vector_id),
                    vector=face.vector.tolist(),
                    payload={
                        "vector_id": face.vector_id,
                        "employee_id": face.employee_id,
                        "quality_score": face.quality_score,
                        "enrolled_at": face.enrolled_at_s,
                        "model_id": self.spec.model_id,
                    },
                )
                for face in faces
            ]
        )

    async def search(self, probes: FloatArray, *, top_k: int, strong: bool = False) -> list[list[FaceHit]]:
        """The nearest templates of each probe, closest first; every search is a strong one."""
        del strong
        found = await self._nearest(probes, limit=top_k, fields=("vector_id", "employee_id"))
        return [
            [
                FaceHit(payload["vector_id"], payload["employee_id"], point.score)
                for point in points
                if (payload := point.payload)
            ]
            for points in found
        ]

    async def delete_person(self, employee_id: str) -> None:
        """Remove every template of a person."""
        await self._delete_where(equal_to("employee_id", employee_id))


class QdrantImageIndex(QdrantCollection):
    """``ImageIndex`` over Qdrant.

    Args:
        choose: names the vectors to look among for a part of a location. Qdrant reads that as words or as letters, by
            its version and its indexes.
    """

    def __init__(self, client: AsyncQdrantClient, spec: CollectionSpec, *, timeout_s: float, choose: Chooser) -> None:
        super().__init__(client, spec, timeout_s=timeout_s, fields=_IMAGE_FIELDS, time_field="upload_time")
        self._choose = choose

    async def insert(self, images: Sequence[ImageVector]) -> None:
        """Add pictures."""
        await self._insert_points(
            [
                models.PointStruct(
                    id=point_id(image.vector_id),
                    vector=image.vector.tolist(),
                    payload={
                        "vector_id": image.vector_id,
                        "image_id": image.image_id,
                        "category": image.category,
                        "upload_time": image.uploaded_at_s,
                        "room_number": image.room_number,
                        "item_type": image.item_type,
                        "location": image.location,
                        "status": image.status,
                        "tags": list(image.tags),
                        "model_id": self.spec.model_id,
                    },
                )
                for image in images
            ]
        )

    async def search(self, query: FloatArray, *, wanted: ImageFilter, top_k: int) -> list[ImageHit]:
        """The nearest pictures for which the filter holds, closest first."""
        conditions = image_conditions(wanted)
        if wanted.has_words and len(chosen := await self._choose(wanted)) <= MAX_CHOSEN:
            conditions = [models.HasIdCondition(has_id=[point_id(vector_id) for vector_id in chosen])]
        [points] = await self._nearest(
            query[None], limit=top_k, fields=("vector_id", "image_id"), conditions=conditions
        )
        return [
            ImageHit(payload["vector_id"], payload["image_id"], point.score)
            for point in points
            if (payload := point.payload)
        ]


def image_conditions(wanted: ImageFilter) -> list[models.Condition]:
    """The filter's conditions on the payload, words apart; moments are whole seconds there."""
    equal = {"category": wanted.category, "room_number": wanted.room_number, "status": wanted.status}
    conditions: list[models.Condition] = [equal_to(field, value) for field, value in equal.items() if value]
    if wanted.since or wanted.before:
        moments = models.Range(
            gte=math.floor(wanted.since.timestamp()) if wanted.since else None,
            lt=wanted.before.timestamp() if wanted.before else None,
        )
        conditions.append(models.FieldCondition(key="upload_time", range=moments))
    return conditions


class QdrantBackend:
    """One Qdrant.

    Args:
        client: see ``open_client``; closed by ``close``.
        timeout_s: limit of one call.
        choose: see ``QdrantImageIndex``.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        *,
        faces: CollectionSpec,
        images: CollectionSpec,
        timeout_s: float,
        choose: Chooser,
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._face_spec = faces
        self._face_indexes: dict[CollectionSpec, QdrantFaceIndex] = {}
        self.images = QdrantImageIndex(client, images, timeout_s=timeout_s, choose=choose)

    @property
    def faces(self) -> QdrantFaceIndex:
        """The index of the model's plain vectors."""
        return self.face_index(self._face_spec)

    def face_index(self, spec: CollectionSpec) -> QdrantFaceIndex:
        """The index of a collection."""
        if spec not in self._face_indexes:
            self._face_indexes[spec] = QdrantFaceIndex(self._client, spec, timeout_s=self._timeout_s)
        return self._face_indexes[spec]

    async def ping(self) -> None:
        """Raises BackendUnavailable unless Qdrant answers and the collections are open."""
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=FAILURES):
            await self._client.get_collections()
        for index in list(self._face_indexes.values()):
            await index.ready()
        await self.images.ready()

    async def close(self) -> None:
        for index in list(self._face_indexes.values()):
            await index.close()
        await self.images.close()
        await self._client.close()

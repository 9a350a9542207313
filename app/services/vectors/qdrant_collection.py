"""One Qdrant collection: public name, life, and calls that are made again after a lost connection.

A point's id is made from our key, ``vector_id``, which stands in its payload too. So a write that is made again changes
nothing, and every call here may be.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from app.services.calls import backend_call
from app.services.vectors.base import BACKEND, CollectionSpec, StoredVector, VectorPage
from app.services.vectors.opening import Opening
from app.types import FloatArray

R = TypeVar("R")

FAILURES = (ApiException, QdrantException)

_OPENING_S = 30.0
_CONFLICT = 409
_BATCH = 200  # points a call: with 768 numbers each some 3 MB of JSON, of the 32 that a server takes
_NAMES = uuid.UUID("6f1c9a52-3f0e-4f0b-9d7e-2f1d8a7b5c3e")  # of ours alone, so that no other point has our ids


def point_id(vector_id: str) -> str:
    """The id of a vector's point: Qdrant takes numbers and UUIDs only."""
    return str(uuid.uuid5(_NAMES, vector_id))


def equal_to(field: str, value: str) -> models.FieldCondition:
    """Holds where a field, or one of its values, is ``value``."""
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


class QdrantCollection:
    """What the indexes of faces and of pictures share.

    Args:
        client: shared by all collections of a server.
        timeout_s: limit of one call, a second try included. Making a collection may take longer.
        fields: of the payload that searches are narrowed by.
        time_field: which holds the Unix time of enrolment or upload.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        spec: CollectionSpec,
        *,
        timeout_s: float,
        fields: Mapping[str, models.PayloadSchemaType],
        time_field: str,
    ) -> None:
        self._client = client
        self._spec = spec
        self._timeout_s = timeout_s
        self._fields = fields
        self._time_field = time_field
        self._opening = Opening(
            self._create_and_name, name=f"open {spec.public_name}", backend=BACKEND, failures=FAILURES
        )

    @property
    def spec(self) -> CollectionSpec:
        return self._spec

    # The life of the collection.

    async def open(self) -> None:
        """Create the collection and give it the public name, where that is missing.

        Raises:
            ConfigurationError: the public name belongs to another model's collection.
        """
        await self._opening.wait(timeout_s=_OPENING_S)

    async def ready(self) -> None:
        """As ``open``, but waits no longer than one call may take."""
        await self._opening.wait(timeout_s=self._timeout_s)

    async def close(self) -> None:
        """Give up an opening that is still going on."""
        await self._opening.close()

    async def open_beside(self) -> None:
        """Create this model's collection while the public name stays with another's, to fill it."""
        async with backend_call(BACKEND, timeout_s=_OPENING_S, failures=FAILURES):
            await self._create()
        self._opening.skip()

    async def switch(self) -> None:
        """Give the public name to this model's collection, in one step."""
        await self.ready()
        async with self._call():
            await self._take_name(await self._current())

    async def current_collection(self) -> str | None:
        """The collection that has the public name now; None before the first start."""
        async with self._call():
            return await self._current()

    async def drop(self, collection: str) -> None:
        """Remove a collection that does not have the public name any more; one that is not there is no error."""
        async with self._call():
            await self._client.delete_collection(collection)

    async def _create_and_name(self) -> None:
        current = await self._current()
        self._spec.refuse_other(current)
        await self._create()
        if current is None:
            await self._take_name(current)

    async def _create(self) -> None:
        name = self._spec.collection
        if not await self._client.collection_exists(name):
            try:
                await self._client.create_collection(
                    name,
                    vectors_config=models.VectorParams(size=self._spec.dimension, distance=models.Distance.COSINE),
                    hnsw_config=models.HnswConfigDiff(m=16, ef_construct=200),
                )
            except UnexpectedResponse as error:
                if error.status_code != _CONFLICT:
                    raise  # else another process was faster
        for field, kind in self._fields.items():
            # Before the first point: the graph is built with these in mind, so that narrow filters lose no neighbour.
            await self._client.create_payload_index(name, field_name=field, field_schema=kind)

    async def _current(self) -> str | None:
        found = await self._client.get_aliases()
        return next((one.collection_name for one in found.aliases if one.alias_name == self._spec.public_name), None)

    async def _take_name(self, current: str | None) -> None:
        alias = self._spec.public_name
        steps: list[models.CreateAliasOperation | models.RenameAliasOperation | models.DeleteAliasOperation] = []
        if current is not None:
            steps.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        steps.append(
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=self._spec.collection, alias_name=alias)
            )
        )
        await self._client.update_collection_aliases(steps)  # all of them at once

    # Reading and writing.

    def _call(self) -> AbstractAsyncContextManager[None]:
        return backend_call(BACKEND, timeout_s=self._timeout_s, failures=FAILURES)

    async def _twice(self, call: Callable[[], Awaitable[R]]) -> R:
        """A call on the collection, made again where its connection was lost, as by a restart of the server."""
        await self.ready()
        async with self._call():
            try:
                return await call()
            except ResponseHandlingException:
                return await call()

    async def _insert_points(self, points: Sequence[models.PointStruct]) -> None:
        for start in range(0, len(points), _BATCH):
            batch = list(points[start : start + _BATCH])
            await self._twice(partial(self._client.upsert, self._spec.collection, points=batch, wait=True))

    async def _nearest(
        self, vectors: FloatArray, *, limit: int, fields: Sequence[str], conditions: Sequence[models.Condition] = ()
    ) -> list[list[models.ScoredPoint]]:
        """The nearest neighbours of each query, closest first, with these fields of their payload.

        Args:
            vectors: (n, d) float32 of unit norm.
            conditions: all must hold; evaluated inside the search, so ``limit`` counts matching points only.
        """
        narrowed = models.Filter(must=list(conditions)) if conditions else None
        requests = [
            models.QueryRequest(query=vector.tolist(), filter=narrowed, limit=limit, with_payload=list(fields))
            for vector in vectors
        ]
        answers = await self._twice(partial(self._client.query_batch_points, self._spec.collection, requests))
        return [answer.points for answer in answers]

    async def count(self) -> int:
        """How many vectors the collection holds."""
        return (await self._twice(partial(self._client.count, self._spec.collection, exact=True))).count

    async def page(self, *, cursor: str | None, limit: int) -> VectorPage:
        """The next vectors by the id of their point."""
        fields = ["vector_id", self._time_field]
        points, following = await self._twice(
            partial(
                self._client.scroll,
                self._spec.collection,
                limit=limit,
                offset=cursor,
                with_payload=fields,
                with_vectors=True,
            )
        )
        vectors = tuple(
            StoredVector(payload["vector_id"], payload[self._time_field], np.asarray(point.vector, np.float32))
            for point, payload in ((point, point.payload or {}) for point in points)
        )
        return VectorPage(vectors, None if following is None else str(following))

    async def delete(self, vector_ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error. On return no search finds them any more."""
        if vector_ids:
            # By our key and not by the point's id: so whatever says that it is one of them is gone.
            any_of = models.MatchAny(any=list(vector_ids))
            await self._delete_where(models.FieldCondition(key="vector_id", match=any_of))

    async def _delete_where(self, condition: models.Condition) -> None:
        selector = models.FilterSelector(filter=models.Filter(must=[condition]))
        await self._twice(partial(self._client.delete, self._spec.collection, selector, wait=True))

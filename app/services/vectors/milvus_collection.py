"""One Milvus collection: alias, life, and calls that heal themselves after Milvus restarts.

The spec's collection names are aliases. Writes are not flushed one by one: Milvus has them in its log when an insert
returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import numpy as np
from pymilvus import AsyncMilvusClient, CollectionSchema, MilvusException
from pymilvus.client.types import Status

from app.services.vectors.base import BACKEND, CollectionSpec, StoredVector, VectorPage
from app.services.vectors.milvus_connection import MilvusConnection
from app.services.vectors.milvus_expressions import any_of
from app.services.vectors.milvus_settings import FAILURES, MilvusIndexKind
from app.services.vectors.opening import Opening
from app.types import FloatArray

R = TypeVar("R")

_NOT_LOADED = 101
_NOT_FOUND = 100
_OPENING_S = 30.0  # a Milvus server takes seconds to make, index and load even an empty collection
_NO_ROW = "id in [-1]"  # ids that Milvus gives are positive


@dataclass(frozen=True, slots=True)
class Hit:
    """A neighbour: its output fields and the cosine to the query, -1 to 1, higher is closer."""

    fields: Mapping[str, Any]  # whatever scalar fields were asked for
    similarity: float


class MilvusCollection:
    """What the indexes of faces and of pictures share.

    Args:
        connection: shared by all collections of a server. The time limit of its address is that of one call, healing
            included; making and loading a collection may take longer.
        time_field: which holds the Unix time of enrolment or upload.
    """

    def __init__(
        self,
        connection: MilvusConnection,
        spec: CollectionSpec,
        *,
        schema: CollectionSchema,
        index: MilvusIndexKind,
        time_field: str,
    ) -> None:
        self._connection = connection
        self._spec = spec
        self._schema = schema
        self._index = index
        self._time_field = time_field
        # No retries inside the client: it would go on past the caller's time limit.
        self._options = {"timeout": connection.address.timeout_s, "retry_times": 0}
        self._opening_options = {"timeout": _OPENING_S, "retry_times": 0}
        self._opening = Opening(
            self._create_and_load, name=f"open {spec.public_name}", backend=BACKEND, failures=FAILURES
        )

    @property
    def spec(self) -> CollectionSpec:
        return self._spec

    @property
    def _client(self) -> AsyncMilvusClient:
        return self._connection.client

    # The life of the collection.

    async def open(self) -> None:
        """Create the collection and its alias where they are missing, and load it.

        Raises:
            ConfigurationError: the alias belongs to another model's collection.
        """
        await self._opening.wait(timeout_s=_OPENING_S)

    async def ready(self) -> None:
        """As ``open``, but waits no longer than one call may take."""
        await self._opening.wait(timeout_s=self._connection.address.timeout_s)

    async def close(self) -> None:
        """Give up an opening that is still going on."""
        await self._opening.close()

    async def open_beside(self) -> None:
        """Make and load this model's collection while the public name stays with another's, to fill it."""
        async with self._connection.call(timeout_s=_OPENING_S):
            await self._create(alias=False)
        self._opening.skip()

    async def switch(self) -> None:
        """Give the public name to this model's collection, in one step."""
        async with self._loaded() as name:
            if await self._current() is None:
                await self._client.create_alias(name, self._spec.public_name, **self._options)
            else:
                await self._client.alter_alias(name, self._spec.public_name, **self._options)

    async def current_collection(self) -> str | None:
        """The collection that the public name stands for now; None before the first start."""
        async with self._connection.call():
            return await self._current()

    async def drop(self, collection: str) -> None:
        """Remove a collection that does not have the public name any more; one that is not there is no error."""
        async with self._connection.call():
            await self._client.drop_collection(collection, **self._options)

    async def _create_and_load(self) -> None:
        current = await self._current()
        self._spec.refuse_other(current)
        await self._create(alias=current is None)

    async def _create(self, *, alias: bool) -> None:
        """Make and load this model's collection; with ``alias`` also give it the public name."""
        name = self._spec.collection
        if not await self._client.has_collection(name, **self._options):
            await asyncio.to_thread(self._create_blocking)
        if alias:
            await self._client.create_alias(name, self._spec.public_name, **self._options)
        await self._client.load_collection(name, **self._opening_options)

    def _create_blocking(self) -> None:
        # The asynchronous client asks for timestamps while it builds the index, which Milvus Lite does not give.
        client = self._connection.address.blocking_client()
        try:
            index = client.prepare_index_params()
            index.add_index("embedding", **self._index.build_params())
            client.create_collection(
                self._spec.collection,
                schema=self._schema,
                index_params=index,
                consistency_level="Session",
                timeout=_OPENING_S,
            )
        finally:
            client.close()

    async def _current(self) -> str | None:
        try:
            described = await self._client.describe_alias(self._spec.public_name, **self._options)
        except MilvusException as error:
            if "not found" in str(error).lower() or error.code == _NOT_FOUND or "exist" in str(error).lower():
                return None
            raise
        return str(described["collection_name"])

    # Reading and writing.

    @asynccontextmanager
    async def _loaded(self) -> AsyncIterator[str]:
        await self.ready()
        async with self._connection.call():
            yield self._spec.collection

    async def _twice(self, call: Callable[..., Awaitable[R]], arguments: Mapping[str, Any]) -> R:
        """An idempotent call, made again after what a second try repairs: a restart of Milvus, a lost connection."""
        try:
            return await call(self._spec.collection, **arguments, **self._options)
        except MilvusException as error:
            if error.code == _NOT_LOADED or "not loaded" in str(error):
                await self._client.load_collection(self._spec.collection, **self._options)
            elif error.code != Status.CONNECT_FAILED:
                raise
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        return await call(self._spec.collection, **arguments, **self._options)

    async def _insert_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of the schema's fields. Not made again after a failure: Milvus might have them twice."""
        if not rows:
            return
        async with self._loaded() as name:
            await self._client.insert(name, [dict(row) for row in rows], **self._options)

    async def _nearest(
        self, vectors: FloatArray, *, limit: int, fields: Sequence[str], expression: str = "", strong: bool = False
    ) -> list[list[Hit]]:
        """The nearest neighbours of each query, closest first.

        Args:
            vectors: (n, d) float32 of unit norm.
            expression: evaluated inside the search, so ``limit`` counts matching rows only.
            strong: also see what other processes wrote a moment ago; slower on a cluster.
        """
        arguments: dict[str, Any] = {
            "data": list(vectors),
            "anns_field": "embedding",
            "limit": limit,
            "filter": expression,
            "output_fields": list(fields),
            "search_params": {"metric_type": "COSINE", "params": self._index.search_params(limit)},
        }
        if strong:
            arguments["consistency_level"] = "Strong"
        async with self._loaded():
            found = await self._twice(self._client.search, arguments)
        return [[Hit(hit["entity"], float(hit["distance"])) for hit in hits] for hits in found]

    async def count(self) -> int:
        """How many vectors the collection holds, those that other processes wrote until now included."""
        arguments = {"filter": "", "output_fields": ["count(*)"], "consistency_level": "Strong"}
        async with self._loaded():
            [row] = await self._twice(self._client.query, arguments)
        return int(row["count(*)"])

    async def page(self, *, cursor: str | None, limit: int) -> VectorPage:
        """The next vectors by ascending primary key: a limited query keeps that order."""
        arguments = {
            "filter": f"id > {-1 if cursor is None else int(cursor)}",
            "output_fields": ["id", "vector_id", "embedding", self._time_field],
            "limit": limit,
        }
        async with self._loaded():
            rows = await self._twice(self._client.query, arguments)
        vectors = tuple(
            StoredVector(row["vector_id"], int(row[self._time_field]), np.asarray(row["embedding"], np.float32))
            for row in rows
        )
        return VectorPage(vectors, str(rows[-1]["id"]) if len(rows) == limit else None)

    async def delete(self, vector_ids: Sequence[str]) -> None:
        """Remove vectors by id."""
        if vector_ids:
            await self._delete_where(any_of("vector_id", vector_ids))

    async def _delete_where(self, expression: str) -> None:
        """Remove the rows for which the expression holds; none is no error. On return no search finds them any more."""
        async with self._loaded():
            await self._twice(self._client.delete, {"filter": expression})
            await self._settle()

    async def _settle(self) -> None:
        """Wait until every process sees what was written: a fraction of a second with a Milvus server.

        It answers before its query nodes have a write, and searches wait only for inserts of their own process (2.3.5).
        A strong read waits for all, and what it has seen every later search sees.
        """
        await self._twice(self._client.query, {"filter": _NO_ROW, "limit": 1, "consistency_level": "Strong"})

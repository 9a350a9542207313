"""One Milvus collection: schema, alias, and calls that heal themselves after Milvus restarts.

The spec's collection names are aliases; behind each stands a collection of one model, since vectors of two models
must never meet. Writes are not flushed one by one: Milvus has them in its log when ``insert`` returns.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from pymilvus import AsyncMilvusClient, CollectionSchema, MilvusClient, MilvusException
from pymilvus.client.types import Status

from app.errors import ConfigurationError
from app.services.calls import backend_call
from app.services.vector_index import VectorIndex
from app.types import FloatArray

BACKEND = "vector_db"

R = TypeVar("R")

# Some calls of the client let gRPC's own errors through.
FAILURES = (MilvusException, grpc.RpcError)

GRPC_OPTIONS = {
    # The client's default pings every ten seconds; servers with gRPC's default policy, Milvus Lite among them, answer
    # "too many pings" and drop the connection. Every call has a time limit of its own, so pings find nothing new.
    "grpc.keepalive_time_ms": 600_000,
    "grpc.keepalive_permit_without_calls": False,
    # After an outage, look again soon.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}

_NOT_LOADED = 101
_NOT_FOUND = 100
_OPENING_S = 30.0  # a Milvus server takes seconds to make, index and load even an empty collection
_NO_ROW = "id in [-1]"  # ids that Milvus gives are positive
_MAX_WINDOW = 16_384  # rows that Milvus gives in one answer


@dataclass(frozen=True, slots=True)
class Hit:
    """A neighbour: its output fields and the cosine to the query, -1 to 1, higher is closer."""

    fields: Mapping[str, Any]  # whatever scalar fields were asked for
    similarity: float


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """``alias`` is the spec's name, ``schema`` its fields and ours, ``model_id`` whose vectors it holds."""

    alias: str
    model_id: str
    schema: CollectionSchema
    index: VectorIndex = VectorIndex.HNSW

    @property
    def collection(self) -> str:
        """The name behind the alias: letters, digits and underscores, as Milvus wants."""
        return f"{self.alias}__{re.sub(r'[^A-Za-z0-9]', '_', self.model_id)}"


def quote(value: str) -> str:
    """A string literal of Milvus' expression language; the only way a value enters an expression."""
    return json.dumps(value, ensure_ascii=False)


def any_of(field: str, values: Sequence[str]) -> str:
    """The expression ``field in ["…", "…"]``."""
    return f"{field} in [{', '.join(quote(value) for value in values)}]"


def _look_at(task: asyncio.Task[None]) -> None:
    """Those who waited have its exception; where nobody did it must not be reported as lost."""
    if not task.cancelled():
        task.exception()


class VectorCollection:
    """Insert, search, delete and count in one collection.

    Args:
        client: shared by all collections of a server.
        blocking_client: opens a synchronous one, for what the asynchronous cannot do.
        timeout_s: limit of one call, healing included. Making and loading a collection may take longer.
    """

    def __init__(
        self,
        client: AsyncMilvusClient,
        spec: CollectionSpec,
        *,
        blocking_client: Callable[[], MilvusClient],
        timeout_s: float,
    ) -> None:
        self._client = client
        self._blocking_client = blocking_client
        self._timeout_s = timeout_s
        # No retries inside the client: it would go on past the caller's time limit.
        self._options = {"timeout": timeout_s, "retry_times": 0}
        self._opening_options = {"timeout": _OPENING_S, "retry_times": 0}
        self.spec = spec
        self._ready = False
        self._opening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=FAILURES):
            yield

    async def open(self) -> None:
        """Create the collection and its alias where they are missing, and load it.

        Raises:
            ConfigurationError: the alias belongs to another model's collection.
            BackendUnavailable: Milvus does not answer.
        """
        await self._open(timeout_s=_OPENING_S)

    async def ready(self) -> None:
        """As ``open``, but waits no longer than one call may take."""
        await self._open(timeout_s=self._timeout_s)

    async def close(self) -> None:
        """Give up an opening that is still going on."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])

    async def _open(self, *, timeout_s: float) -> None:
        """Wait for the opening at most that long; it goes on beside, so that a later call finds it done."""
        if self._ready:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._create_and_load(), name=f"open {self.spec.alias}")
            self._opening.add_done_callback(_look_at)
        async with backend_call(BACKEND, timeout_s=timeout_s, failures=FAILURES):
            await asyncio.shield(self._opening)

    async def _create_and_load(self) -> None:
        current = await self.current_collection()
        if current is not None and current != self.spec.collection:
            raise ConfigurationError(
                f"{self.spec.alias} holds vectors of another model ({current}), the loaded one is "
                f"{self.spec.model_id}. Migrate with: python scripts/reindex.py --collection {self.spec.alias}",
                code="model_changed",
            )
        await self.create(alias=current is None)
        self._ready = True

    async def open_beside(self) -> None:
        """Make and load this model's collection while the public name stays with another's, to fill it."""
        async with backend_call(BACKEND, timeout_s=_OPENING_S, failures=FAILURES):
            await self.create(alias=False)
        self._ready = True

    async def take_alias(self) -> None:
        """Give the public name to this model's collection, in one step."""
        async with self._loaded() as name:
            if await self.current_collection() is None:
                await self._client.create_alias(name, self.spec.alias, **self._options)
            else:
                await self._client.alter_alias(name, self.spec.alias, **self._options)

    async def create(self, *, alias: bool) -> None:
        """Make and load this model's collection; with ``alias`` also give it the public name."""
        name = self.spec.collection
        if not await self._client.has_collection(name, **self._options):
            await asyncio.to_thread(self._create_blocking)
        if alias:
            await self._client.create_alias(name, self.spec.alias, **self._options)
        await self._client.load_collection(name, **self._opening_options)

    def _create_blocking(self) -> None:
        # The asynchronous client asks for timestamps while it builds the index, which Milvus Lite does not give.
        client = self._blocking_client()
        try:
            index = client.prepare_index_params()
            index.add_index("embedding", **self.spec.index.build_params())
            client.create_collection(
                self.spec.collection,
                schema=self.spec.schema,
                index_params=index,
                consistency_level="Session",
                timeout=_OPENING_S,
            )
        finally:
            client.close()

    async def current_collection(self) -> str | None:
        """The collection that the public name stands for now; None before the first start."""
        try:
            described = await self._client.describe_alias(self.spec.alias, **self._options)
        except MilvusException as error:
            if "not found" in str(error).lower() or error.code == _NOT_FOUND or "exist" in str(error).lower():
                return None
            raise
        return str(described["collection_name"])

    @asynccontextmanager
    async def _loaded(self) -> AsyncIterator[str]:
        await self.ready()
        async with self._call():
            yield self.spec.collection

    async def _twice(self, call: Callable[..., Awaitable[R]], arguments: Mapping[str, Any]) -> R:
        """An idempotent call, made again after what a second try mends: a restart of Milvus, a dropped connection."""
        try:
            return await call(self.spec.collection, **arguments, **self._options)
        except MilvusException as error:
            if error.code == _NOT_LOADED or "not loaded" in str(error):
                await self._client.load_collection(self.spec.collection, **self._options)
            elif error.code != Status.CONNECT_FAILED:
                raise
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        return await call(self.spec.collection, **arguments, **self._options)

    async def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of the schema's fields. Not retried: a caller that gets an error must undo by its own ids."""
        async with self._loaded() as name:
            await self._client.insert(name, [dict(row) for row in rows], **self._options)

    async def search(
        self,
        vectors: FloatArray,
        *,
        limit: int,
        fields: Sequence[str],
        expression: str = "",
        strong: bool = False,
        offset: int = 0,
    ) -> list[list[Hit]]:
        """The nearest neighbours of each query, closest first.

        Args:
            vectors: (n, d) float32 of unit norm.
            expression: evaluated inside the search, so ``limit`` counts matching rows only.
            strong: also see what other processes wrote a moment ago; slower on a cluster.
        """
        async with self._loaded():
            options: dict[str, Any] = {}
            if strong:
                options["consistency_level"] = "Strong"
            params: dict[str, Any] = {
                "metric_type": "COSINE",
                "params": self.spec.index.search_params(limit + offset),
            }
            if offset:
                params["offset"] = offset

            options |= {
                "data": list(vectors),
                "anns_field": "embedding",
                "limit": limit,
                "filter": expression,
                "output_fields": list(fields),
                "search_params": params,
            }
            found = await self._twice(self._client.search, options)
            return [[Hit(hit["entity"], float(hit["distance"])) for hit in hits] for hits in found]

    async def query(self, expression: str, *, fields: Sequence[str], limit: int = _MAX_WINDOW) -> list[dict[str, Any]]:
        """Rows for which the expression holds, in no order."""
        async with self._loaded():
            rows = await self._twice(
                self._client.query, {"filter": expression, "output_fields": list(fields), "limit": limit}
            )
            return [dict(row) for row in rows]

    async def page(self, *, after_id: int, limit: int, fields: Sequence[str]) -> list[dict[str, Any]]:
        """The next rows by ascending primary key, which is among their fields: a limited query keeps that order."""
        return await self.query(f"id > {after_id}", fields=("id", *fields), limit=limit)

    async def delete(self, expression: str) -> None:
        """Remove the rows for which the expression holds; none is no error. On return no search finds them any more."""
        async with self._loaded():
            await self._twice(self._client.delete, {"filter": expression})
        await self.settle()

    async def settle(self) -> None:
        """Wait until every process sees what was written: a fraction of a second with a Milvus server.

        It answers before its query nodes have a write, and searches wait only for inserts of their own process (2.3.5).
        A strong read waits for all, and what it has seen every later search sees.
        """
        async with self._loaded():
            await self._twice(self._client.query, {"filter": _NO_ROW, "limit": 1, "consistency_level": "Strong"})

    async def flush(self) -> None:
        """Seal what was inserted into an indexed segment; for bulk jobs, never per request."""
        async with self._loaded() as name:
            await self._client.flush(name, **self._options)

"""The connection to a Milvus that all its collections share, made again where it gets no answers any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymilvus import AsyncMilvusClient, MilvusClient

from app.errors import BackendUnavailable
from app.services.calls import backend_call
from app.services.vectors.base import BACKEND
from app.services.vectors.milvus_settings import FAILURES, GRPC_OPTIONS

_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Where Milvus is; see ``MilvusBackend``."""

    uri: str
    user: str
    password: str
    timeout_s: float

    def client(self) -> AsyncMilvusClient:
        """With a connection of its own, made at the first call."""
        return AsyncMilvusClient(
            self.uri,
            user=self.user,
            password=self.password,
            timeout=self.timeout_s,
            grpc_options=GRPC_OPTIONS,
            dedicated=True,
        )

    def blocking_client(self) -> MilvusClient:
        """For what the asynchronous one cannot do."""
        return MilvusClient(
            self.uri, user=self.user, password=self.password, timeout=self.timeout_s, grpc_options=GRPC_OPTIONS
        )


class MilvusConnection:
    """gRPC finds by its pings alone that the other side has gone without a word, and ours are rare on purpose (see
    ``GRPC_OPTIONS``): a connection on which several calls in a row have failed is therefore given up.

    Args:
        address: whose ``timeout_s`` limits one call.
    """

    def __init__(self, address: MilvusAddress) -> None:
        self.address = address
        self._client = address.client()
        self._failures = 0
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> AsyncMilvusClient:
        """To be asked within ``call``, and not kept: the next call may have another one."""
        return self._client

    @asynccontextmanager
    async def call(self, *, timeout_s: float | None = None) -> AsyncIterator[None]:
        """Bound and observe one call, or a few that belong together.

        Raises:
            BackendUnavailable: see ``backend_call``.
        """
        client = self._client
        try:
            async with backend_call(BACKEND, timeout_s=timeout_s or self.address.timeout_s, failures=FAILURES):
                yield
        except BackendUnavailable:
            if client is self._client:
                self._count_failure()
            raise
        self._failures = 0

    async def close(self) -> None:
        for task in self._closing:
            task.cancel()
        await self._client.close()

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            task = asyncio.create_task(self._close_later(self._client))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._client, self._failures = self.address.client(), 0

    async def _close_later(self, client: AsyncMilvusClient) -> None:
        """Once no call waits on it any more: closing would cancel the callers, not only their calls."""
        try:
            await asyncio.sleep(2 * self.address.timeout_s)
        finally:
            await client.close()

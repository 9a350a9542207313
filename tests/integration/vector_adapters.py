"""Every adapter of a vector database, for the one suite that all of them pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import pytest
from pymilvus import MilvusClient
from qdrant_client import QdrantClient, models

from app.services.image_filters import ImageFilter
from app.services.vectors.base import Chooser, CollectionSpec, VectorBackend
from app.services.vectors.milvus import MilvusBackend
from app.services.vectors.milvus_connection import MilvusAddress
from app.services.vectors.milvus_settings import GRPC_OPTIONS, MilvusIndexKind
from app.services.vectors.qdrant import QdrantBackend, open_client
from tests.backends import RunningBackends
from tests.qdrant_process import QdrantProcess

TIMEOUT_S = 5.0
NOWHERE = 1  # a port where nothing listens


async def choose_nothing(wanted: ImageFilter) -> Sequence[str]:
    """Where no search gets that far."""
    raise AssertionError(wanted)


class Adapter(ABC):
    """A kind of vector database, over a server that runs for the tests."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Where the server listens."""

    @abstractmethod
    def connect(
        self,
        faces: CollectionSpec,
        images: CollectionSpec,
        *,
        choose: Chooser = choose_nothing,
        port: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> VectorBackend:
        """A backend of the running server, or of what listens at another port."""

    @abstractmethod
    def without(self) -> AbstractContextManager[None]:
        """A time in which the server is down."""

    @abstractmethod
    def remove(self, alias: str) -> None:
        """Drop a public name and every collection that was ever behind it."""


class MilvusAdapter(Adapter):
    """Milvus Lite, or the Milvus server of ``make test-servers``."""

    def __init__(self, backends: RunningBackends) -> None:
        self._backends = backends
        given = backends.settings
        self._login = {"user": given["MILVUS_USER"], "password": given["MILVUS_PASSWORD"]}

    @property
    def port(self) -> int:
        return self._backends.port("milvus")

    def connect(
        self,
        faces: CollectionSpec,
        images: CollectionSpec,
        *,
        choose: Chooser = choose_nothing,
        port: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> VectorBackend:
        return MilvusBackend(
            MilvusAddress(_url(port or self.port), **self._login, timeout_s=timeout_s),
            faces=faces,
            images=images,
            index=MilvusIndexKind.HNSW,
            choose=choose,
        )

    def without(self) -> AbstractContextManager[None]:
        return self._backends.without("milvus")

    def remove(self, alias: str) -> None:
        # A Milvus server works on every loaded collection, seen or not.
        client = MilvusClient(_url(self.port), **self._login, timeout=10, grpc_options=GRPC_OPTIONS)
        try:
            if client.has_collection(alias):
                client.drop_alias(alias)
            for collection in client.list_collections():
                if collection.startswith(f"{alias}__"):
                    client.drop_collection(collection)
        finally:
            client.close()


class QdrantAdapter(Adapter):
    """Qdrant's interface over its client's local mode, or Qdrant itself; see ``tests/qdrant_process.py``."""

    def __init__(self, server: QdrantProcess) -> None:
        self._server = server

    @property
    def port(self) -> int:
        port = urlsplit(self._server.url).port
        assert port is not None
        return port

    def connect(
        self,
        faces: CollectionSpec,
        images: CollectionSpec,
        *,
        choose: Chooser = choose_nothing,
        port: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> VectorBackend:
        client = open_client(_url(port or self.port), api_key=self._server.api_key, timeout_s=timeout_s)
        return QdrantBackend(client, faces=faces, images=images, timeout_s=timeout_s, choose=choose)

    def without(self) -> AbstractContextManager[None]:
        return self._server.without()

    def remove(self, alias: str) -> None:
        client = qdrant_client(self._server)
        try:
            if any(one.alias_name == alias for one in client.get_aliases().aliases):
                gone = models.DeleteAlias(alias_name=alias)
                client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=gone)])
            for collection in client.get_collections().collections:
                if collection.name.startswith(f"{alias}__"):
                    client.delete_collection(collection.name)
        finally:
            client.close()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def qdrant_client(server: QdrantProcess) -> QdrantClient:
    """A client past the service."""
    return QdrantClient(server.url, headers={"api-key": server.api_key}, check_compatibility=False)


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], Adapter]] = {
    "milvus": lambda request: MilvusAdapter(request.getfixturevalue("backends")),
    "qdrant": lambda request: QdrantAdapter(request.getfixturevalue("qdrant")),
}

"""Every adapter of a vector database, for the one suite that all of them pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager

from pymilvus import MilvusClient

from app.services.image_filters import ImageFilter
from app.services.vectors.base import CollectionSpec, VectorBackend
from app.services.vectors.milvus import MilvusBackend
from app.services.vectors.milvus_collection import MilvusAddress
from app.services.vectors.milvus_settings import GRPC_OPTIONS, MilvusIndexKind
from tests.backends import RunningBackends

TIMEOUT_S = 5.0

Chooser = Callable[[ImageFilter], Awaitable[Sequence[str]]]


class Adapter(ABC):
    """A kind of vector database, over a server that runs for the tests."""

    @abstractmethod
    def connect(self, faces: CollectionSpec, images: CollectionSpec, *, choose: Chooser) -> VectorBackend:
        """A backend of the running server."""

    @abstractmethod
    def connect_to_nothing(self, faces: CollectionSpec, images: CollectionSpec) -> VectorBackend:
        """A backend of an address where nothing listens."""

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
        self._uri = f"http://127.0.0.1:{backends.port('milvus')}"

    def connect(self, faces: CollectionSpec, images: CollectionSpec, *, choose: Chooser) -> VectorBackend:
        return self._backend(self._uri, faces, images, choose=choose)

    def connect_to_nothing(self, faces: CollectionSpec, images: CollectionSpec) -> VectorBackend:
        async def choose(wanted: ImageFilter) -> Sequence[str]:
            raise AssertionError(wanted)

        return self._backend("http://127.0.0.1:1", faces, images, choose=choose)

    @staticmethod
    def _backend(uri: str, faces: CollectionSpec, images: CollectionSpec, *, choose: Chooser) -> VectorBackend:
        return MilvusBackend(
            MilvusAddress(uri, user="", password="", timeout_s=TIMEOUT_S),
            faces=faces,
            images=images,
            index=MilvusIndexKind.HNSW,
            choose=choose,
        )

    def without(self) -> AbstractContextManager[None]:
        return self._backends.without("milvus")

    def remove(self, alias: str) -> None:
        # A Milvus server works on every loaded collection, seen or not.
        client = MilvusClient(self._uri, timeout=10, grpc_options=GRPC_OPTIONS)
        try:
            if client.has_collection(alias):
                client.drop_alias(alias)
            for collection in client.list_collections():
                if collection.startswith(f"{alias}__"):
                    client.drop_collection(collection)
        finally:
            client.close()


ADAPTERS: dict[str, Callable[[RunningBackends], Adapter]] = {"milvus": MilvusAdapter}

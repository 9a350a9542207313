"""Adapters of everything outside the process, from the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from app.config import Settings
from app.ml_models.factories.face_embedding import FaceEmbeddingModel
from app.ml_models.factories.image_models import ImageEmbeddingModel
from app.ml_models.manifest import load_pack
from app.ml_models.roles import ModelRole
from app.services.cache import Cache
from app.services.database import Database
from app.services.delivery.mqtt import MqttBroker
from app.services.image_filters import ImageFilter
from app.services.message_queue import MessageQueue
from app.services.storage import ObjectStorage
from app.services.stores.image_store import vectors_for_which
from app.services.stores.schema import DatabaseProbe, older_revisions
from app.services.vault import MasterKeys, Vault
from app.services.vector_db import VectorDBService
from app.services.vectors.base import (
    MAX_CHOSEN,
    Chooser,
    CollectionSpec,
    VectorBackend,
    face_collection,
    image_collection,
)
from app.services.vectors.turned import TurnedFaceIndex
from app.utils.logging import silence
from app.workflows.health import Ping
from app.workflows.mqtt_topics import Topics


@dataclass(frozen=True, slots=True)
class Backends:
    """Adapters of everything outside the process. ``turned_faces`` are the faces of ``vectors``, with their turns."""

    database: Database
    vectors: VectorDBService
    turned_faces: TurnedFaceIndex
    cache: Cache
    storage: ObjectStorage
    queue: MessageQueue | None
    mqtt: MqttBroker | None

    def pings(self) -> Mapping[str, Ping]:
        """How /health asks each of them, by its name there."""
        pings: dict[str, Ping] = {
            "database": DatabaseProbe(self.database, older=older_revisions()).look,
            "vector_db": self.vectors.ping,
            "redis": self.cache.ping,
            "storage": self.storage.ping,
        }
        if self.queue is not None:
            pings["message_queue"] = self.queue.ping
        if self.mqtt is not None:
            pings["mqtt"] = self.mqtt.ping
        return pings


def _open_milvus(
    settings: Settings, faces: CollectionSpec, images: CollectionSpec, *, choose: Chooser
) -> VectorBackend:
    # Late, here and below: a client costs tens of megabytes and time to import, and one of them is enough.
    from app.services.vectors.milvus import MilvusBackend
    from app.services.vectors.milvus_connection import MilvusAddress
    from app.services.vectors.milvus_settings import MilvusIndexKind

    silence("pymilvus")  # after its import, which sets up handlers of its own
    address = MilvusAddress(
        settings.MILVUS_URI or f"http://{settings.MILVUS_HOST}:{settings.MILVUS_PORT}",
        user=settings.MILVUS_USER,
        password=settings.MILVUS_PASSWORD.get_secret_value(),
        timeout_s=settings.BACKEND_TIMEOUT_S,
    )
    index = MilvusIndexKind(settings.MILVUS_INDEX)
    return MilvusBackend(address, faces=faces, images=images, index=index, choose=choose)


def _open_qdrant(
    settings: Settings, faces: CollectionSpec, images: CollectionSpec, *, choose: Chooser
) -> VectorBackend:
    from app.services.vectors.qdrant import QdrantBackend, open_client

    timeout_s = settings.BACKEND_TIMEOUT_S
    client = open_client(settings.QDRANT_URL, api_key=settings.QDRANT_API_KEY.get_secret_value(), timeout_s=timeout_s)
    return QdrantBackend(client, faces=faces, images=images, timeout_s=timeout_s, choose=choose)


_VECTOR_BACKENDS = {"milvus": _open_milvus, "qdrant": _open_qdrant}


def open_vectors(settings: Settings, database: Database) -> tuple[VectorDBService, TurnedFaceIndex]:
    """The vector database that the settings name, with the collections of their pack, and its index of faces; connects
    at the first call.

    Args:
        database: names the pictures of a filter that the vector database cannot evaluate, and knows how the vectors of
            faces are turned.
    """
    pack = load_pack(settings.MODEL_PACK)
    face = pack.model(ModelRole.FACE_EMBEDDING, FaceEmbeddingModel)
    image = pack.model(ModelRole.IMAGE_EMBEDDING, ImageEmbeddingModel)

    async def choose(wanted: ImageFilter) -> Sequence[str]:
        async with database.connection() as connection:
            return await vectors_for_which(connection, wanted, limit=MAX_CHOSEN + 1)

    faces = face_collection(face.model_id, face.params.dimension)
    backend = _VECTOR_BACKENDS[settings.VECTOR_DB](
        settings,
        faces,
        image_collection(image.model_id, image.params.dimension),
        choose=choose,
    )
    turned = TurnedFaceIndex(faces, open_index=backend.face_index, database=database)
    return VectorDBService(backend, turned), turned


def open_vault(settings: Settings) -> Vault:
    """The master keys of the settings; there may be none, where nothing is sealed or opened.

    Raises:
        ConfigurationError: the file can't be read, or what stands there is no key.
    """
    return Vault(MasterKeys(settings.CV_MASTER_KEY.get_secret_value(), file=settings.CV_MASTER_KEY_FILE))


async def open_database(stack: AsyncExitStack, settings: Settings) -> Database:
    """PostgreSQL, closed by ``stack``; connects at the first call."""
    database = Database(
        settings.DATABASE_URL.get_secret_value(),
        max_size=settings.POSTGRES_POOL_SIZE + settings.POSTGRES_MAX_OVERFLOW,
        timeout_s=settings.BACKEND_TIMEOUT_S,
        vault=open_vault(settings),
    )
    await database.open()
    stack.push_async_callback(database.close)
    return database


def open_storage(settings: Settings) -> ObjectStorage:
    """The object store. ``STORAGE_TYPE=s3`` means Amazon's over HTTPS unless the settings name another endpoint."""
    is_amazon = settings.STORAGE_TYPE == "s3" and "MINIO_ENDPOINT" not in settings.model_fields_set
    return ObjectStorage(
        f"s3.{settings.MINIO_REGION}.amazonaws.com" if is_amazon else settings.MINIO_ENDPOINT,
        access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
        secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
        bucket=settings.MINIO_BUCKET,
        secure=settings.MINIO_SECURE or is_amazon,
        region=settings.MINIO_REGION,
        timeout_s=settings.BACKEND_TIMEOUT_S,
        public_endpoint=settings.STORAGE_PUBLIC_ENDPOINT,
    )


async def open_backends(stack: AsyncExitStack, settings: Settings) -> Backends:
    """Adapters of all backends, closed by ``stack``. None has to be up.

    Raises:
        ConfigurationError: a file that the settings name can't be read.
    """
    timeout_s = settings.BACKEND_TIMEOUT_S
    database = await open_database(stack, settings)
    vectors, turned_faces = open_vectors(settings, database)
    stack.push_async_callback(vectors.close)
    cache = Cache(settings.REDIS_URL.get_secret_value(), ttl_s=settings.REDIS_CACHE_TTL)
    stack.push_async_callback(cache.close)
    storage = open_storage(settings)
    stack.push_async_callback(storage.close)
    queue = None
    if url := settings.RABBITMQ_URL.get_secret_value():
        queue = MessageQueue(
            url,
            exchange=settings.EVENTS_EXCHANGE,
            queue_prefix=settings.EVENTS_QUEUE_PREFIX,
            source=settings.EVENTS_SOURCE,
            timeout_s=timeout_s,
        )
        stack.push_async_callback(queue.close)
    return Backends(database, vectors, turned_faces, cache, storage, queue, _open_mqtt(settings))


def _open_mqtt(settings: Settings) -> MqttBroker | None:
    if not (url := settings.MQTT_URL.get_secret_value()):
        return None
    return MqttBroker(
        url,
        ca_file=settings.MQTT_CA_FILE,
        status_topic=Topics(settings.MQTT_TOPIC_PREFIX).status,
        source=settings.EVENTS_SOURCE,
        timeout_s=settings.BACKEND_TIMEOUT_S,
    )

"""The composition root: the only place that knows which class stands behind which need.

``open_resources`` builds everything from the settings and closes it in reverse order; the handlers' dependencies at
the end of this module take their piece from the application's state.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from app.config import Settings
from app.core.face_recognition import FaceRecognitionEngine
from app.core.image_embedding import ImageEmbedder
from app.core.inference import InferencePool
from app.core.liveness import LivenessDetector
from app.core.ocr_engine import OCREngine
from app.errors import BackendUnavailable
from app.ml_models.devices import RuntimeOptions
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.factories.image import build_image_embedder
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.gpu import GpuState, gpu_state
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.services import outbox
from app.services.cache import Cache
from app.services.database import Database
from app.services.message_queue import MessageQueue
from app.services.removals import Kind
from app.services.storage import ObjectStorage
from app.services.vector_collections import VectorIndex
from app.services.vector_db import VectorDBService, face_collection, image_collection
from app.utils import metrics
from app.utils.logging import logger
from app.workflows.access import KeyRing, store_first_key
from app.workflows.attendance import AttendanceBook, AttendanceRules
from app.workflows.background import repeat, running, until_done
from app.workflows.enrolment import EnrolmentRules, EnrolmentWorkflow
from app.workflows.events import EventStream
from app.workflows.face import FaceRules, FaceWorkflow
from app.workflows.health import HealthMonitor, Ping
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow
from app.workflows.ocr import DocumentRetention, OcrRules, OcrWorkflow
from app.workflows.rate_limit import RateLimiter
from app.workflows.relay import OutboxRelay
from app.workflows.removal import RemovalWorker
from app.workflows.retention import RecordRetention

# A second enrolment of one face needs more certainty than a recognition before it is refused: several photos are
# compared with the whole gallery at once, and a wrong refusal costs a person's time.
_DUPLICATE_CONFIDENCE = 0.9
_RETENTION_PERIOD_S = 3600.0


@dataclass(frozen=True, slots=True)
class Backends:
    """Adapters of everything outside the process."""

    database: Database
    vectors: VectorDBService
    cache: Cache
    storage: ObjectStorage
    queue: MessageQueue | None

    def pings(self) -> Mapping[str, Ping]:
        """How /health asks each of them, by its name there."""
        pings: dict[str, Ping] = {
            "database": self.database.ping,
            "vector_db": self.vectors.ping,
            "redis": self.cache.ping,
            "storage": self.storage.ping,
        }
        if self.queue is not None:
            pings["message_queue"] = self.queue.ping
        return pings


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that serves requests, open and warm."""

    settings: Settings
    loader: ModelLoader
    pool: InferencePool
    backends: Backends
    face_engines: FaceEngines
    faces: FaceWorkflow
    enrolments: EnrolmentWorkflow
    images: ImageWorkflow
    image_searches: ImageSearchWorkflow
    documents: OcrWorkflow
    events: EventStream
    health: HealthMonitor
    keys: KeyRing | None
    limiter: RateLimiter | None
    zone: ZoneInfo
    engines: tuple[str, ...] = ("face_recognition", "image_embedding")

    def providers(self) -> dict[str, str]:
        """What really runs each loaded network, by role."""
        return {model.role: model.provider for model in self.loader.listing() if model.provider}

    def gpu(self) -> GpuState | None:
        """The graphics card in use; None on a CPU."""
        on_gpu = any(provider.startswith("onnxruntime:cuda") for provider in self.providers().values())
        return gpu_state(self.settings.GPU_DEVICE_ID) if on_gpu else None


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Load and warm the models, connect the backends, run the background loops; undo all of it at the end.

    A backend that is down does not keep the service from starting; a missing model does.

    Raises:
        ConfigurationError: models or stored vectors do not fit the settings.
    """
    async with AsyncExitStack() as stack:
        pool = InferencePool(
            threads=settings.MAX_WORKERS,
            queue_size=settings.INFERENCE_QUEUE_SIZE,
            deadline_s=settings.INFERENCE_DEADLINE_S,
        )
        stack.callback(pool.close)
        loader = open_loader(settings, streams=pool.thread_count)
        face_engines = await asyncio.to_thread(_load_faces, loader, settings)
        image_embedder = await asyncio.to_thread(_load_image_embedder, loader)
        ocr_engine = await asyncio.to_thread(_load_ocr, loader) if settings.OCR_ENABLED else None
        backends = await open_backends(stack, settings)
        try:
            await backends.vectors.open()
        except BackendUnavailable:
            logger.warning("starting_without_backend", backend="vector_db")  # opened by the first call that needs it
        resources = _compose(settings, loader, pool, backends, face_engines, image_embedder, ocr_engine)
        await stack.enter_async_context(running(*_loops(resources)))
        yield resources


def open_loader(settings: Settings, *, streams: int = 1) -> ModelLoader:
    """The settings' model pack on the settings' runtime, for ``streams`` concurrent passes."""
    limit_mb = settings.GPU_MEMORY_LIMIT_MB
    return ModelLoader(
        load_pack(settings.MODEL_PACK),
        settings.MODEL_WEIGHTS_DIR,
        RuntimeOptions(
            runtime=settings.INFERENCE_RUNTIME,
            precision=settings.INFERENCE_PRECISION,
            streams=streams,
            device=settings.INFERENCE_DEVICE,
            gpu_device_id=settings.GPU_DEVICE_ID,
            gpu_memory_limit_bytes=limit_mb * 2**20 or None,
            require_gpu=settings.REQUIRE_GPU,
        ),
    )


def _load_faces(loader: ModelLoader, settings: Settings) -> FaceEngines:
    engines = build_face_engines(
        loader, min_detection_score=settings.FACE_DETECTION_THRESHOLD, min_liveness=settings.LIVENESS_THRESHOLD
    )
    engines.warm_up()
    metrics.model_loaded.labels("face_recognition").set(1)
    return engines


def _load_image_embedder(loader: ModelLoader) -> ImageEmbedder:
    embedder = build_image_embedder(loader)
    embedder.warm_up()
    metrics.model_loaded.labels("image_embedding").set(1)
    return embedder


def _load_ocr(loader: ModelLoader) -> OCREngine:
    engine = build_ocr_engine(loader, threads=os.cpu_count() or 1)
    engine.warm_up()
    metrics.model_loaded.labels("ocr").set(1)
    return engine


def open_vectors(settings: Settings) -> VectorDBService:
    """Milvus with the collections of the settings' pack; connects at the first call."""
    pack = load_pack(settings.MODEL_PACK)
    face, image = pack.spec("face_embedding"), pack.spec("image_embedding")
    return VectorDBService(
        settings.MILVUS_URI or f"http://{settings.MILVUS_HOST}:{settings.MILVUS_PORT}",
        user=settings.MILVUS_USER,
        password=settings.MILVUS_PASSWORD.get_secret_value(),
        faces=face_collection(face.model_id, face.params.integer("dimension")),
        images=image_collection(
            image.model_id, image.params.integer("dimension"), index=VectorIndex(settings.MILVUS_INDEX)
        ),
        timeout_s=settings.BACKEND_TIMEOUT_S,
    )


async def open_database(stack: AsyncExitStack, settings: Settings) -> Database:
    """PostgreSQL, closed by ``stack``; connects at the first call."""
    database = Database(
        settings.DATABASE_URL.get_secret_value(),
        max_size=settings.POSTGRES_POOL_SIZE + settings.POSTGRES_MAX_OVERFLOW,
        timeout_s=settings.BACKEND_TIMEOUT_S,
    )
    await database.open()
    stack.push_async_callback(database.close)
    return database


async def open_backends(stack: AsyncExitStack, settings: Settings) -> Backends:
    """Adapters of all backends, closed by ``stack``. None has to be up."""
    timeout_s = settings.BACKEND_TIMEOUT_S
    database = await open_database(stack, settings)
    vectors = open_vectors(settings)
    stack.push_async_callback(vectors.close)
    cache = Cache(settings.REDIS_URL.get_secret_value(), ttl_s=settings.REDIS_CACHE_TTL)
    stack.push_async_callback(cache.close)
    storage = ObjectStorage(
        settings.MINIO_ENDPOINT,
        access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
        secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
        bucket=settings.MINIO_BUCKET,
        secure=settings.MINIO_SECURE,
        region=settings.MINIO_REGION,
        timeout_s=timeout_s,
        public_endpoint=settings.STORAGE_PUBLIC_ENDPOINT,
    )
    stack.push_async_callback(storage.close)
    queue = None
    if url := settings.RABBITMQ_URL.get_secret_value():
        queue = MessageQueue(url, exchange=settings.EVENTS_EXCHANGE, timeout_s=timeout_s)
        stack.push_async_callback(queue.close)
    return Backends(database, vectors, cache, storage, queue)


def _compose(
    settings: Settings,
    loader: ModelLoader,
    pool: InferencePool,
    backends: Backends,
    face_engines: FaceEngines,
    image_embedder: ImageEmbedder,
    ocr_engine: OCREngine | None,
) -> Resources:
    faces = FaceWorkflow(
        pool=pool,
        engine=face_engines.recognition,
        liveness=face_engines.liveness,
        database=backends.database,
        vectors=backends.vectors,
        cache=backends.cache,
        attendance=AttendanceBook(
            database=backends.database,
            cache=backends.cache,
            rules=AttendanceRules(
                debounce=timedelta(seconds=settings.ATTENDANCE_DEBOUNCE_S),
                needs_liveness=settings.ATTENDANCE_REQUIRE_LIVENESS,
            ),
        ),
        rules=FaceRules(
            min_confidence=settings.FACE_RECOGNITION_THRESHOLD,
            max_pixels=settings.MAX_IMAGE_PIXELS,
        ),
    )
    enrolments = EnrolmentWorkflow(
        pool=pool,
        engine=face_engines.recognition,
        gate=face_engines.gate,
        database=backends.database,
        vectors=backends.vectors,
        storage=backends.storage,
        cache=backends.cache,
        rules=EnrolmentRules(
            max_pixels=settings.MAX_IMAGE_PIXELS,
            max_templates=settings.FACE_MAX_TEMPLATES,
            min_duplicate_confidence=max(_DUPLICATE_CONFIDENCE, settings.FACE_RECOGNITION_THRESHOLD),
            keep_crops=settings.FACE_KEEP_CROPS,
        ),
    )
    return Resources(
        settings=settings,
        loader=loader,
        pool=pool,
        backends=backends,
        face_engines=face_engines,
        faces=faces,
        enrolments=enrolments,
        images=ImageWorkflow(
            pool=pool,
            embedder=image_embedder,
            database=backends.database,
            vectors=backends.vectors,
            storage=backends.storage,
            zone=ZoneInfo(settings.HOTEL_TIMEZONE),
            max_pixels=settings.MAX_IMAGE_PIXELS,
            url_lifetime_s=settings.IMAGE_URL_LIFETIME_S,
        ),
        image_searches=ImageSearchWorkflow(
            pool=pool,
            embedder=image_embedder,
            database=backends.database,
            vectors=backends.vectors,
            max_pixels=settings.MAX_IMAGE_PIXELS,
        ),
        documents=OcrWorkflow(
            pool=pool,
            engine=ocr_engine,
            database=backends.database,
            storage=backends.storage,
            rules=OcrRules(
                max_pixels=settings.MAX_IMAGE_PIXELS,
                max_pages=settings.OCR_MAX_PAGES,
                queue_size=settings.OCR_QUEUE_SIZE,
                languages=tuple(name.strip() for name in settings.OCR_LANGUAGES.split(",") if name.strip()),
                zone=ZoneInfo(settings.HOTEL_TIMEZONE),
            ),
        ),
        events=EventStream(backends.database),
        health=HealthMonitor(backends.pings()),
        keys=KeyRing(backends.database) if settings.AUTH_REQUIRED else None,
        limiter=_limiter(settings, backends),
        zone=ZoneInfo(settings.HOTEL_TIMEZONE),
    )


def _limiter(settings: Settings, backends: Backends) -> RateLimiter | None:
    per_minute = settings.RATE_LIMIT_PER_MINUTE
    return RateLimiter(backends.cache, per_minute=per_minute) if per_minute else None


def _loops(resources: Resources) -> list[Ping]:
    settings, backends = resources.settings, resources.backends
    relay = OutboxRelay(backends.database, backends.queue)
    removal = RemovalWorker(
        backends.database,
        {
            Kind.FACE_VECTOR: backends.vectors.delete_face_vectors,
            Kind.IMAGE_VECTOR: backends.vectors.delete_image_vectors,
            Kind.OBJECT: backends.storage.delete_all,
        },
    )
    retention = RecordRetention(
        backends.database,
        outbox_days=settings.RETENTION_OUTBOX_DAYS,
        audit_days=settings.RETENTION_AUDIT_DAYS,
        only_published=backends.queue is not None,
    )

    document_retention = DocumentRetention(
        backends.database, days=settings.RETENTION_IDENTITY_DAYS, action=settings.OCR_RETENTION_ACTION
    )

    async def redact_documents() -> None:
        await document_retention.step()

    async def backlog() -> None:
        async with backends.database.connection() as connection:
            count, age_s = await outbox.backlog(connection)
        metrics.outbox_backlog.set(count)
        metrics.outbox_oldest_age.set(age_s)

    async def look_at_backends() -> None:
        await resources.health.check()

    async def first_key() -> None:
        if secret := settings.ADMIN_API_KEY.get_secret_value():
            await store_first_key(backends.database, secret)

    return [
        relay.run,
        resources.events.run,
        lambda: until_done("first_key", first_key, pause_after_failure_s=2.0),
        lambda: repeat("removal", removal.step, pause_s=1.0, pause_after_failure_s=5.0),
        # Alerts read cv_backend_up, whether or not anybody asks for /health.
        lambda: repeat("health", look_at_backends, pause_s=15.0, pause_after_failure_s=15.0),
        lambda: repeat("backlog", backlog, pause_s=15.0, pause_after_failure_s=15.0),
        lambda: repeat("retention", retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("documents", redact_documents, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
    ]


def get_resources(request: Request) -> Resources:
    """The application's resources."""
    return cast(Resources, request.app.state.resources)


Everything = Annotated[Resources, Depends(get_resources)]


def get_settings(resources: Everything) -> Settings:
    """The settings that the application was created with."""
    return resources.settings


def get_face_engine(resources: Everything) -> FaceRecognitionEngine:
    """The loaded face engine."""
    return resources.face_engines.recognition


def get_liveness_detector(resources: Everything) -> LivenessDetector:
    """The loaded presentation attack detector."""
    return resources.face_engines.liveness


def get_faces(resources: Everything) -> FaceWorkflow:
    return resources.faces


def get_enrolments(resources: Everything) -> EnrolmentWorkflow:
    return resources.enrolments


def get_images(resources: Everything) -> ImageWorkflow:
    return resources.images


def get_image_searches(resources: Everything) -> ImageSearchWorkflow:
    return resources.image_searches


def get_documents(resources: Everything) -> OcrWorkflow:
    return resources.documents


def get_events(resources: Everything) -> EventStream:
    return resources.events


def get_zone(resources: Everything) -> ZoneInfo:
    """The hotel's time zone."""
    return resources.zone


Faces = Annotated[FaceWorkflow, Depends(get_faces)]
Enrolments = Annotated[EnrolmentWorkflow, Depends(get_enrolments)]
Images = Annotated[ImageWorkflow, Depends(get_images)]
ImageSearches = Annotated[ImageSearchWorkflow, Depends(get_image_searches)]
Documents = Annotated[OcrWorkflow, Depends(get_documents)]
Events = Annotated[EventStream, Depends(get_events)]
Zone = Annotated[ZoneInfo, Depends(get_zone)]

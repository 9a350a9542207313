"""The composition root: ``open_resources`` builds everything from the settings and closes it in reverse order.

Which class stands behind which need is decided in ``app.composition``, a file a subject. The handlers' dependencies
at the end of this module take their piece from the application's state. They are asynchronous although they await
nothing: FastAPI would call plain functions on a thread of their own, one hop each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, cast
from zoneinfo import ZoneInfo

import cv2
from fastapi import Depends, Request

from app.composition.backends import Backends, open_backends, open_database, open_vectors
from app.composition.documents import compose_documents, load_ocr_engine
from app.composition.face import compose_enrolments, compose_faces, load_face_engines
from app.composition.image import compose_image_searches, compose_images, load_image_embedder
from app.composition.loops import background_loops
from app.composition.models import open_loader
from app.composition.resources import Resources
from app.composition.rooms import compose_rooms, load_room_model
from app.composition.safety import compose_safety, load_anomaly_detector
from app.config import Settings
from app.core.face_recognition import FaceRecognitionEngine
from app.core.inference import InferencePool
from app.core.liveness import LivenessDetector
from app.errors import BackendUnavailable
from app.utils.logging import logger
from app.workflows.access import KeyRing
from app.workflows.anomaly import AnomalyWorkflow
from app.workflows.background import running
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.cameras.supervisor import CameraSupervisor
from app.workflows.enrolment import EnrolmentWorkflow
from app.workflows.events import EventStream
from app.workflows.face import FaceWorkflow
from app.workflows.health import HealthMonitor
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow
from app.workflows.incidents import IncidentBook
from app.workflows.ocr import OcrWorkflow
from app.workflows.rate_limit import RateLimiter
from app.workflows.room import RoomWorkflow

__all__ = ["Backends", "Resources", "open_backends", "open_database", "open_loader", "open_resources", "open_vectors"]


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Load and warm the models, connect the backends, run the background loops; undo all of it at the end.

    A backend that is down does not keep the service from starting; a missing model does.

    Raises:
        ConfigurationError: models or stored vectors do not fit the settings.
    """
    async with AsyncExitStack() as stack:
        cv2.setNumThreads(1)  # the pool's threads share the cores already
        pool = InferencePool(
            threads=settings.MAX_WORKERS,
            queue_size=settings.INFERENCE_QUEUE_SIZE,
            deadline_s=settings.INFERENCE_DEADLINE_S,
        )
        stack.callback(pool.close)
        loader = open_loader(settings, streams=pool.thread_count)
        face_engines = await asyncio.to_thread(load_face_engines, settings, loader)
        image_embedder = await asyncio.to_thread(load_image_embedder, loader)
        ocr_engine = await asyncio.to_thread(load_ocr_engine, settings, loader)
        room_model = await asyncio.to_thread(load_room_model, settings, loader)
        anomaly_detector = await asyncio.to_thread(load_anomaly_detector, loader, settings)
        backends = await open_backends(stack, settings)
        try:
            await backends.vectors.open()
        except BackendUnavailable:
            logger.warning("starting_without_backend", backend="vector_db")  # opened by the first call that needs it
        per_minute = settings.RATE_LIMIT_PER_MINUTE
        faces = compose_faces(settings, pool, backends, face_engines)
        resources = Resources(
            settings=settings,
            loader=loader,
            pool=pool,
            backends=backends,
            face_engines=face_engines,
            faces=faces,
            enrolments=compose_enrolments(settings, pool, backends, face_engines),
            images=compose_images(settings, pool, backends, image_embedder),
            image_searches=compose_image_searches(settings, pool, backends, image_embedder),
            rooms=compose_rooms(settings, pool, backends, room_model),
            documents=compose_documents(settings, pool, backends, ocr_engine),
            safety=compose_safety(
                settings, pool, backends, detector=anomaly_detector, face_engines=face_engines, faces=faces
            ),
            events=EventStream(backends.database),
            health=HealthMonitor(backends.pings()),
            keys=KeyRing(backends.database) if settings.AUTH_REQUIRED else None,
            limiter=RateLimiter(backends.cache, per_minute=per_minute) if per_minute else None,
            zone=ZoneInfo(settings.HOTEL_TIMEZONE),
            ocr_loaded=ocr_engine is not None,
        )
        await stack.enter_async_context(running(*background_loops(resources)))
        yield resources


async def get_resources(request: Request) -> Resources:
    """The application's resources."""
    return cast(Resources, request.app.state.resources)


Everything = Annotated[Resources, Depends(get_resources)]


async def get_settings(resources: Everything) -> Settings:
    """The settings that the application was created with."""
    return resources.settings


async def get_face_engine(resources: Everything) -> FaceRecognitionEngine:
    """The loaded face engine."""
    return resources.face_engines.recognition


async def get_liveness_detector(resources: Everything) -> LivenessDetector:
    """The loaded presentation attack detector."""
    return resources.face_engines.liveness


async def get_faces(resources: Everything) -> FaceWorkflow:
    return resources.faces


async def get_enrolments(resources: Everything) -> EnrolmentWorkflow:
    return resources.enrolments


async def get_images(resources: Everything) -> ImageWorkflow:
    return resources.images


async def get_image_searches(resources: Everything) -> ImageSearchWorkflow:
    return resources.image_searches


async def get_documents(resources: Everything) -> OcrWorkflow:
    return resources.documents


async def get_rooms(resources: Everything) -> RoomWorkflow:
    return resources.rooms


async def get_anomalies(resources: Everything) -> AnomalyWorkflow:
    return resources.safety.anomalies


async def get_incidents(resources: Everything) -> IncidentBook:
    return resources.safety.incidents


async def get_registry(resources: Everything) -> CameraRegistry:
    return resources.safety.registry


async def get_cameras(resources: Everything) -> CameraSupervisor:
    return resources.safety.supervisor


async def get_events(resources: Everything) -> EventStream:
    return resources.events


async def get_zone(resources: Everything) -> ZoneInfo:
    """The hotel's time zone."""
    return resources.zone


Faces = Annotated[FaceWorkflow, Depends(get_faces)]
Enrolments = Annotated[EnrolmentWorkflow, Depends(get_enrolments)]
Images = Annotated[ImageWorkflow, Depends(get_images)]
ImageSearches = Annotated[ImageSearchWorkflow, Depends(get_image_searches)]
Documents = Annotated[OcrWorkflow, Depends(get_documents)]
Rooms = Annotated[RoomWorkflow, Depends(get_rooms)]
Anomalies = Annotated[AnomalyWorkflow, Depends(get_anomalies)]
Incidents = Annotated[IncidentBook, Depends(get_incidents)]
Registry = Annotated[CameraRegistry, Depends(get_registry)]
Cameras = Annotated[CameraSupervisor, Depends(get_cameras)]
Events = Annotated[EventStream, Depends(get_events)]
Zone = Annotated[ZoneInfo, Depends(get_zone)]

"""The composition root: ``open_resources`` builds everything from the settings and closes it in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import cv2

from app.composition.backends import open_backends
from app.composition.decoders import open_decoders
from app.composition.documents import compose_documents, load_ocr_engine
from app.composition.face import (
    compose_enrolments,
    compose_faces,
    compose_gallery,
    compose_liveness_sessions,
    load_face_engines,
)
from app.composition.image import compose_image_searches, compose_images, load_image_embedder
from app.composition.jobs import compose_bulk, compose_jobs, compose_works
from app.composition.keys import require_keys
from app.composition.loops import background_loops
from app.composition.matrices import compose_matrices
from app.composition.models import open_loader
from app.composition.resources import Resources
from app.composition.rooms import compose_rooms, load_room_model
from app.composition.safety import compose_safety, load_anomaly_detector
from app.composition.secrets import open_secret_box
from app.composition.webhooks import open_webhooks
from app.config import Settings
from app.core.inference import InferencePool
from app.errors import BackendUnavailable
from app.utils.logging import logger
from app.workflows.access import KeyRing
from app.workflows.background import running
from app.workflows.events import EventStream
from app.workflows.health import HealthMonitor
from app.workflows.idempotency import IdempotencyBook
from app.workflows.long_invoices import InvoiceIntake
from app.workflows.people import PeopleDirectory
from app.workflows.privacy import PrivacyWorkflow
from app.workflows.rate_limit import RateLimiter
from app.workflows.result_lists import ResultLists
from app.workflows.tickets import TicketDesk


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
        await require_keys(backends.database)
        decoders = await open_decoders(stack, settings)
        try:
            await backends.vectors.open()
        except BackendUnavailable:
            logger.warning("starting_without_backend", backend="vector_db")  # opened by the first call that needs it
        zone = ZoneInfo(settings.HOTEL_TIMEZONE)
        per_minute = settings.RATE_LIMIT_PER_MINUTE
        box = open_secret_box(settings, backends.database.vault)
        events = EventStream(backends.database)
        sessions = compose_liveness_sessions(settings, pool, decoders, backends, face_engines, box)
        matrices = compose_matrices(settings, backends)
        await matrices.load()
        gallery = compose_gallery(backends, matrices)
        faces = compose_faces(settings, pool, decoders, backends, face_engines, sessions, gallery)
        safety = compose_safety(
            settings,
            pool,
            decoders,
            backends,
            box,
            detector=anomaly_detector,
            face_engines=face_engines,
            faces=faces,
        )
        stack.push_async_callback(safety.incidents.close)
        stack.push_async_callback(safety.clips.close)
        health = HealthMonitor(backends.pings())
        stack.push_async_callback(health.close)
        enrolments = compose_enrolments(settings, pool, decoders, backends, face_engines, sessions, gallery)
        images = compose_images(settings, pool, decoders, backends, image_embedder, zone=zone)
        documents, long_invoices = compose_documents(settings, pool, decoders, backends, ocr_engine, zone=zone)
        jobs = compose_jobs(settings, backends)
        resources = Resources(
            settings=settings,
            loader=loader,
            pool=pool,
            backends=backends,
            matrices=matrices,
            face_engines=face_engines,
            faces=faces,
            liveness_sessions=sessions,
            enrolments=enrolments,
            images=images,
            image_searches=compose_image_searches(settings, pool, decoders, backends, image_embedder, matrices),
            rooms=compose_rooms(settings, pool, decoders, backends, room_model, zone=zone),
            documents=documents,
            privacy=PrivacyWorkflow(backends.database),
            safety=safety,
            events=events,
            webhooks=open_webhooks(stack, settings, backends, box, events),
            health=health,
            keys=KeyRing(backends.database) if settings.AUTH_REQUIRED else None,
            limiter=RateLimiter(backends.cache, per_minute=per_minute) if per_minute else None,
            tickets=TicketDesk(backends.database),
            idempotency=IdempotencyBook(backends.database, lifetime=timedelta(hours=settings.IDEMPOTENCY_HOURS)),
            jobs=jobs,
            bulk=compose_bulk(settings, jobs),
            invoices=InvoiceIntake(documents, decoders.pdfs, jobs, backends.database),
            people=PeopleDirectory(backends.database),
            result_lists=ResultLists(backends.database),
            works=compose_works(settings, images=images, enrolments=enrolments, invoices=long_invoices),
            zone=zone,
            ocr_loaded=ocr_engine is not None,
            ocr_fallback_missing=(
                ocr_engine is not None and settings.OCR_FALLBACK != "none" and not ocr_engine.has_fallback
            ),
        )
        await stack.enter_async_context(running(*background_loops(resources)))
        yield resources

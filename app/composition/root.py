"""The composition root: ``open_resources`` builds everything from the settings and closes it in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import cv2

from app.composition.access import compose_access
from app.composition.attendance import compose_attendance, compose_attendance_log, compose_passes
from app.composition.backends import open_backends
from app.composition.claims import compose_claims
from app.composition.decoders import open_decoders
from app.composition.documents import compose_documents
from app.composition.engines import load_engines
from app.composition.face import compose_enrolments, compose_faces, compose_gallery, compose_liveness_sessions
from app.composition.image import compose_image_searches, compose_images, compose_picture_search
from app.composition.jobs import compose_bulk, compose_jobs, compose_works
from app.composition.keys import require_keys
from app.composition.loops import background_loops
from app.composition.matrices import compose_matrices
from app.composition.models import open_loader
from app.composition.mqtt import compose_mqtt
from app.composition.resources import Resources
from app.composition.rooms import compose_rooms
from app.composition.safety import compose_safety
from app.composition.secrets import open_secret_box
from app.composition.stays import compose_stays
from app.composition.webhooks import open_webhooks
from app.config import Settings
from app.core.inference import InferencePool
from app.errors import BackendUnavailable
from app.utils.logging import logger
from app.workflows.background import running
from app.workflows.events import EventStream
from app.workflows.health import HealthMonitor
from app.workflows.idempotency import IdempotencyBook
from app.workflows.long_invoices import InvoiceIntake
from app.workflows.people import PeopleDirectory
from app.workflows.privacy import PrivacyWorkflow
from app.workflows.rate_limit import RateLimiter
from app.workflows.result_lists import ResultLists
from app.workflows.slow_hashes import SlowHashes
from app.workflows.tickets import TicketDesk
from app.workflows.users import UserBook


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
        loading = asyncio.create_task(load_engines(settings, loader))  # while the backends are connected
        stack.callback(loading.cancel)
        backends = await open_backends(stack, settings)
        await require_keys(backends.database)
        decoders = await open_decoders(stack, settings)
        try:
            await backends.vectors.open()
        except BackendUnavailable:
            logger.warning("starting_without_backend", backend="vector_db")  # opened by the first call that needs it
        engines = await loading
        zone = ZoneInfo(settings.HOTEL_TIMEZONE)
        per_minute = settings.RATE_LIMIT_PER_MINUTE
        box = open_secret_box(settings, backends.database.vault)
        events = EventStream(backends.database)
        sessions = compose_liveness_sessions(settings, pool, decoders, backends, engines.faces, box)
        matrices = compose_matrices(settings, backends)
        await matrices.load()
        gallery = compose_gallery(backends, matrices)
        attendance, hashes = compose_attendance(settings, backends), SlowHashes()
        faces = compose_faces(settings, pool, decoders, backends, engines.faces, sessions, gallery, attendance)
        safety = compose_safety(
            settings,
            pool,
            decoders,
            backends,
            box,
            detector=engines.anomalies,
            face_engines=engines.faces,
            finder=engines.face_finder,
            faces=faces,
            zone=zone,
        )
        stack.push_async_callback(safety.incidents.close)
        stack.push_async_callback(safety.clips.close)
        health = HealthMonitor(backends.pings())
        stack.push_async_callback(health.close)
        enrolments = compose_enrolments(settings, pool, decoders, backends, engines.faces, sessions, gallery)
        picture_search = compose_picture_search(backends, matrices)
        images = compose_images(settings, pool, decoders, backends, engines.images, picture_search, zone=zone)
        documents, long_invoices = compose_documents(settings, pool, decoders, backends, engines.documents, zone=zone)
        searches = compose_image_searches(settings, pool, decoders, backends, engines.images, picture_search)
        claims, claim_matcher = compose_claims(settings, backends, images, searches, zone=zone)
        rooms, room_references, housekeeping = compose_rooms(
            settings, pool, decoders, backends, engines.rooms, zone=zone
        )
        jobs = compose_jobs(settings, backends)
        keys, sign_in = compose_access(stack, settings, backends, hashes)
        resources = Resources(
            settings=settings,
            loader=loader,
            pool=pool,
            backends=backends,
            matrices=matrices,
            face_engines=engines.faces,
            faces=faces,
            liveness_sessions=sessions,
            attendance_log=compose_attendance_log(settings, backends),
            passes=compose_passes(settings, pool, decoders, backends, attendance, hashes),
            enrolments=enrolments,
            images=images,
            image_searches=searches,
            rooms=rooms,
            room_references=room_references,
            housekeeping=housekeeping,
            documents=documents,
            claims=claims,
            claim_matcher=claim_matcher,
            stays=compose_stays(settings, backends, documents),
            privacy=PrivacyWorkflow(backends.database),
            safety=safety,
            events=events,
            webhooks=open_webhooks(stack, settings, backends, box, events),
            mqtt=compose_mqtt(settings, backends),
            health=health,
            keys=keys,
            sign_in=sign_in,
            users=UserBook(backends.database, hashes),
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
            ocr_loaded=engines.documents is not None,
            ocr_fallback_missing=(
                engines.documents is not None and settings.OCR_FALLBACK != "none" and not engines.documents.has_fallback
            ),
        )
        await stack.enter_async_context(running(*background_loops(resources)))
        runtimes = ",".join(sorted(set(resources.providers().values())))
        logger.info("ready", version=settings.VERSION, pack=settings.MODEL_PACK, runtimes=runtimes)
        for warning in resources.warnings:
            logger.warning("ready_with_warning", warning=warning)
        yield resources

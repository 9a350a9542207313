"""The background loops of a process."""

from __future__ import annotations

from datetime import timedelta

from app.composition.resources import Resources
from app.services.live_matrix import keep_in_step
from app.services.stores import outbox
from app.services.stores.delivery_store import MQTT
from app.services.stores.removals import Kind
from app.services.stores.webhook_store import count_dead_letters
from app.utils import metrics
from app.workflows.access import store_first_key
from app.workflows.background import repeat, until_done
from app.workflows.claim_matching import ClaimRetention
from app.workflows.health import Ping
from app.workflows.idempotency import IdempotencyRetention
from app.workflows.job_runner import JobRetention, JobRunner
from app.workflows.ocr_retention import DocumentRetention
from app.workflows.relay import OutboxRelay
from app.workflows.removal import RemovalWorker
from app.workflows.retention import RecordRetention
from app.workflows.room_photos import RoomPhotoRetention
from app.workflows.stays import StayRetention

_RETENTION_PERIOD_S = 3600.0
_MATCHES_PERIOD_S = 2.0
_KEYS_PERIOD_S = 300.0  # what a busy client stores in this time is beyond the limit for as long


def background_loops(resources: Resources) -> list[Ping]:
    """What ``workflows.background.running`` keeps going."""
    settings, backends = resources.settings, resources.backends
    relay = OutboxRelay(backends.database, backends.queue)
    removal = RemovalWorker(
        backends.database,
        {
            Kind.FACE_VECTOR: backends.vectors.faces.delete,
            Kind.IMAGE_VECTOR: backends.vectors.images.delete,
            Kind.OBJECT: backends.storage.delete_all,
        },
    )
    retention = RecordRetention(
        backends.database,
        outbox_days=settings.RETENTION_OUTBOX_DAYS,
        audit_days=settings.RETENTION_AUDIT_DAYS,
        attendance_days=settings.RETENTION_ATTENDANCE_DAYS,
        only_published=backends.queue is not None,
        carriers=[MQTT] if resources.mqtt is not None else [],
    )

    document_retention = DocumentRetention(
        backends.database, days=settings.RETENTION_IDENTITY_DAYS, action=settings.OCR_RETENTION_ACTION
    )

    stay_retention = StayRetention(backends.database, days=settings.RETENTION_STAYS_DAYS)

    claim_retention = ClaimRetention(backends.database, days=settings.RETENTION_CLAIMS_DAYS)

    room_retention = RoomPhotoRetention(backends.database, days=settings.RETENTION_ROOM_PHOTOS_DAYS)

    keys_retention = IdempotencyRetention(
        backends.database,
        lifetime=timedelta(hours=settings.IDEMPOTENCY_HOURS),
        max_bytes=settings.IDEMPOTENCY_MAX_MB * 2**20,
    )

    jobs_retention = JobRetention(backends.database, days=settings.RETENTION_JOBS_DAYS)
    runner = JobRunner(backends.database, backends.storage, resources.works, taken_in=resources.jobs.taken_in)

    async def backlog() -> None:
        async with backends.database.connection() as connection:
            count, age_s = await outbox.backlog(connection)
            metrics.webhook_dead_letters.set(await count_dead_letters(connection))
        metrics.outbox_backlog.set(count)
        metrics.outbox_oldest_age.set(age_s)

    async def look_at_backends() -> None:
        await resources.health.check()
        _ = resources.pool.stuck_threads  # for its metric
        if (gpu := resources.gpu()) is not None:
            metrics.gpu_memory_usage.set(gpu.memory_used_bytes)

    async def first_key() -> None:
        if secret := settings.ADMIN_API_KEY.get_secret_value():
            await store_first_key(backends.database, secret)

    return [
        relay.run,
        resources.events.run,
        *([resources.mqtt.run] if resources.mqtt is not None else []),
        lambda: repeat("webhooks", resources.webhooks.courier.step, pause_s=0.0, pause_after_failure_s=2.0),
        *[runner.run] * settings.JOBS_AT_ONCE,
        *([lambda: keep_in_step(backends.database, matrices)] if (matrices := resources.matrices.held) else []),
        *resources.safety.loops(),
        lambda: until_done("first_key", first_key, pause_after_failure_s=2.0),
        lambda: repeat("liveness", resources.liveness_sessions.tidy, pause_s=20.0, pause_after_failure_s=20.0),
        lambda: repeat("removal", removal.step, pause_s=1.0, pause_after_failure_s=5.0),
        # Alerts read cv_backend_up, whether or not anybody asks for /health.
        lambda: repeat("health", look_at_backends, pause_s=15.0, pause_after_failure_s=15.0),
        lambda: repeat("backlog", backlog, pause_s=15.0, pause_after_failure_s=15.0),
        lambda: repeat("retention", retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("room_photos", room_retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("stays", stay_retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("claims", resources.claim_matcher.step, pause_s=_MATCHES_PERIOD_S, pause_after_failure_s=5.0),
        lambda: repeat("old_claims", claim_retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("jobs", jobs_retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("idempotency", keys_retention.step, pause_s=_KEYS_PERIOD_S, pause_after_failure_s=60.0),
        lambda: repeat("documents", document_retention.step, pause_s=_RETENTION_PERIOD_S, pause_after_failure_s=60.0),
    ]

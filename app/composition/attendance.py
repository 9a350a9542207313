"""Coming and going: the book that everything writes, the log that people read, and PINs and cards."""

from __future__ import annotations

from datetime import timedelta

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.config import Settings
from app.core.inference import InferencePool
from app.workflows.attendance import AttendanceBook, AttendanceRules
from app.workflows.attendance_log import AttendanceLog
from app.workflows.passes import PassDesk, PassRules
from app.workflows.rate_limit import RateLimiter
from app.workflows.slow_hashes import SlowHashes


def compose_attendance(settings: Settings, backends: Backends) -> AttendanceBook:
    """What cameras, kiosks, PINs and cards write to."""
    return AttendanceBook(
        database=backends.database,
        rules=AttendanceRules(
            debounce=timedelta(seconds=settings.ATTENDANCE_DEBOUNCE_S),
            max_age=timedelta(seconds=settings.ATTENDANCE_MAX_SKEW),
            needs_liveness=settings.ATTENDANCE_REQUIRE_LIVENESS,
        ),
    )


def compose_attendance_log(settings: Settings, backends: Backends) -> AttendanceLog:
    """What people read of it, and decide."""
    return AttendanceLog(backends.database, debounce=timedelta(seconds=settings.ATTENDANCE_DEBOUNCE_S))


def compose_passes(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    attendance: AttendanceBook,
    hashes: SlowHashes,
) -> PassDesk:
    """PINs and cards."""
    per_minute = settings.PASS_TRIES_PER_MINUTE
    return PassDesk(
        database=backends.database,
        attendance=attendance,
        pool=pool,
        pictures=decoders.pictures,
        hashes=hashes,
        limiter=RateLimiter(backends.cache, per_minute=per_minute, name="pass") if per_minute else None,
        rules=PassRules(settings.PIN_TRIES, timedelta(minutes=settings.PIN_LOCK_MIN)),
    )

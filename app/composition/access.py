"""Who may come in: API keys, people and their sessions."""

from __future__ import annotations

from app.composition.backends import Backends
from app.config import Settings
from app.workflows.access import KeyRing
from app.workflows.rate_limit import RateLimiter
from app.workflows.sign_in import SignInDesk
from app.workflows.slow_hashes import SlowHashes


def compose_access(settings: Settings, backends: Backends, hashes: SlowHashes) -> tuple[KeyRing | None, SignInDesk]:
    """The ring of keys, None where nobody is asked for one, and the desk where they are exchanged for sessions."""
    keys = KeyRing(backends.database, idle_min=settings.SESSION_IDLE_MIN) if settings.AUTH_REQUIRED else None
    tries = settings.SIGN_INS_PER_MINUTE
    desk = SignInDesk(
        backends.database,
        keys,
        RateLimiter(backends.cache, per_minute=tries, name="sign-in") if tries else None,
        hashes,
        idle_min=settings.SESSION_IDLE_MIN,
        lifetime_h=settings.SESSION_HOURS,
    )
    return keys, desk

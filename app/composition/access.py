"""Who may come in: API keys, people and their sessions."""

from __future__ import annotations

from contextlib import AsyncExitStack

from app.composition.backends import Backends
from app.config import Settings
from app.errors import ConfigurationError
from app.types import StaffRole
from app.workflows.access import KeyRing
from app.workflows.rate_limit import RateLimiter
from app.workflows.sign_in import SignInDesk
from app.workflows.single_sign_on import SingleSignOn
from app.workflows.slow_hashes import SlowHashes


def compose_access(
    stack: AsyncExitStack, settings: Settings, backends: Backends, hashes: SlowHashes
) -> tuple[KeyRing | None, SignInDesk]:
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
        provider=_open_provider(stack, settings, backends) if settings.OIDC_ISSUER else None,
    )
    return keys, desk


def _open_provider(stack: AsyncExitStack, settings: Settings, backends: Backends) -> SingleSignOn:
    from app.services.identity_provider import IdentityProvider  # JOSE, for those alone who use it

    if not settings.OIDC_CLIENT_ID:
        raise ConfigurationError("OIDC_ISSUER needs OIDC_CLIENT_ID, as the identity provider knows this service.")
    provider = IdentityProvider(
        settings.OIDC_ISSUER,
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET.get_secret_value(),
        prompt=settings.OIDC_PROMPT,
        timeout_s=settings.BACKEND_TIMEOUT_S,
    )
    stack.push_async_callback(provider.close)
    return SingleSignOn(
        backends.database,
        provider,
        role_claim=settings.OIDC_ROLE_CLAIM,
        roles={value: StaffRole(role) for value, role in settings.OIDC_ROLES.items()},
        name_claim=settings.OIDC_NAME_CLAIM,
    )

"""Signing in by the hotel's identity provider: who comes back, and as what.

One random secret, which the browser keeps in a cookie and the database as a digest for one use, makes the state, the
nonce and PKCE's verifier of a sign-in: what comes back counts in the browser that went, once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # Any: of claims

from app.errors import Unauthorized
from app.services.database import Database
from app.services.stores import tickets
from app.services.stores.user_store import ExternalUser
from app.types import StaffRole
from app.utils.text_folding import folded

if TYPE_CHECKING:
    from app.services.identity_provider import IdentityProvider

LIFETIME_S = 600
"""How long somebody may take to sign in at the provider."""
_MAX_NAME = 20


@dataclass(frozen=True, slots=True)
class Departure:
    """A sign-in that has begun: where it goes on, and what the browser keeps of it."""

    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom the provider vouches for; with no roles, nothing opens."""

    external: ExternalUser
    name: str
    roles: tuple[StaffRole, ...]


class SingleSignOn:
    """Sends people to the provider and reads who has come back.

    Args:
        role_claim: that lists what a person works as, in the ID token; dots lead into objects.
        roles: which role a value stands for, beside our own names.
        name_claim: from which people's names here are made.
    """

    def __init__(
        self,
        database: Database,
        provider: IdentityProvider,
        *,
        role_claim: str,
        roles: Mapping[str, StaffRole],
        name_claim: str,
    ) -> None:
        self._database = database
        self._provider = provider
        self._role_claim = role_claim
        self._roles = {**{role.value: role for role in StaffRole}, **roles}
        self._name_claim = name_claim

    async def depart(self, redirect_uri: str) -> Departure:
        """Begin a sign-in.

        Raises:
            BackendUnavailable: the provider or PostgreSQL does not answer.
        """
        async with self._database.transaction() as connection:
            ticket = await tickets.issue_ticket(connection, key_id=None, lifetime_s=LIFETIME_S)
        secret = ticket.secret
        url = await self._provider.sign_in_url(
            redirect_uri,
            state=_derived(secret, "state"),
            nonce=_derived(secret, "nonce"),
            verifier=_derived(secret, "verifier"),
        )
        return Departure(url, secret)

    async def arrive(self, secret: str, *, state: str, code: str, redirect_uri: str) -> Arrival:
        """Who has come back.

        Raises:
            Unauthorized: this browser began no such sign-in, or ended it, or the provider does not vouch for it.
            BackendUnavailable: as above.
        """
        async with self._database.connection() as connection:
            is_good, _ = await tickets.redeem_ticket(connection, secret)
        if not is_good or not hmac.compare_digest(_derived(secret, "state").encode(), state.encode()):
            raise Unauthorized(
                "This sign-in was used before, took too long or began in another browser; begin again.",
                code="sign_in_expired",
            )
        claims = await self._provider.claims(
            code, redirect_uri=redirect_uri, nonce=_derived(secret, "nonce"), verifier=_derived(secret, "verifier")
        )
        subject = str(claims["sub"])
        return Arrival(
            ExternalUser(self._provider.issuer, subject),
            user_name(claims.get(self._name_claim), subject=subject),
            self._roles_in(claims),
        )

    def _roles_in(self, claims: Mapping[str, Any]) -> tuple[StaffRole, ...]:
        value = _claim(claims, self._role_claim)
        named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        found = {self._roles[one] for one in named if isinstance(one, str) and one in self._roles}
        return tuple(role for role in StaffRole if role in found)


def user_name(claimed: object, *, subject: str) -> str:
    """A name as people have it here, out of one as the provider has it: ``Lê.Lan@hotel.example`` is ``le.lan``."""
    bare = folded(claimed).partition("@")[0] if isinstance(claimed, str) else ""
    name = re.sub(r"[^a-z0-9._-]+", ".", bare).strip("._-")[:_MAX_NAME]
    return name if len(name) > 1 else f"sso-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


def numbered(name: str, number: int) -> str:
    """The name for the next person who would have it."""
    return name if number == 1 else f"{name[: _MAX_NAME - len(str(number)) - 1]}-{number}"


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """A claim of that very name, or else by its path in objects: ``realm_access.roles``."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _derived(secret: str, what: str) -> str:
    digest = hmac.digest(secret.encode(), what.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Signing in: a password, an API key or an identity provider's word is exchanged for a session, whose secret no script
of the browser can read."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import Forbidden, NotFound, Overloaded, Unauthorized
from app.services.database import Database
from app.services.stores import user_store, web_sessions
from app.services.stores.audit import add_audit_entry
from app.utils.logging import key_id_var
from app.workflows.access import Caller, KeyRing
from app.workflows.rate_limit import RateLimiter
from app.workflows.single_sign_on import Departure, SingleSignOn, numbered
from app.workflows.slow_hashes import SlowHashes
from app.workflows.users import admitted

_NAMESAKES = 100


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """Who a caller is to themselves.

    Attributes:
        roles: of a person; None where an API key asks, or nobody is asked for one.
        has_password: which they can change here.
    """

    caller: Caller
    roles: tuple[str, ...] | None
    has_password: bool = False


class SignInDesk:
    """Begins and ends sessions.

    Args:
        keys: None where nobody is asked who they are.
        limiter: counts tries, by address and by name; None sets no limit.
        idle_min: after which an unused session has ended.
        lifetime_h: after which a person's session ends however much it is used. An API key's lasts while it is used:
            a kiosk has nobody to sign in again.
        provider: None where people sign in by password alone.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing | None,
        limiter: RateLimiter | None,
        hashes: SlowHashes,
        *,
        idle_min: int,
        lifetime_h: int,
        provider: SingleSignOn | None = None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._limiter = limiter
        self.idle_min = idle_min
        self._lifetime_h = lifetime_h
        self._hashes = hashes
        self._provider = provider

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self._keys is None

    async def by_password(self, name: str, password: str, *, address: str) -> tuple[KnownCaller, str]:
        """A person's session: who they are, and its secret.

        Raises:
            Unauthorized: nobody has that name and password.
            Overloaded: too many tries.
        """
        await self._admit(address, f"name {name}")
        async with self._database.connection() as connection:
            known = await user_store.find_credentials(connection, name)
        is_right = await self._hashes.matches(password, known.password_hash if known else None)
        if known is None or not is_right:
            if known is not None:  # an unknown name may be a password in the wrong field, and is written nowhere
                async with self._database.transaction() as connection:
                    await add_audit_entry(connection, "session.refuse", subject=name, actor=None)
            raise _refused("This name and password do not belong together; try again, or ask for a new password.")
        return await self._begin(known.key_id, name, lifetime_h=self._lifetime_h)

    async def by_key(self, secret: str, *, address: str) -> tuple[KnownCaller, str]:
        """As ``by_password``, for an API key."""
        await self._admit(address)
        caller = None if self._keys is None else await self._keys.caller(secret)
        if caller is None or caller.key_id is None:
            raise _refused("This API key is unknown or revoked; ask for another.")
        return await self._begin(caller.key_id, caller.label, lifetime_h=None)

    @property
    def has_provider(self) -> bool:
        """Whether people can sign in by an identity provider."""
        return self._provider is not None and not self.is_open

    async def depart(self, redirect_uri: str, *, address: str) -> Departure:
        """Send somebody to the identity provider, from where they come back to ``redirect_uri``.

        Raises:
            NotFound: there is none.
            Overloaded: too many tries.
            BackendUnavailable: it does not answer.
        """
        provider = self._asked_provider()
        await self._admit(address)
        return await provider.depart(redirect_uri)

    async def by_provider(
        self, secret: str, *, state: str, code: str, redirect_uri: str, address: str
    ) -> tuple[KnownCaller, str]:
        """As ``by_password``, for somebody who has come back.

        Args:
            secret: what the browser kept of the departure.

        Raises:
            Forbidden: the provider gives them no role here; their sessions have ended, if there were any.
        """
        provider = self._asked_provider()
        await self._admit(address)
        person = await provider.arrive(secret, state=state, code=code, redirect_uri=redirect_uri)
        async with self._database.transaction() as connection:
            if person.roles:
                names = (numbered(person.name, number) for number in range(1, _NAMESAKES))
                user = await admitted(connection, person.external, names=names, roles=person.roles)
            else:
                known, _ = await user_store.find_external_user(connection, person.external)
                if known is not None:
                    await web_sessions.end_sessions_of(connection, known.key_id)
                await add_audit_entry(connection, "session.refuse", subject=person.name, actor=None)
        if not person.roles:
            raise Forbidden("The identity provider gives you no role here; ask for one there.", code="role_missing")
        return await self._begin(user.key_id, user.name, lifetime_h=self._lifetime_h)

    def _asked_provider(self) -> SingleSignOn:
        if self._provider is None:
            raise NotFound("People sign in by name and password here.", code="no_identity_provider")
        return self._provider

    async def identity(self, caller: Caller) -> KnownCaller:
        """Who a caller is."""
        if caller.key_id is None:
            return KnownCaller(caller, None)
        async with self._database.connection() as connection:
            user = await user_store.find_user_by_key(connection, caller.key_id)
        return KnownCaller(caller, user.roles, user.has_password) if user else KnownCaller(caller, None)

    async def change_password(self, caller: Caller, *, old: str, new: str, session: str | None) -> None:
        """Give the caller another password, and end their other sessions.

        Raises:
            NotFound: the caller is an API key, or anybody, and has no password.
            Unauthorized: theirs is another one.
            Overloaded: too many tries.
        """
        await self._admit(f"name {caller.label}")
        async with self._database.connection() as connection:
            known = await user_store.find_credentials(connection, caller.label)
        if known is None or known.key_id != caller.key_id:
            raise NotFound("Only people who sign in by name have a password.", code="no_password")
        if not await self._hashes.matches(old, known.password_hash):
            raise _refused("This is not your password of now; try again, or ask for a new one.")
        hashed = await self._hashes.hash(new)
        async with self._database.transaction() as connection:
            await user_store.set_password(connection, known.key_id, hashed)
            await web_sessions.end_sessions_of(connection, known.key_id, but=session)
            await add_audit_entry(connection, "user.password", subject=caller.label, actor=caller.label)

    async def end(self, caller: Caller, session: str) -> None:
        """End a session at once; on other replicas within seconds."""
        async with self._database.transaction() as connection:
            await web_sessions.end_session(connection, session)
            await add_audit_entry(connection, "session.end", subject=caller.label, actor=caller.label)
        if self._keys is not None:
            self._keys.forget_session(session)

    async def _begin(self, key_id: int, name: str, *, lifetime_h: int | None) -> tuple[KnownCaller, str]:
        key_id_var.set(key_id)  # for the audit and the log line of this request
        async with self._database.transaction() as connection:
            secret = await web_sessions.begin_session(
                connection, key_id=key_id, lifetime_h=lifetime_h, idle_min=self.idle_min
            )
            await user_store.note_sign_in(connection, key_id)
            await add_audit_entry(connection, "session.begin", subject=name, actor=name)
        caller = None if self._keys is None else await self._keys.caller_of_session(secret)
        if caller is None:
            raise _refused("This account was ended just now; ask for another.")
        return await self.identity(caller), secret

    async def _admit(self, *who: str) -> None:
        if self._limiter is None:
            return
        for one in who:
            _, wait_s = await self._limiter.count(one)
            if wait_s > 0:
                raise Overloaded("Too many tries to sign in; wait a little.", retry_after_s=wait_s, code="rate_limited")


def _refused(message: str) -> Unauthorized:
    return Unauthorized(message, code="sign_in_refused")

"""Who calls: keys looked up in PostgreSQL, the answer remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.errors import InvalidInput, NotFound
from app.services.database import Connection, Database
from app.services.stores import keys, web_sessions
from app.services.stores.audit import add_audit_entry
from app.services.stores.document_store import OtherKind
from app.services.stores.keys import ApiKey
from app.types import Scope

_LOCAL_LABEL = "local"
_MAX_SIGNATURE = 20  # of enrolled_by, uploaded_by, analyzed_by and processed_by


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; ``label`` goes into the audit where the request names nobody. ``key_id`` is None without a key."""

    label: str
    scopes: frozenset[str]
    key_id: int | None = None

    def may(self, *scopes: Scope) -> bool:
        """Whether the key opens what asks for one of ``scopes``."""
        return Scope.ADMIN in self.scopes or any(
            scope in self.scopes or scope.partition(":")[0] in self.scopes for scope in scopes
        )

    def may_hear(self, event_type: str) -> bool:
        """Whether the key may read events of that type; one without a scope of its own is for ``events``."""
        return self.may(Scope.EVENTS) or f"{Scope.EVENTS}:{event_type.partition('.')[0]}" in self.scopes

    def may_see(self, document_type: str) -> bool:
        """Whether the key may read stored documents of that type."""
        return self.may(Scope.OCR_INVOICE if document_type == OtherKind.INVOICE else Scope.OCR_ID)

    def signature(self, named: str | None) -> str:
        """Who is named in the records: whom the request names, else the key's label as far as the columns hold it."""
        return named or self.label[:_MAX_SIGNATURE]


LOCAL = Caller(_LOCAL_LABEL, frozenset(Scope))
"""Whoever reaches a service that asks for no keys."""


_Name: TypeAlias = int | bytes | tuple[str, bytes]
"""What a caller is remembered by: the number or the digest of a key, or the digest of a session."""


class KeyRing:
    """Looks keys up and remembers the answer for a moment.

    Args:
        idle_min: minutes after which a session that nobody uses has ended.
        max_age_s: how long a revoked key may still work; bounds the look-ups of a busy client.
    """

    _MAX_REMEMBERED = 1024

    def __init__(self, database: Database, *, idle_min: int = 30, max_age_s: float = 5.0) -> None:
        self._database = database
        self._idle_min = idle_min
        self._max_age_s = max_age_s
        self._known: dict[_Name, tuple[float, Caller | None]] = {}

    async def caller(self, secret: str) -> Caller | None:
        """The owner of a key; None if it is unknown or revoked."""
        return await self._remembered(keys.digest(secret), lambda connection: keys.find_key(connection, secret))

    async def caller_by_id(self, key_id: int) -> Caller | None:
        """As ``caller``, where only the key's number is known."""
        return await self._remembered(key_id, lambda connection: keys.find_key_by_id(connection, key_id))

    async def caller_of_session(self, secret: str) -> Caller | None:
        """In whose name a browser's session is, which counts as used; None if it has ended."""

        async def find(connection: Connection) -> ApiKey | None:
            key = await web_sessions.find_session_key(connection, secret, idle_min=self._idle_min)
            if key is not None:
                await web_sessions.note_use(connection, secret)
            return key

        return await self._remembered(_session_name(secret), find)

    async def lasts(self, secret: str) -> bool:
        """Whether a session has not ended; looking does not count as use."""
        async with self._database.connection() as connection:
            return await web_sessions.find_session_key(connection, secret, idle_min=self._idle_min) is not None

    def forget_session(self, secret: str) -> None:
        """Ask PostgreSQL again, the next time."""
        self._known.pop(_session_name(secret), None)

    async def _remembered(self, name: _Name, find: Callable[[Connection], Awaitable[ApiKey | None]]) -> Caller | None:
        expires_at, caller = self._known.get(name, (0.0, None))
        if time.monotonic() < expires_at:
            return caller
        async with self._database.connection() as connection:
            key = await find(connection)
        caller = Caller(key.label, key.scopes, key.id) if key else None
        if len(self._known) >= self._MAX_REMEMBERED:
            self._known.clear()
        self._known[name] = (time.monotonic() + self._max_age_s, caller)
        return caller


def _session_name(secret: str) -> tuple[str, bytes]:
    # Apart from keys: what opens as a session must not open as a key.
    return "session", keys.digest(secret)


async def store_first_key(database: Database, secret: str) -> None:
    """Make the key that the operator chose an admin's; a revoked one stays revoked.

    Raises:
        BackendUnavailable: PostgreSQL does not answer.
    """
    async with database.transaction() as connection:
        key_id, is_new = await keys.add_key(connection, secret, label="admin", scopes=[Scope.ADMIN])
        if is_new:
            await add_audit_entry(connection, "key.create", subject=str(key_id), actor="ADMIN_API_KEY")


async def create_key(database: Database, *, label: str, scopes: Sequence[str], actor: str) -> tuple[int, str]:
    """A new key: its id, and the secret that is never seen again.

    Args:
        label: whose it is; the audit names it.
        scopes: of ``Scope``; none at all still opens ``/metrics``.
        actor: who makes it.

    Raises:
        InvalidInput: no such scope.
        BackendUnavailable: PostgreSQL does not answer.
    """
    if unknown := sorted(set(scopes) - set(Scope)):
        raise InvalidInput(f"No such scope: {', '.join(unknown)}. There are: {', '.join(Scope)}.")
    granted = [Scope(scope) for scope in scopes]
    secret = keys.new_secret()
    async with database.transaction() as connection:
        key_id, _ = await keys.add_key(connection, secret, label=label, scopes=granted)
        await add_audit_entry(
            connection, "key.create", subject=str(key_id), actor=actor, details={"label": label, "scopes": list(scopes)}
        )
    return key_id, secret


async def revoke_key(database: Database, key_id: int, *, actor: str) -> None:
    """End a key; every replica forgets it within ``KeyRing``'s ``max_age_s``.

    Raises:
        NotFound: no such key, or it was revoked before.
        BackendUnavailable: PostgreSQL does not answer.
    """
    async with database.transaction() as connection:
        if not await keys.revoke_key(connection, key_id):
            raise NotFound(f"There is no key {key_id} in use.", code="key_not_found")
        await add_audit_entry(connection, "key.revoke", subject=str(key_id), actor=actor)


async def list_keys(database: Database) -> list[ApiKey]:
    """All keys, revoked ones too, oldest first; never their secrets.

    Raises:
        BackendUnavailable: PostgreSQL does not answer.
    """
    async with database.connection() as connection:
        return await keys.list_keys(connection)

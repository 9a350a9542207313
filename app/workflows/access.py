"""Who calls: keys looked up in PostgreSQL, the answer remembered for a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.services import keys
from app.services.database import Database

_LOCAL_LABEL = "local"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; ``label`` stands in the audit where the request names nobody."""

    label: str
    scopes: frozenset[str]


LOCAL = Caller(_LOCAL_LABEL, frozenset(keys.SCOPES))
"""Whoever reaches a service that asks for no keys."""


class KeyRing:
    """Looks keys up and remembers the answer for a moment.

    Args:
        max_age_s: how long a revoked key may still work; bounds the look-ups of a busy client.
    """

    _MAX_REMEMBERED = 1024

    def __init__(self, database: Database, *, max_age_s: float = 5.0) -> None:
        self._database = database
        self._max_age_s = max_age_s
        self._known: dict[bytes, tuple[float, Caller | None]] = {}

    async def caller(self, secret: str) -> Caller | None:
        """The owner of a key; None if it is unknown or revoked."""
        digest = keys.digest(secret)
        expires_at, caller = self._known.get(digest, (0.0, None))
        if time.monotonic() < expires_at:
            return caller
        async with self._database.connection() as connection:
            key = await keys.find_key(connection, secret)
        caller = Caller(key.label, key.scopes) if key else None
        if len(self._known) >= self._MAX_REMEMBERED:
            self._known.clear()
        self._known[digest] = (time.monotonic() + self._max_age_s, caller)
        return caller

"""The states of rooms in Redis: a shortcut to PostgreSQL that never brings an older state back.

Writers put the state that they committed, readers what they read; both are kept only if they are newer than what is
there, so neither order nor timing of two analyses of one room matters. A state that Redis was too ill to take is
remembered here as missing there, until Redis has it: what it still holds of that room is old.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from app.services.cache import Cache
from app.services.stores.room_store import RoomState

_MOMENTS = ("changed_at", "last_analyzed_at")


def _key(room_number: str) -> str:
    return f"room:{room_number}"


class RoomCache:
    """States of rooms by number, in front of the record."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._missed: dict[str, int] = {}  # by room, the newest version that Redis did not take; at most all rooms

    async def find(self, room_number: str) -> RoomState | None:
        """The state, or None where Redis does not know it, is behind, or is down."""
        if room_number in self._missed:
            return None
        text = await self._cache.find_versioned(_key(room_number))
        if text is None:
            return None
        values = json.loads(text)
        for name in _MOMENTS:
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        return RoomState(**values)

    async def remember(self, state: RoomState) -> None:
        """Keep the state unless a newer one is known."""
        values = asdict(state)
        for name in _MOMENTS:
            values[name] = values[name].isoformat() if values[name] else None
        room, version = state.room_number, state.version
        if not await self._cache.remember_newest(_key(room), json.dumps(values), version=version):
            self._missed[room] = max(version, self._missed.get(room, 0))
        elif version >= self._missed.get(room, 0):
            self._missed.pop(room, None)

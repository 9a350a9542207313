"""The states of rooms in Redis: a shortcut to PostgreSQL that never brings an older state back.

Writers put the state that they committed, readers what they read; both are kept only if they are newer than what is
there, so neither order nor timing of two analyses of one room matters.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from app.services.cache import Cache
from app.services.room_store import RoomState

_MOMENTS = ("changed_at", "last_analyzed_at")


def _key(room_number: str) -> str:
    return f"room:{room_number}"


async def find_room_state(cache: Cache, room_number: str) -> RoomState | None:
    """The state, or None where Redis does not know it or is down."""
    text = await cache.find_versioned(_key(room_number))
    if text is None:
        return None
    values = json.loads(text)
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return RoomState(**values)


async def remember_room_state(cache: Cache, state: RoomState) -> None:
    """Keep the state unless a newer one is known; silent where Redis is down."""
    values = asdict(state)
    for name in _MOMENTS:
        values[name] = values[name].isoformat() if values[name] else None
    await cache.remember_newest(_key(state.room_number), json.dumps(values), version=state.version)

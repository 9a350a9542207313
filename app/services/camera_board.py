"""What each replica reports to the others of its cameras: state and a small picture, for a few seconds."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError

from app.errors import BackendUnavailable
from app.services.cache import BACKEND, Cache
from app.services.calls import backend_call

_TIMEOUT_S = 1.0
_STATE = f"{Cache.PREFIX}camera:state:"
_PICTURE = f"{Cache.PREFIX}camera:picture:"


class CameraBoard:
    """Notes in Redis. Without Redis there are none, and nothing else changes.

    Args:
        ttl_s: how long a note stays.
    """

    def __init__(self, cache: Cache, *, ttl_s: float) -> None:
        self._client = cache.client
        self._ttl_ms = round(ttl_s * 1000)

    async def post(self, states: Mapping[str, Mapping[str, object]], pictures: Mapping[str, bytes]) -> None:
        """Put up the states and JPEG pictures of cameras, by id."""
        if not states:
            return
        try:
            async with (
                backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)),
                self._client.pipeline(transaction=False) as pipeline,
            ):
                for camera_id, state in states.items():
                    pipeline.set(_STATE + camera_id, json.dumps(state), px=self._ttl_ms)
                for camera_id, picture in pictures.items():
                    pipeline.set(_PICTURE + camera_id, base64.b64encode(picture).decode(), px=self._ttl_ms)
                await pipeline.execute()
        except BackendUnavailable:
            return

    async def states(self, camera_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The states that are up, by id."""
        if not camera_ids:
            return {}
        try:
            async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
                notes = await self._client.mget([_STATE + camera_id for camera_id in camera_ids])
        except BackendUnavailable:
            return {}
        return {camera_id: json.loads(note) for camera_id, note in zip(camera_ids, notes, strict=True) if note}

    async def picture(self, camera_id: str) -> bytes | None:
        """A camera's picture, a JPEG, if one is up."""
        try:
            async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
                note = await self._client.get(_PICTURE + camera_id)
        except BackendUnavailable:
            return None
        return base64.b64decode(note) if note else None

"""Stores the frames that an alert could not wait for, one after the other, and gives them to their detections."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from app.errors import VisionError
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import incident_store
from app.utils import metrics
from app.utils.logging import logger
from app.workflows.safety.evidence import Recorded
from app.workflows.safety.frame_objects import FrameObjects

_MAX_WAITING = 64
_CLOSE_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class LateFrame:
    """An announced frame whose detections are written already."""

    objects: FrameObjects
    recorded: tuple[Recorded, ...]


class LateFrames:
    """A short queue with one worker, which lives while frames wait. What is lost here was announced, so nothing of it
    remains in the store."""

    def __init__(self, database: Database, storage: ObjectStorage) -> None:
        self._database = database
        self._storage = storage
        self._waiting: deque[LateFrame] = deque()
        self._worker: asyncio.Task[None] | None = None

    def add(self, frame: LateFrame) -> None:
        """Store the frame behind those that wait; it is lost where too many do."""
        if len(self._waiting) >= _MAX_WAITING:
            _lost("queue_full")
            return
        self._waiting.append(frame)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="late frames")

    async def close(self) -> None:
        """Wait a few seconds for the frames that wait, and give up the rest."""
        if self._worker is not None:
            await asyncio.wait([self._worker], timeout=_CLOSE_WITHIN_S)
            self._worker.cancel()
            await asyncio.wait([self._worker])
        for _ in range(len(self._waiting)):
            self._waiting.popleft()
            _lost("closing")

    async def _work(self) -> None:
        while self._waiting:
            await self._store(self._waiting.popleft())

    async def _store(self, frame: LateFrame) -> None:
        url = self._storage.url(frame.objects.keys.shown)
        try:
            await frame.objects.store(self._storage)
            async with self._database.transaction() as connection:
                for one in frame.recorded:
                    keys = frame.objects.keys_of(one.incident_id, alerted=one.alerted)
                    await incident_store.attach_frame(connection, one.detection_id, image_url=url, frame=keys)
                await frame.objects.claim_kept(connection, frame.recorded)
        except VisionError as error:
            _lost(error.code)
        except asyncio.CancelledError:
            _lost("closing")
            raise


def _lost(reason: str) -> None:
    metrics.frames_lost_total.inc()
    logger.warning("frame_not_stored", reason=reason)

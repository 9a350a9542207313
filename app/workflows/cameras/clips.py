"""Clips of incidents: the seconds before and after, as an MP4 that browsers play.

Each camera keeps its latest frames as small JPEGs, bounded in time and bytes. When an incident begins, the frames
around it are encoded as H.264 (libx264, GPL: see docs/licences.md), behind the alert, which waits for nothing: with
faces blurred, and where there are some, once more as they are.
"""

from __future__ import annotations

import asyncio
import io
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np

from app.core.face_blur import blur_boxes, blur_picture
from app.core.inference import Priority
from app.errors import VisionError
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import incident_store
from app.services.stores.removals import Kind, claim
from app.types import Box, Image
from app.utils import clock, metrics
from app.utils.image_processing import bounded, encode_jpeg
from app.utils.logging import logger
from app.workflows.announcements import announced
from app.workflows.safety.frame_painter import FramePainter

_SIDE_PX = 640
_QUALITY = 80
_MAX_RING_BYTES = 8 * 2**20
_MARGIN_S = 2.0  # an incident is written down a little after the frame that decided
_TICKS = 1000  # timestamps are milliseconds
_MOST_WAITING = 64
_LOOKS, _LOOK_PAUSE_S = 5, 1.0
_INDEX_BYTES = 2**17  # room in front of the pictures, for those of 90 s at 10 a second three times over


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """A small frame. ``at_s``: of the monotonic clock."""

    at_s: float
    jpeg: bytes


class ClipRing:
    """A camera's latest frames; filled by the camera's thread, read by any.

    Args:
        keep_s: how far back they reach; 0 keeps none.
    """

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._frames: deque[ClipFrame] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, image: Image, at_s: float) -> None:
        """Keep a frame, and forget what is too old or too much. At most 8 MiB are kept."""
        if not self._keep_s:
            return
        frame = ClipFrame(at_s, encode_jpeg(bounded(image, side_px=_SIDE_PX), quality=_QUALITY))
        with self._lock:
            self._frames.append(frame)
            self._bytes += len(frame.jpeg)
            while self._frames[0].at_s < at_s - self._keep_s or self._bytes > _MAX_RING_BYTES:
                self._bytes -= len(self._frames.popleft().jpeg)
                if not self._frames:
                    return

    def between(self, begins_s: float, ends_s: float) -> list[ClipFrame]:
        """The frames of that time, in order."""
        with self._lock:
            return [frame for frame in self._frames if begins_s <= frame.at_s <= ends_s]


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """How long clips are, in seconds before and after the moment that began the incident."""

    before_s: float
    after_s: float

    def new_ring(self) -> ClipRing:
        """A ring that holds what a clip needs."""
        return ClipRing(keep_s=self.before_s + self.after_s + _MARGIN_S if self.after_s else 0.0)


class ClipMaker:
    """Makes clips, one at a time; at most 64 wait. A clip that is lost costs its incident nothing else.

    Args:
        plan: no clips are made where ``after_s`` is 0.
    """

    def __init__(self, *, database: Database, storage: ObjectStorage, painter: FramePainter, plan: ClipPlan) -> None:
        self.plan = plan
        self._painter = painter
        self._database = database
        self._storage = storage
        self._encoding = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, incident_id: int, camera_id: str, ring: ClipRing, at_s: float) -> None:
        """Make the clip of an incident once its last second has passed.

        Args:
            at_s: when the frame was read that began it, by the monotonic clock.
        """
        if not self.plan.after_s or len(self._tasks) >= _MOST_WAITING:
            return
        task = asyncio.create_task(self._make(incident_id, camera_id, ring, at_s), name="clip")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up the clips that are not made yet."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _make(self, incident_id: int, camera_id: str, ring: ClipRing, at_s: float) -> None:
        try:
            await asyncio.sleep(self.plan.after_s)
            frames = ring.between(at_s - self.plan.before_s, at_s + self.plan.after_s)
            if not frames:
                return
            async with self._encoding:
                faces = [await self._faces_in(frame) for frame in frames]
                shown = await asyncio.to_thread(
                    encode_mp4, frames, lambda number, image: _blurred(image, faces, number)
                )
                original = await asyncio.to_thread(encode_mp4, frames) if any(one != [] for one in faces) else None
            await self._store(incident_id, camera_id, shown, original)
        except VisionError as error:
            metrics.clips_total.labels("lost").inc()
            logger.warning("clip_not_stored", incident=incident_id, code=error.code)
        except Exception as error:  # noqa: BLE001  # the border of a task that nobody awaits
            metrics.clips_total.labels("lost").inc()
            logger.opt(exception=error).error("clip_failed", incident=incident_id)

    async def _faces_in(self, frame: ClipFrame) -> list[Box] | None:
        """Where to blur; None: everywhere, as nobody could look. A clip can wait until the pool has a place."""
        image = await asyncio.to_thread(_decoded, frame)
        for _ in range(_LOOKS):
            faces = await self._painter.faces(image, priority=Priority.BULK)
            if faces is not None:
                return faces
            await asyncio.sleep(_LOOK_PAUSE_S)
        return None

    async def _store(self, incident_id: int, camera_id: str, shown: bytes, original: bytes | None) -> None:
        stem = f"clips/{camera_id}/{clock.now():%Y/%m/%d}/{uuid.uuid4()}"
        key, original_key = f"{stem}.mp4", f"{stem}.original.mp4" if original else None
        things = {Kind.OBJECT: [key, *([original_key] if original_key else [])]}
        async with announced(self._database, things):
            await self._storage.put(key, shown, content_type="video/mp4")
            if original_key and original:
                await self._storage.put(original_key, original, content_type="video/mp4")
            async with self._database.transaction() as connection:
                if await incident_store.attach_clip(connection, incident_id, key, original_key=original_key):
                    await claim(connection, things)
                    metrics.clips_total.labels("stored").inc()


def _blurred(image: Image, faces: Sequence[list[Box] | None], number: int) -> Image:
    """A frame without faces: those of its neighbours are blurred too, for one that was missed between two."""
    near = faces[max(number - 1, 0) : number + 2]
    if faces[number] is None:
        return blur_picture(image)
    return blur_boxes(image, [box for boxes in near for box in boxes or ()])


def encode_mp4(frames: Sequence[ClipFrame], paint: Callable[[int, Image], Image] | None = None) -> bytes:
    """The frames as an MP4 with H.264, in real time, its index in front so that it plays while it loads.

    Args:
        frames: in order, at least one; the first one's size is the clip's.
        paint: what becomes of each, by its number.
    """
    target = io.BytesIO()
    first = _decoded(frames[0])
    height, width = (side - side % 2 for side in first.shape[:2])
    with av.open(target, "w", format="mp4", options={"moov_size": str(_INDEX_BYTES)}) as container:
        stream = container.add_stream("libx264", options={"preset": "veryfast", "crf": "26"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.thread_count = 1
        last = -1
        for number, frame in enumerate(frames):
            image = _decoded(frame)
            if paint is not None:
                image = paint(number, image)
            if image.shape[:2] != (height, width):
                image = np.asarray(cv2.resize(image, (width, height)), dtype=np.uint8)
            shown = av.VideoFrame.from_ndarray(image, format="bgr24")
            # Two frames of the same millisecond would be refused.
            last = max(last + 1, round((frame.at_s - frames[0].at_s) * _TICKS))
            shown.pts, shown.time_base = last, Fraction(1, _TICKS)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    return target.getvalue()


def _decoded(frame: ClipFrame) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)

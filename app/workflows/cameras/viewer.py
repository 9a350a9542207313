"""Live views of cameras: what the worker sees, as motion JPEG, for few people and not for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from app.errors import Overloaded, Unavailable
from app.workflows.cameras.supervisor import CameraSupervisor

BOUNDARY = "frame"
_LONGEST_S = 600.0
_WITHOUT_PICTURE_S = 15.0


class CameraViewer:
    """Hands out pictures to people who look.

    Args:
        most: views at once.
    """

    def __init__(self, cameras: CameraSupervisor, *, most: int) -> None:
        self._cameras = cameras
        self._most = most
        self._viewers = 0

    async def open(
        self, camera_id: str, *, frames_per_second: float, may_read: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """A ``multipart/x-mixed-replace`` body with the boundary ``BOUNDARY``; it ends after ten minutes.

        Args:
            may_read: asked again and again whether the viewer still may look.

        Raises:
            Unavailable: there is no picture of the camera now.
            Overloaded: too many people look.
        """
        first = await self._cameras.snapshot(camera_id)
        if self._viewers >= self._most:
            raise Overloaded("Too many live views are open; close one.", retry_after_s=5.0, code="too_many_viewers")
        return self._parts(camera_id, first, 1 / frames_per_second, may_read)

    async def _parts(
        self, camera_id: str, picture: bytes, interval_s: float, may_read: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        self._viewers += 1
        try:
            ends_at_s = time.monotonic() + _LONGEST_S
            seen_at_s = time.monotonic()
            shown: bytes | None = None
            while time.monotonic() < ends_at_s and await may_read():
                if picture != shown:
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    yield head.encode() + picture + b"\r\n"
                    shown = picture
                await asyncio.sleep(interval_s)
                try:
                    picture, seen_at_s = await self._cameras.snapshot(camera_id), time.monotonic()
                except Unavailable:
                    if time.monotonic() - seen_at_s > _WITHOUT_PICTURE_S:
                        return
        finally:
            self._viewers -= 1

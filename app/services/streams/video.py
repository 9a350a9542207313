"""Video of files and of RTSP cameras through FFmpeg (PyAV).

Chosen over OpenCV's reader, which opens one stream at a time in a process: a silent camera would keep all others from
coming back after a power cut. PyAV opens without such a lock, ends every wait at its time limit, and says which
pictures came damaged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import av
import numpy as np

from app.services.streams.types import Fault, StreamFacts, StreamFailed
from app.types import Image
from app.utils.picture_limits import PictureLimits

av.logging.set_level(av.logging.PANIC)  # FFmpeg's messages may hold addresses and logins


class VideoStream:
    """Pictures of one video stream, decoded on the caller's thread.

    Args:
        url: of a file, or of a relay.
        timeout_s: limit of opening and of waiting for one picture.
        options: FFmpeg's, of the protocol.
    """

    def __init__(self, url: str, *, timeout_s: float, limits: PictureLimits, options: Mapping[str, str]) -> None:
        self._timeout_s = timeout_s
        self._limits = limits
        self._reading = threading.Lock()  # FFmpeg bears no close while it reads
        self._is_closing = False
        started_at_s = time.monotonic()
        try:
            container = av.open(url, timeout=timeout_s, options=dict(options))
        except (av.FFmpegError, OSError) as error:
            raise self._not_opened(time.monotonic() - started_at_s) from error
        if not container.streams.video:
            container.close()
            raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends no video.")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # many cameras share few cores
        self.frames_per_second = float(stream.average_rate or stream.guessed_rate or 0)
        self.facts = StreamFacts(stream.codec_context.name, self.frames_per_second or None)
        self._container: av.container.InputContainer | None = container
        self._frames: Iterator[av.VideoFrame] = container.decode(stream)
        self._frame: av.VideoFrame | None = None

    def _not_opened(self, waited_s: float) -> StreamFailed:
        if waited_s >= self._timeout_s:
            return StreamFailed(Fault.STALLED, "The camera takes the connection and does not answer.")
        return StreamFailed(Fault.NOT_A_STREAM, "No video can be read from the camera.")

    def grab(self) -> None:
        started_at_s = time.monotonic()
        try:
            with self._reading:
                self._frame = next(self._frames)
        except (StopIteration, av.FFmpegError, OSError) as error:
            if time.monotonic() - started_at_s >= self._timeout_s:
                raise StreamFailed(Fault.STALLED, "The camera stopped sending.") from error
            raise StreamFailed(Fault.ENDED, "The camera's stream ended.") from error
        finally:
            if self._is_closing:
                self._free()

    def decode(self) -> Image:
        frame, self._frame = self._frame, None
        if frame is None or frame.is_corrupt or not self._limits.allow(frame.width, frame.height):
            raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends something that is no usable picture.")
        image = np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
        # Phones film on their side and note by how much.
        return np.ascontiguousarray(np.rot90(image, frame.rotation // 90)) if frame.rotation else image

    def close(self) -> None:
        """Give decoder, pictures and connection back; where another thread is in ``grab``, as soon as that ends."""
        self._is_closing = True
        self._free()

    def _free(self) -> None:
        # Container and streams hold each other, and the garbage collector, which knows nothing of the megabytes behind
        # them, may leave them for hours.
        if not self._reading.acquire(blocking=False):
            return  # whoever reads calls this in a moment
        try:
            if self._container is not None:
                self._container.close()
            self._container, self._frames, self._frame = None, iter(()), None
        finally:
            self._reading.release()

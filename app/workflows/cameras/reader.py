"""Reads one camera in a thread of its own: connects, keeps the newest frame, connects again when it is cut."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.errors import VisionError
from app.services.secret_box import SecretLost
from app.services.streams.opener import StreamOpener
from app.services.streams.types import Fault, FrameStream, StreamFailed, StreamSource
from app.types import Image
from app.utils import clock, metrics
from app.utils.logging import logger
from app.workflows.cameras.clips import ClipRing
from app.workflows.cameras.condition import Condition, ConditionWatch
from app.workflows.cameras.motion import MotionDetector

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 10.0  # a stream that lasted so long has earned a quick new try
_MAX_DAMAGED = 20  # pictures in a row
_MAX_DAMAGED_S = 10.0  # a slow camera is not given the time of twenty pictures


class ReaderStatus(StrEnum):
    CONNECTING = "connecting"
    STREAMING = "streaming"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class ReaderState:
    """How a camera's stream is doing. ``fault`` and ``message`` stay until pictures come again."""

    status: ReaderStatus = ReaderStatus.CONNECTING
    fault: Fault | None = None
    message: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A frame. ``read_at_s`` is the monotonic clock's; ``moving``: whether it differs from the usual picture."""

    image: Image
    taken_at: datetime
    read_at_s: float
    moving: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


class FrameReader:
    """The thread of one camera.

    Args:
        source: where to read; called at each connection, because a login may be unreadable for a while.
        frames_per_second: more are passed over without being decoded.
        ring: keeps the latest frames for clips.
        on_frame: called on this thread whenever a new frame can be taken.
    """

    def __init__(
        self,
        camera_id: str,
        opener: StreamOpener,
        source: Callable[[], StreamSource],
        *,
        frames_per_second: float,
        ring: ClipRing,
        on_frame: Callable[[], None],
    ) -> None:
        self._camera_id = camera_id
        self._opener = opener
        self._source = source
        self._interval_s = 1 / frames_per_second
        self._ring = ring
        self._on_frame = on_frame
        self._motion = MotionDetector()
        self._condition = ConditionWatch()
        self._lock = threading.Lock()
        self._frame: ReadFrame | None = None
        self._stream: FrameStream | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera_id}", daemon=True)
        self.state = ReaderState(since=clock.now())

    @property
    def condition(self) -> Condition:
        """What is wrong with the pictures, while some come."""
        return self._condition.condition

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; does not wait, since a read may take until its time limit."""
        self._stopping.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread; blocks."""
        self._thread.join(timeout_s)

    def take(self) -> ReadFrame | None:
        """The newest frame that has not been taken; an older one that nobody took is gone."""
        with self._lock:
            frame, self._frame = self._frame, None
        return frame

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            began_at_s = time.monotonic()
            self._read_until_it_fails()
            if self.state.fault is None or time.monotonic() - began_at_s > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            # Spread, so that cameras behind one switch do not all come back in the same instant.
            self._stopping.wait(pause_s * random.uniform(0.7, 1.3))  # noqa: S311  # no secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _read_until_it_fails(self) -> None:
        try:
            stream = self._opener.open(self._source(), interval_s=self._interval_s)
            with self._lock:
                self._stream = stream
            try:
                self._read(stream)
            finally:
                stream.close()
                with self._lock:
                    self._stream = None
        except StreamFailed as error:
            self._fail(error.fault, error.message)
        except SecretLost as error:
            self._fail(Fault.SECRET_LOST, error.message)
        except VisionError as error:
            self._fail(Fault.REFUSED, error.message)
        except Exception as error:  # noqa: BLE001  # the border of a thread that must not end
            logger.opt(exception=error).error("camera_reader_crashed", camera=self._camera_id)
            self._fail(Fault.WRONG_ANSWER, "Reading the camera failed in an unexpected way.")

    def _read(self, stream: FrameStream) -> None:
        due_s, good_at_s, damaged = time.monotonic(), time.monotonic(), 0
        while not self._stopping.is_set():
            stream.grab()
            now_s = time.monotonic()
            if now_s < due_s:
                continue
            due_s = max(due_s + self._interval_s, now_s)
            try:
                image = stream.decode()
            except StreamFailed:
                damaged += 1
                metrics.camera_frames_total.labels(self._camera_id, "damaged").inc()
                if damaged >= _MAX_DAMAGED or (damaged > 1 and now_s - good_at_s >= _MAX_DAMAGED_S):
                    raise
                continue
            damaged, good_at_s = 0, now_s
            self._condition.see(image, now_s)
            self._ring.add(image, now_s)
            self._offer(ReadFrame(image, clock.now(), now_s, self._motion.sees_motion(image)))

    def _offer(self, frame: ReadFrame) -> None:
        with self._lock:
            older, self._frame = self._frame, frame
        if older is not None:
            metrics.camera_frames_total.labels(self._camera_id, "dropped").inc()
        if self.state.status is not ReaderStatus.STREAMING:
            self.state = ReaderState(ReaderStatus.STREAMING, since=clock.now())
            logger.info("camera_streaming", camera=self._camera_id)
        self._on_frame()

    def _fail(self, fault: Fault, message: str) -> None:
        if self._stopping.is_set():
            return
        if self.state.fault is not fault:
            logger.warning("camera_failing", camera=self._camera_id, fault=fault.value)
        metrics.camera_faults_total.labels(fault.value).inc()
        since = self.state.since if self.state.status is ReaderStatus.FAILING else clock.now()
        self.state = ReaderState(ReaderStatus.FAILING, fault, message, since)

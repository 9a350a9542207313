"""RTSP cameras: FFmpeg (inside OpenCV) reads, through a relay of ours that makes the one connection.

FFmpeg resolves names for itself and follows an RTSP redirect wherever it points. So it is given an address on
loopback only; the relay connects to the checked address, and cuts the connection when the camera redirects.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import threading
import time
from urllib.parse import quote, urlsplit, urlunsplit

import cv2

from app.services.streams.http_client import connect
from app.services.streams.types import Credentials, Fault, StreamFailed
from app.types import Image
from app.utils.network_guard import NetworkGuard

DEFAULT_PORT = 554
_CHUNK_BYTES = 65536
_STATUS_LINE = re.compile(rb"RTSP/\d\.\d (\d{3})")
_STATUS_BYTES = 12
_FAULTS = {401: Fault.UNAUTHORIZED, 403: Fault.UNAUTHORIZED, 404: Fault.NOT_FOUND, 454: Fault.NOT_FOUND}

# OpenCV reads these from the environment alone. Interleaved TCP, because the relay carries nothing else and a lost
# UDP packet is a grey smear in the picture; video only; no protocol by which a playlist could reach further.
# One second of analysis instead of five, before the first picture comes.
_CAPTURE_OPTIONS = (
    "rtsp_transport;tcp|allowed_media_types;video|analyzeduration;1000000|protocol_whitelist;file,tcp,rtp,udp"
)


def prepare_ffmpeg() -> None:
    """Set the options with which OpenCV opens streams in this process."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _CAPTURE_OPTIONS
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its messages may hold addresses and logins
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class RtspRelay:
    """Carries bytes between FFmpeg on loopback and the camera, for one connection.

    Args:
        camera: connected.
    """

    def __init__(self, camera: socket.socket) -> None:
        self._camera = camera
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(5)
        self.port: int = self._listener.getsockname()[1]
        self.last_status = 0
        self.refused_redirect = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End both connections; returns when the relay's thread is done."""
        with contextlib.suppress(OSError):  # the thread has ended, or this was called before
            self._wake_in.send(b"x")
        self._thread.join()
        self._wake_in.close()

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._wake_out, selectors.EVENT_READ)
                waiting.register(self._listener, selectors.EVENT_READ)
                ready = [key.fileobj for key, _ in waiting.select(timeout=5)]
            if self._listener in ready:
                player, _ = self._listener.accept()
                with player:
                    self._carry(player)
        except OSError:
            return  # one side went away, which FFmpeg notices by itself
        finally:
            for end in (self._listener, self._camera, self._wake_out):
                end.close()

    def _carry(self, player: socket.socket) -> None:
        self._listener.close()
        tail = b""
        with selectors.DefaultSelector() as waiting:
            for end in (player, self._camera, self._wake_out):
                waiting.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    if key.fileobj is self._wake_out:
                        return
                    source, sink = (player, self._camera) if key.fileobj is player else (self._camera, player)
                    data = source.recv(_CHUNK_BYTES)
                    if not data:
                        return
                    if source is self._camera:
                        self._notice(tail + data)
                        if self.refused_redirect:
                            return
                        tail = (tail + data)[-_STATUS_BYTES:]
                    sink.sendall(data)

    def _notice(self, data: bytes) -> None:
        for found in _STATUS_LINE.finditer(data):
            self.last_status = int(found[1])
            if 300 <= self.last_status < 400:
                self.refused_redirect = True


class CaptureStream:
    """Pictures through ``cv2.VideoCapture``.

    Args:
        url: of a file, or of a relay.
        timeout_s: limit of opening and of waiting for one picture.
    """

    def __init__(self, url: str, *, timeout_s: float, max_pixels: int) -> None:
        self._timeout_s = timeout_s
        self._max_pixels = max_pixels
        timeout_ms = round(timeout_s * 1000)
        options = [
            (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms),
            (cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms),
            (cv2.CAP_PROP_N_THREADS, 1),  # many cameras share few cores
        ]
        self._capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [value for option in options for value in option])
        if not self._capture.isOpened():
            raise StreamFailed(Fault.NOT_A_STREAM, "No video can be read from the camera.")
        self.frames_per_second = float(self._capture.get(cv2.CAP_PROP_FPS))

    def grab(self) -> None:
        started_at_s = time.monotonic()
        if not self._capture.grab():
            if time.monotonic() - started_at_s >= self._timeout_s:
                raise StreamFailed(Fault.STALLED, "The camera stopped sending.")
            raise StreamFailed(Fault.ENDED, "The camera's stream ended.")

    def decode(self) -> Image:
        ok, image = self._capture.retrieve()
        if not ok or image is None or image.ndim != 3 or image.shape[0] * image.shape[1] > self._max_pixels:
            raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends something that is no usable picture.")
        return image.astype("uint8", copy=False)


class RtspStream:
    """One RTSP session.

    Args:
        url: ``rtsp://host[:port]/path``, without a login.
    """

    def __init__(
        self,
        guard: NetworkGuard,
        url: str,
        credentials: Credentials | None,
        *,
        timeout_s: float,
        max_pixels: int,
    ) -> None:
        parts = urlsplit(url)
        camera = connect(guard, parts.hostname or "", parts.port or DEFAULT_PORT, timeout_s=timeout_s)
        camera.settimeout(None)
        self._relay = RtspRelay(camera)
        login = f"{quote(credentials.username, safe='')}:{quote(credentials.password, safe='')}@" if credentials else ""
        local = urlunsplit((parts.scheme, f"{login}127.0.0.1:{self._relay.port}", parts.path, parts.query, ""))
        try:
            self._capture = CaptureStream(local, timeout_s=timeout_s, max_pixels=max_pixels)
        except StreamFailed as error:
            self._relay.close()
            raise self._explained(error) from error

    def _explained(self, error: StreamFailed) -> StreamFailed:
        if self._relay.refused_redirect:
            return StreamFailed(Fault.REFUSED, "The camera redirects to another address, which is not followed.")
        status = self._relay.last_status
        if status >= 400:
            return StreamFailed(_FAULTS.get(status, Fault.WRONG_ANSWER), f"The camera answers with RTSP {status}.")
        return error

    def grab(self) -> None:
        self._capture.grab()

    def decode(self) -> Image:
        return self._capture.decode()

    def close(self) -> None:
        self._relay.close()  # without its connection FFmpeg gives up at once; the capture frees itself

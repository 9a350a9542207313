"""Cameras for tests: an HTTP server that gives motion JPEG and snapshots, well and badly, and an RTSP server."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

USERNAME = "viewer"
PASSWORD = "p@ss:wörd/1"
_NONCE = "d2f1c0"
_RTSP_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_SYSTEM_PYTHON = "/usr/bin/python3"


class HttpCamera:
    """A camera over HTTP on loopback.

    Paths: ``/stream`` (motion JPEG), ``/plain`` (the same without lengths), ``/snapshot.jpg``, ``/basic`` and
    ``/digest`` (snapshots for those who know the login), ``/garbage``, ``/silent`` (a head and nothing more),
    ``/drip`` (a byte at a time),
    ``/busy`` (a page instead of a picture), ``/moved`` (a redirect to ``moved_to``), anything else is missing.
    """

    def __init__(self) -> None:
        self.picture = b""
        self.is_frozen = False
        self._turn = itertools.count()
        self.interval_s = 0.05
        self.moved_to = ""
        self.requests: list[tuple[str, str | None]] = []
        self._connections: set[socket.socket] = set()
        self._is_cut = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def shown(self) -> bytes:
        """The picture, with another noise each time unless the camera is frozen."""
        if self.is_frozen or not self.picture or next(self._turn) % 2:
            return self.picture
        pixels = cv2.imdecode(np.frombuffer(self.picture, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()

    def cut(self) -> None:
        """Break every connection, and take no request until ``mend``."""
        self._is_cut = True
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                camera.requests.append((self.path, self.headers.get("authorization")))
                camera._connections.add(self.connection)
                self.close_connection = True
                with suppress(OSError):
                    camera._answer(self)
                camera._connections.discard(self.connection)

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self._is_cut:
            return
        path = handler.path.partition("?")[0]
        if path in ("/stream", "/plain", "/garbage", "/silent", "/drip"):
            self._stream(handler, path)
        elif path == "/moved":
            handler.send_response(302)
            handler.send_header("Location", self.moved_to)
            handler.end_headers()
        elif path == "/busy":
            handler.send_response(200)
            handler.send_header("Content-Type", "text/html; charset=utf-8")
            handler.end_headers()
            handler.wfile.write(b"<html>Too many sessions</html>")
        elif path == "/snapshot.jpg" or (path in ("/basic", "/digest") and self._is_known(handler, path)):
            handler.send_response(200)
            handler.send_header("Content-Type", "image/jpeg")
            handler.end_headers()
            handler.wfile.write(self.shown())
        elif path in ("/basic", "/digest"):
            handler.send_response(401)
            scheme = 'Basic realm="cam"' if path == "/basic" else f'Digest realm="cam", nonce="{_NONCE}", qop="auth"'
            handler.send_header("WWW-Authenticate", scheme)
            handler.end_headers()
        else:
            handler.send_error(404)

    def _is_known(self, handler: BaseHTTPRequestHandler, path: str) -> bool:
        given = handler.headers.get("authorization", "")
        if path == "/basic":
            return given == "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        fields = dict(part.strip().partition("=")[::2] for part in given.removeprefix("Digest ").split(","))
        told = {name: value.strip('"') for name, value in fields.items()}
        user = _md5(f"{USERNAME}:cam:{PASSWORD}")
        wanted = _md5(f"{user}:{_NONCE}:{told.get('nc')}:{told.get('cnonce')}:auth:{_md5(f'GET:{handler.path}')}")
        return told.get("response") == wanted

    def _stream(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        while not self._is_cut:
            if path == "/drip":
                handler.wfile.write(b"-")
            elif path != "/silent":
                body = b"\x00\xffnoise" * 50 if path == "/garbage" else self.shown()
                length = b"" if path == "/plain" else b"Content-Length: %d\r\n" % len(body)
                handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n%s\r\n%s\r\n" % (length, body))
            handler.wfile.flush()
            time.sleep(self.interval_s)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def http_camera(picture: bytes) -> Iterator[HttpCamera]:
    """A camera that shows ``picture``, a JPEG."""
    camera = HttpCamera()
    camera.picture = picture
    try:
        yield camera
    finally:
        camera.close()


class RtspCamera:
    """A GStreamer RTSP server in a process of its own; serves ``/live``. ``options``: see ``rtsp_server.py``."""

    def __init__(self, *login: str, options: Mapping[str, str] | None = None) -> None:
        self._login = login
        self._options = dict(options or {})
        self._process = self._start()
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def _start(self, port: int = 0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [_SYSTEM_PYTHON, str(_RTSP_SCRIPT), *self._login],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self._options, "RTSP_PORT": str(port)},
        )

    def url(self, path: str = "/live", *, host: str = "127.0.0.1") -> str:
        return f"rtsp://{host}:{self.port}{path}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def cut(self) -> None:
        """As if the power failed."""
        self.kill()

    def mend(self) -> None:
        """The power is back, on the same port."""
        self._process = self._start(self.port)
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline()) == self.port


@contextmanager
def rtsp_camera(*login: str, options: Mapping[str, str] | None = None) -> Iterator[RtspCamera]:
    """A running RTSP camera. Where GStreamer's RTSP server is not installed the test is skipped, or fails if
    CV_REQUIRE_RTSP is set.

    Args:
        login: username and password that it asks for.
        options: of the server's environment, such as ``RTSP_UDP``.
    """
    if not _has_gstreamer():
        reason = (
            "no GStreamer RTSP server for the system's Python (Debian: python3-gi gir1.2-gst-rtsp-server-1.0 "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly)"
        )
        if os.environ.get("CV_REQUIRE_RTSP"):
            pytest.fail(reason)
        pytest.skip(reason)
    camera = RtspCamera(*login, options=options)
    try:
        yield camera
    finally:
        camera.kill()


def _has_gstreamer() -> bool:
    if shutil.which(_SYSTEM_PYTHON) is None:
        return False
    check = [_SYSTEM_PYTHON, str(_RTSP_SCRIPT), "--check"]
    return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

"""Opens camera streams of every kind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from app.errors import InvalidInput, Unavailable
from app.services.streams.http_client import HttpClient, connect
from app.services.streams.http_streams import MjpegStream, SnapshotStream
from app.services.streams.rtsp_stream import DEFAULT_PORT, DEFAULT_TLS_PORT, RtspStream
from app.services.streams.tls import fingerprint_of, secured
from app.services.streams.types import (
    Fault,
    FrameStream,
    StreamFacts,
    StreamFailed,
    StreamKind,
    StreamSource,
    TlsTrust,
)
from app.services.streams.video import VideoStream
from app.types import Image
from app.utils.network_guard import NetworkGuard
from app.utils.picture_limits import PictureLimits

_SCHEMES = {
    StreamKind.RTSP: ("rtsp", "rtsps"),
    StreamKind.MJPEG: ("http", "https"),
    StreamKind.SNAPSHOT: ("http", "https"),
    StreamKind.FILE: ("file",),
}
_PORTS = {"rtsp": DEFAULT_PORT, "rtsps": DEFAULT_TLS_PORT, "http": 80, "https": 443}
_FALLBACK_FPS = 25.0
_FILE_OPTIONS = {"protocol_whitelist": "file"}  # no playlist may reach further


class FileStream:
    """A video file, played at its own speed; at its end the stream ends, and opening it again plays it again."""

    def __init__(self, path: Path, *, timeout_s: float, limits: PictureLimits) -> None:
        if not path.is_file():
            raise StreamFailed(Fault.NOT_FOUND, "The file does not exist.")
        self._video = VideoStream(str(path), timeout_s=timeout_s, limits=limits, options=_FILE_OPTIONS)
        fps = self._video.frames_per_second
        self._interval_s = 1 / (fps if 0.1 <= fps <= 240 else _FALLBACK_FPS)
        self._due_s = time.monotonic()

    @property
    def facts(self) -> StreamFacts:
        return self._video.facts

    def grab(self) -> None:
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._due_s = max(self._due_s + self._interval_s, time.monotonic() - 1)
        self._video.grab()

    def decode(self) -> Image:
        return self._video.decode()

    def close(self) -> None:
        self._video.close()


class DiscreetStream:
    """A stream on a port that may be anything's: until its first picture has come nothing is told of what went wrong.

    Else whoever may add cameras could learn which ports of the network are open, and what answers there.
    """

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self._is_camera = False

    @property
    def facts(self) -> StreamFacts:
        return self._stream.facts

    def grab(self) -> None:
        with self._discreetly():
            self._stream.grab()

    def decode(self) -> Image:
        with self._discreetly():
            image = self._stream.decode()
        self._is_camera = True
        return image

    def close(self) -> None:
        self._stream.close()

    def _discreetly(self) -> AbstractContextManager[None]:
        return nullcontext() if self._is_camera else _discreetly()


@contextmanager
def _discreetly() -> Iterator[None]:
    try:
        yield
    except StreamFailed as error:
        raise StreamFailed(
            Fault.UNREACHABLE, "No picture comes from the camera's address; its port is not in CAMERA_PORTS."
        ) from error


class StreamOpener:
    """Checks sources and opens them.

    Args:
        guard: where connections may go.
        ports: of cameras; of what answers on others nothing is told but its pictures.
        timeout_s: limit of connecting and of waiting for one picture.
        limits: larger pictures are refused.
        allow_files: whether ``file:`` sources exist at all.
    """

    def __init__(
        self,
        guard: NetworkGuard,
        *,
        ports: frozenset[int],
        timeout_s: float,
        limits: PictureLimits,
        allow_files: bool,
    ) -> None:
        self._guard = guard
        self._ports = ports
        self._timeout_s = timeout_s
        self._limits = limits
        self._allow_files = allow_files
        self._http = HttpClient(guard, ports=ports, timeout_s=timeout_s)

    def check(self, source: StreamSource) -> None:
        """Refuse what would never be opened. Blocks while it resolves a name; one that has no address passes.

        Raises:
            InvalidInput: a scheme that does not fit the kind, or an address that is not allowed.
        """
        host, port = _place(source)
        if source.kind is StreamKind.FILE:
            self._check_files_allowed()
            return
        try:
            self._guard.addresses(host, port)
        except Unavailable:
            return  # a camera may be registered before its name exists; every connection checks again

    def open(self, source: StreamSource, *, interval_s: float) -> FrameStream:
        """Connect. Blocks; belongs on the camera's own thread.

        Args:
            interval_s: how often a picture will be wanted, for cameras that have to be asked.

        Raises:
            StreamFailed: with the reason.
        """
        if source.kind is StreamKind.FILE or _place(source)[1] in self._ports:
            return self._connect(source, interval_s=interval_s)
        with _discreetly():
            return DiscreetStream(self._connect(source, interval_s=interval_s))

    def certificate(self, source: StreamSource) -> str | None:
        """The fingerprint of the certificate that a camera shows, trusted or not; None where it speaks no TLS. Blocks.

        Raises:
            StreamFailed: no connection, or one to a port that is no camera's, of which nothing is told.
        """
        host, port = _place(source)
        if urlsplit(source.url).scheme not in ("https", "rtsps") or port not in self._ports:
            return None
        connection = connect(self._guard, host, port, timeout_s=self._timeout_s)
        try:
            with secured(connection, host, TlsTrust(verify=False)) as under_tls:
                return fingerprint_of(under_tls)
        except OSError:
            return None
        finally:
            connection.close()

    def _connect(self, source: StreamSource, *, interval_s: float) -> FrameStream:
        timeout_s, limits = self._timeout_s, self._limits
        match source.kind:
            case StreamKind.RTSP:
                return RtspStream(self._guard, source, timeout_s=timeout_s, limits=limits)
            case StreamKind.MJPEG:
                return MjpegStream(self._http, source, timeout_s=timeout_s, limits=limits)
            case StreamKind.SNAPSHOT:
                return SnapshotStream(self._http, source, timeout_s=timeout_s, limits=limits, interval_s=interval_s)
            case StreamKind.FILE:
                self._check_files_allowed()
                return FileStream(Path(url2pathname(urlsplit(source.url).path)), timeout_s=timeout_s, limits=limits)

    def _check_files_allowed(self) -> None:
        if not self._allow_files:
            raise InvalidInput("File cameras are switched off (CAMERA_ALLOW_FILES).", code="camera_kind_refused")


def _place(source: StreamSource) -> tuple[str, int]:
    """Host and port of a source whose URL fits its kind.

    Raises:
        InvalidInput: it does not.
    """
    try:
        parts = urlsplit(source.url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput("The camera's url can't be read.", code="invalid_camera_url") from error
    if parts.scheme not in _SCHEMES[source.kind]:
        raise InvalidInput(
            f"A camera of kind {source.kind.value} takes a {' or '.join(_SCHEMES[source.kind])} url.",
            code="invalid_camera_url",
        )
    if source.kind is StreamKind.FILE:
        return "", 0
    if not parts.hostname or parts.fragment or any(c in source.url for c in " \r\n\t"):
        raise InvalidInput("The camera's url needs a host, and neither spaces nor a #.", code="invalid_camera_url")
    return parts.hostname, port or _PORTS[parts.scheme]

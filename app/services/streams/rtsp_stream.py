"""RTSP cameras: FFmpeg reads through a relay of ours, which makes the one connection."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlsplit, urlunsplit

from app.services.streams.http_client import connect
from app.services.streams.rtsp_relay import RtspRelay
from app.services.streams.rtsp_udp import UdpMedia
from app.services.streams.tls import secured
from app.services.streams.types import Fault, StreamFacts, StreamFailed, StreamSource
from app.services.streams.video import VideoStream
from app.types import Image
from app.utils.network_guard import NetworkGuard
from app.utils.picture_limits import PictureLimits

DEFAULT_PORT, DEFAULT_TLS_PORT = 554, 322
_FAULTS = {401: Fault.UNAUTHORIZED, 403: Fault.UNAUTHORIZED, 404: Fault.NOT_FOUND, 454: Fault.NOT_FOUND}

# Interleaved TCP, because the relay carries nothing else to FFmpeg; video only; no protocol by which a playlist could
# reach further. One second of analysis instead of five, before the first picture comes.
_OPTIONS = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "analyzeduration": "1000000",
    "protocol_whitelist": "tcp,rtp,udp",
}


class RtspStream:
    """One RTSP session.

    Args:
        source: its URL is ``rtsp://host[:port]/path``, or ``rtsps://`` for RTSP under TLS.
    """

    def __init__(
        self,
        guard: NetworkGuard,
        source: StreamSource,
        *,
        timeout_s: float,
        limits: PictureLimits,
    ) -> None:
        self._guard, self._source, self._timeout_s, self._limits = guard, source, timeout_s, limits
        try:
            # A lost packet is a grey smear in the picture, so UDP is only for cameras that have nothing else.
            self._relay, self._video = self._open(by_udp=False)
        except _WantsUdp:
            self._relay, self._video = self._open(by_udp=True)

    def _open(self, *, by_udp: bool) -> tuple[RtspRelay, VideoStream]:
        parts, credentials = urlsplit(self._source.url), self._source.credentials
        relay = RtspRelay(*self._connected(by_udp=by_udp))
        login = f"{quote(credentials.username, safe='')}:{quote(credentials.password, safe='')}@" if credentials else ""
        local = urlunsplit(("rtsp", f"{login}127.0.0.1:{relay.port}", parts.path, parts.query, ""))
        try:
            return relay, VideoStream(local, timeout_s=self._timeout_s, limits=self._limits, options=_OPTIONS)
        except StreamFailed as error:
            relay.close()
            if relay.wants_udp and not by_udp and parts.scheme == "rtsp":
                raise _WantsUdp from error
            raise _explained(relay, error) from error

    def _connected(self, *, by_udp: bool) -> tuple[socket.socket, UdpMedia | None]:
        parts = urlsplit(self._source.url)
        host, is_tls = parts.hostname or "", parts.scheme == "rtsps"
        port = parts.port or (DEFAULT_TLS_PORT if is_tls else DEFAULT_PORT)
        camera = connect(self._guard, host, port, timeout_s=self._timeout_s)
        if is_tls:
            camera = _secured(camera, host, self._source)
        camera.settimeout(None)
        try:
            return camera, UdpMedia(camera) if by_udp else None
        except OSError as error:
            camera.close()
            raise StreamFailed(Fault.UNREACHABLE, "There are no UDP ports left to take pictures by.") from error

    @property
    def facts(self) -> StreamFacts:
        return self._video.facts

    def grab(self) -> None:
        self._video.grab()

    def decode(self) -> Image:
        return self._video.decode()

    def close(self) -> None:
        self._relay.close()  # without its connection FFmpeg gives up at once
        self._video.close()


class _WantsUdp(Exception):
    """The camera refused to send pictures over the RTSP connection."""


def _explained(relay: RtspRelay, error: StreamFailed) -> StreamFailed:
    if relay.refused is not None and relay.refused.is_redirect:
        return StreamFailed(Fault.REFUSED, "The camera redirects to another address, which is not followed.")
    if relay.refused is not None:
        return StreamFailed(Fault.WRONG_ANSWER, "The camera does not answer in RTSP.")
    if relay.last_status >= 400:
        fault = _FAULTS.get(relay.last_status, Fault.WRONG_ANSWER)
        return StreamFailed(fault, f"The camera answers with RTSP {relay.last_status}.")
    return error


def _secured(camera: socket.socket, host: str, source: StreamSource) -> socket.socket:
    try:
        return secured(camera, host, source.tls)
    except TimeoutError as error:
        camera.close()
        raise StreamFailed(Fault.STALLED, "The camera takes the connection and does not answer.") from error
    except OSError as error:
        camera.close()
        raise StreamFailed(Fault.WRONG_ANSWER, "The camera does not answer in TLS.") from error
    except StreamFailed:
        camera.close()
        raise

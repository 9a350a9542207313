"""RTSP cameras: FFmpeg reads through a relay of ours, which makes the one connection."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlsplit, urlunsplit

from app.services.streams.http_client import connect
from app.services.streams.rtsp_relay import RtspRelay
from app.services.streams.tls import secured
from app.services.streams.types import Fault, StreamFacts, StreamFailed, StreamSource
from app.services.streams.video import VideoStream
from app.types import Image
from app.utils.network_guard import NetworkGuard
from app.utils.picture_limits import PictureLimits

DEFAULT_PORT, DEFAULT_TLS_PORT = 554, 322
_FAULTS = {401: Fault.UNAUTHORIZED, 403: Fault.UNAUTHORIZED, 404: Fault.NOT_FOUND, 454: Fault.NOT_FOUND}

# Interleaved TCP, because the relay carries nothing else and a lost UDP packet is a grey smear in the picture; video
# only; no protocol by which a playlist could reach further. One second of analysis instead of five, before the first
# picture comes.
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
        parts, credentials = urlsplit(source.url), source.credentials
        host, is_tls = parts.hostname or "", parts.scheme == "rtsps"
        camera = connect(guard, host, parts.port or (DEFAULT_TLS_PORT if is_tls else DEFAULT_PORT), timeout_s=timeout_s)
        if is_tls:
            camera = _secured(camera, host, source)
        camera.settimeout(None)
        self._relay = RtspRelay(camera)
        login = f"{quote(credentials.username, safe='')}:{quote(credentials.password, safe='')}@" if credentials else ""
        local = urlunsplit(("rtsp", f"{login}127.0.0.1:{self._relay.port}", parts.path, parts.query, ""))
        try:
            self._video = VideoStream(local, timeout_s=timeout_s, limits=limits, options=_OPTIONS)
        except StreamFailed as error:
            self._relay.close()
            raise self._explained(error) from error

    def _explained(self, error: StreamFailed) -> StreamFailed:
        relay = self._relay
        if relay.refused is not None and relay.refused.is_redirect:
            return StreamFailed(Fault.REFUSED, "The camera redirects to another address, which is not followed.")
        if relay.refused is not None:
            return StreamFailed(Fault.WRONG_ANSWER, "The camera does not answer in RTSP.")
        if relay.last_status >= 400:
            fault = _FAULTS.get(relay.last_status, Fault.WRONG_ANSWER)
            return StreamFailed(fault, f"The camera answers with RTSP {relay.last_status}.")
        return error

    @property
    def facts(self) -> StreamFacts:
        return self._video.facts

    def grab(self) -> None:
        self._video.grab()

    def decode(self) -> Image:
        return self._video.decode()

    def close(self) -> None:
        self._relay.close()  # without its connection FFmpeg gives up at once; the video frees itself


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

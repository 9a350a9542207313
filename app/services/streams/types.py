"""What every kind of camera stream shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.errors import Unavailable
from app.types import Image


class StreamKind(StrEnum):
    """How a camera gives its pictures."""

    RTSP = "rtsp"
    MJPEG = "mjpeg"
    SNAPSHOT = "snapshot"
    FILE = "file"


class Fault(StrEnum):
    """Why a camera gives no pictures; shown to people and counted in the metrics."""

    UNREACHABLE = "unreachable"
    REFUSED = "address_refused"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    WRONG_ANSWER = "wrong_answer"
    NOT_A_STREAM = "not_a_stream"
    NOT_A_PICTURE = "not_a_picture"
    CERTIFICATE = "certificate_refused"
    STALLED = "stalled"
    ENDED = "ended"
    SECRET_LOST = "secret_lost"  # noqa: S105  # a state, not a secret


class StreamFailed(Unavailable):
    """The camera's stream can't be opened or has ended; try again later."""

    code = "camera_stream_failed"

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Credentials:
    """A camera's login."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsTrust:
    """Which certificate is accepted. ``fingerprint``: that one alone, by the SHA-256 of its DER form in hexadecimal,
    whoever signed it; else ``verify`` by this machine's authorities; else any, and anybody can stand in between."""

    verify: bool = True
    fingerprint: str | None = None


VERIFIED = TlsTrust()


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Where the pictures come from. ``url`` holds no credentials."""

    kind: StreamKind
    url: str
    credentials: Credentials | None = None
    tls: TlsTrust = VERIFIED


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a stream says of itself; None where it says nothing."""

    codec: str
    frames_per_second: float | None = None


class FrameStream(Protocol):
    """Pictures in order. Blocking; used by one thread, except that any thread may call ``close``."""

    @property
    def facts(self) -> StreamFacts:
        """What is known of the stream once a picture has come."""
        ...

    def grab(self) -> None:
        """Wait for the next picture.

        Raises:
            StreamFailed: there will be none from this stream.
        """
        ...

    def decode(self) -> Image:
        """The pixels of the picture that was grabbed last; skipping this makes passing over a picture cheap.

        Raises:
            StreamFailed: the picture is damaged beyond reading.
        """
        ...

    def close(self) -> None:
        """Give everything back; a ``grab`` under way on another thread ends soon."""
        ...

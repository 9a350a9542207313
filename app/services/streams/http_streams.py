"""Cameras over HTTP: motion JPEG (one endless multipart answer) and snapshots (one picture a request)."""

from __future__ import annotations

import time

from app.errors import InvalidImage, TooLarge
from app.services.streams.http_client import HttpAnswer, HttpClient
from app.services.streams.mjpeg import JpegSplitter
from app.services.streams.types import Fault, StreamFacts, StreamFailed, StreamSource
from app.types import Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits

_MAX_PICTURE_BYTES = 16 * 2**20
_SOMETHING_BYTES = 512  # a camera that sent more within its time limit is not silent


def read_picture(data: bytes, limits: PictureLimits) -> Image:
    """Decode one picture of a stream.

    Raises:
        StreamFailed: it is damaged, too large, or no picture.
    """
    try:
        return decode_image(data, limits)
    except (InvalidImage, TooLarge) as error:
        raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends something that is no usable picture.") from error


class MjpegStream:
    """A ``multipart/x-mixed-replace`` answer.

    Args:
        timeout_s: a picture that is not complete after this time counts as a stall.
    """

    def __init__(self, client: HttpClient, source: StreamSource, *, timeout_s: float, limits: PictureLimits) -> None:
        self._answer = client.get(source.url, source.credentials, source.tls)
        self._timeout_s = timeout_s
        self._limits = limits
        self._pictures = JpegSplitter(max_picture_bytes=_MAX_PICTURE_BYTES)
        self._picture = b""
        # Some cameras call a stream of parts image/jpeg; a single picture has no part's head before it.
        if "multipart/" not in self._answer.content_type.lower() and not self._begins_with_a_part():
            self._answer.close()
            raise StreamFailed(
                Fault.NOT_A_STREAM, "The camera answers with no motion JPEG; if it gives pictures, use kind snapshot."
            )

    @property
    def facts(self) -> StreamFacts:
        return StreamFacts("mjpeg")

    def _begins_with_a_part(self) -> bool:
        first = self._answer.read_some(time.monotonic() + self._timeout_s)
        self._pictures.feed(first)
        return first.lstrip(b"\r\n").startswith(b"--")

    def grab(self) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        received_bytes = 0
        while (picture := self._pictures.next_picture()) is None:
            try:
                data = self._answer.read_some(deadline_s)
            except StreamFailed as error:
                if error.fault is Fault.STALLED and received_bytes >= _SOMETHING_BYTES:
                    raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends data, but no JPEG picture.") from error
                raise
            if not data:
                raise StreamFailed(Fault.ENDED, "The camera ended the stream.")
            received_bytes += len(data)
            self._pictures.feed(data)
        self._picture = picture

    def decode(self) -> Image:
        return read_picture(self._picture, self._limits)

    def close(self) -> None:
        self._answer.close()


class SnapshotStream:
    """A picture a request; whoever reads sets the pace.

    Args:
        interval_s: pause between the beginnings of two requests, so that the camera is not asked without need.
    """

    def __init__(
        self,
        client: HttpClient,
        source: StreamSource,
        *,
        timeout_s: float,
        limits: PictureLimits,
        interval_s: float,
    ) -> None:
        self._client = client
        self._source = source
        self._timeout_s = timeout_s
        self._limits = limits
        self._interval_s = interval_s
        self._asked_at_s = float("-inf")
        self._answer: HttpAnswer | None = None
        self._picture = b""

    def grab(self) -> None:
        time.sleep(max(0.0, self._asked_at_s + self._interval_s - time.monotonic()))
        self._asked_at_s = time.monotonic()
        self._answer = self._client.get(self._source.url, self._source.credentials, self._source.tls)
        deadline_s = time.monotonic() + self._timeout_s
        self._picture = self._answer.read_all(deadline_s, max_bytes=_MAX_PICTURE_BYTES)

    @property
    def facts(self) -> StreamFacts:
        kind = self._answer.content_type.partition(";")[0].strip().lower() if self._answer is not None else ""
        return StreamFacts(kind.removeprefix("image/")[:50] or "unknown")

    def decode(self) -> Image:
        try:
            return read_picture(self._picture, self._limits)
        except StreamFailed as error:
            kind = self._answer.content_type.partition(";")[0].strip().lower() if self._answer is not None else ""
            if kind.startswith("image/") or not kind:
                raise
            raise StreamFailed(
                Fault.NOT_A_PICTURE, f"not_a_picture: {kind[:50]}; the camera sends no image."
            ) from error

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()

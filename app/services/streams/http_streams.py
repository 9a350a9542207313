"""Cameras over HTTP: motion JPEG (one endless multipart answer) and snapshots (one picture a request)."""

from __future__ import annotations

import re
import time

from app.errors import InvalidImage, TooLarge
from app.services.streams.http_client import HttpAnswer, HttpClient
from app.services.streams.types import Credentials, Fault, StreamFailed
from app.types import Image
from app.utils.image_processing import decode_image

_MAX_PICTURE_BYTES = 16 * 2**20
_MAX_HEAD_BYTES = 16 * 2**10
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length:\s*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)


def read_picture(data: bytes, *, max_pixels: int) -> Image:
    """Decode one picture of a stream.

    Raises:
        StreamFailed: it is damaged, too large, or no picture.
    """
    try:
        return decode_image(data, max_pixels=max_pixels)
    except (InvalidImage, TooLarge) as error:
        raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends something that is no usable picture.") from error


class MjpegStream:
    """A ``multipart/x-mixed-replace`` answer.

    Args:
        timeout_s: a picture that is not complete after this time counts as a stall.
    """

    def __init__(
        self, client: HttpClient, url: str, credentials: Credentials | None, *, timeout_s: float, max_pixels: int
    ) -> None:
        self._answer = client.get(url, credentials)
        self._timeout_s = timeout_s
        self._max_pixels = max_pixels
        self._unread = bytearray()
        self._picture = b""
        found = _BOUNDARY.search(self._answer.content_type)
        if "multipart/" not in self._answer.content_type.lower() or found is None:
            self._answer.close()
            raise StreamFailed(
                Fault.NOT_A_STREAM, "The camera answers with no motion JPEG; if it gives pictures, use kind snapshot."
            )
        # Some cameras write the dashes into the header, some do not.
        self._mark = b"--" + found[1].strip().removeprefix("--").encode()

    def grab(self) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        self._read_until(self._mark, deadline_s, _MAX_PICTURE_BYTES)
        head = self._read_until(b"\r\n\r\n", deadline_s, _MAX_HEAD_BYTES)
        length = _LENGTH.search(head.replace(b"\r\n", b"\n"))
        if length is None:
            end = b"\r\n" + self._mark
            self._picture = self._read_until(end, deadline_s, _MAX_PICTURE_BYTES)
            self._unread[:0] = end
        else:
            self._picture = self._read_exactly(min(int(length[1]), _MAX_PICTURE_BYTES + 1), deadline_s)

    def decode(self) -> Image:
        return read_picture(self._picture, max_pixels=self._max_pixels)

    def close(self) -> None:
        self._answer.close()

    def _more(self, deadline_s: float, max_bytes: int) -> None:
        if len(self._unread) > max_bytes:
            raise StreamFailed(Fault.NOT_A_STREAM, "The camera sends no pictures of a usable size.")
        data = self._answer.read_some(deadline_s)
        if not data:
            raise StreamFailed(Fault.ENDED, "The camera ended the stream.")
        self._unread += data

    def _read_until(self, mark: bytes, deadline_s: float, max_bytes: int) -> bytes:
        """What comes before ``mark``, which is taken away too."""
        searched = 0
        while (at := self._unread.find(mark, searched)) < 0:
            searched = max(0, len(self._unread) - len(mark) + 1)
            self._more(deadline_s, max_bytes)
        data = bytes(self._unread[:at])
        del self._unread[: at + len(mark)]
        return data

    def _read_exactly(self, count: int, deadline_s: float) -> bytes:
        while len(self._unread) < count:
            self._more(deadline_s, _MAX_PICTURE_BYTES)
        data = bytes(self._unread[:count])
        del self._unread[:count]
        return data


class SnapshotStream:
    """A picture a request; whoever reads sets the pace.

    Args:
        interval_s: pause between the beginnings of two requests, so that the camera is not asked without need.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        credentials: Credentials | None,
        *,
        timeout_s: float,
        max_pixels: int,
        interval_s: float,
    ) -> None:
        self._client = client
        self._url = url
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._max_pixels = max_pixels
        self._interval_s = interval_s
        self._asked_at_s = float("-inf")
        self._answer: HttpAnswer | None = None
        self._picture = b""

    def grab(self) -> None:
        time.sleep(max(0.0, self._asked_at_s + self._interval_s - time.monotonic()))
        self._asked_at_s = time.monotonic()
        self._answer = self._client.get(self._url, self._credentials)
        try:
            self._picture = self._read_body(self._answer)
        finally:
            self._answer.close()

    def _read_body(self, answer: HttpAnswer) -> bytes:
        deadline_s = time.monotonic() + self._timeout_s
        body = bytearray()
        while data := answer.read_some(deadline_s):
            body += data
            if len(body) > _MAX_PICTURE_BYTES:
                raise StreamFailed(Fault.NOT_A_STREAM, "The camera's answer is too large for a picture.")
        return bytes(body)

    def decode(self) -> Image:
        return read_picture(self._picture, max_pixels=self._max_pixels)

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()

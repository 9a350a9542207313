"""Pictures that come from outside, on their way to an inference thread.

JPEG, PNG, WebP, GIF and BMP are decoded on that thread: their headers say what they cost. HEIF and AVIF, which phones
send, TIFF and moving WebP may hold anything, so a process of the sandbox decodes them first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.errors import InvalidImage
from app.types import Image
from app.utils.fair_queue import FairPlaces
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from app.utils.sandbox import Sandbox, SandboxLimits, SandboxTask

_REFERENCE_BYTES = 2**12
_FRAME_PIXELS = 2_100_000  # Full HD
_ANIMATED_WEBP = 0x02  # in the flags of an extended file
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

DECODE_PICTURE = SandboxTask(
    name="picture",
    function="app.utils.hostile_pictures:decode",
    code="picture_too_complex",
    message="The picture takes too much work to read; send a JPEG or PNG.",
)


def needs_sandbox(data: bytes) -> bool:
    """Whether the data is of a format whose cost its header does not bound: TIFF, HEIF and AVIF, animated WebP."""
    is_animated_webp = data[8:16] == b"WEBPVP8X" and bool(data[20:21]) and bool(data[20] & _ANIMATED_WEBP)
    return data[:4] in _TIFF or data[4:8] == b"ftyp" or is_animated_webp


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an upload: encoded in a format that an inference thread decodes, or decoded already."""

    content: bytes | Image
    limits: PictureLimits

    def decode(self) -> Image:
        """The pixels, as ``decode_image`` gives them; for an inference thread.

        Raises:
            InvalidImage, TooLarge: as ``decode_image`` does.
        """
        return decode_image(self.content, self.limits) if isinstance(self.content, bytes) else self.content


class PictureOpener:
    """Makes pictures of uploads.

    Args:
        places: bounds how many pictures of the sandbox are in memory at once.
        picture_limits: what headers are held against.
        sandbox_limits: of one file.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        places: FairPlaces,
        *,
        picture_limits: PictureLimits,
        sandbox_limits: SandboxLimits,
    ) -> None:
        self._sandbox = sandbox
        self._places = places
        self._picture_limits = picture_limits
        self._sandbox_limits = sandbox_limits

    def plain(self, data: bytes) -> Picture:
        """The picture in ``data`` of a format that needs no sandbox, for what comes many at a time.

        Raises:
            InvalidImage: it is of another format.
        """
        if needs_sandbox(data):
            raise InvalidImage("Send frames as JPEG, PNG or WebP.", code="unsupported_frame_format")
        return Picture(
            data, replace(self._picture_limits, max_pixels=min(_FRAME_PIXELS, self._picture_limits.max_pixels))
        )

    @asynccontextmanager
    async def opened(self, data: bytes) -> AsyncIterator[Picture]:
        """The picture in ``data``; what the sandbox decoded is in memory until the block ends, and holds a place.

        A request with several pictures opens one after the other: holding one place while waiting for the next would
        let two such requests wait for each other.

        Raises:
            InvalidImage, TooLarge: of a sandboxed format and not readable; the other formats tell when decoded.
            Overloaded, DeadlineExceeded, Unavailable: as ``FairPlaces.place`` and ``Sandbox.run`` say.
        """
        if not needs_sandbox(data):
            yield Picture(data, self._picture_limits)
            return
        limits = self._picture_limits
        async with self._places.place():
            reply = await self._sandbox.run(
                DECODE_PICTURE,
                data,
                {"max_pixels": limits.max_pixels, "max_side": limits.max_side},
                limits=self._sandbox_limits,
                output_bytes=3 * limits.max_pixels + _REFERENCE_BYTES,
            )
            image = reply.output.pixels(reply.value.get("image"))
            limits.check(image.shape[1], image.shape[0])
            yield Picture(image, limits)

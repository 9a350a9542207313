"""What the sandbox does with a picture whose header does not bound it. Runs in a process of its own."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pi_heif  # type: ignore[import-untyped]  # no stubs

from app.types import Image
from app.utils.image_processing import decode_with_pillow
from app.utils.picture_limits import PictureLimits
from app.utils.sandbox_memory import Output

pi_heif.register_heif_opener(thumbnails=False)
_FORMATS = ("HEIF", "AVIF", "TIFF", "WEBP")


def decode(data: memoryview, arguments: Mapping[str, Any], output: Output) -> dict[str, object]:
    """The pixels, as ``{"image": reference}``.

    Args:
        arguments: ``max_pixels`` and ``max_side``.

    Raises:
        InvalidImage: damaged, or no picture of these formats.
        TooLarge: over a limit.
    """
    reference: dict[str, object] = {}

    def allocate(shape: tuple[int, int, int]) -> Image:
        pixels, place = output.new_pixels(shape)
        reference.update(place)
        return pixels

    limits = PictureLimits(arguments["max_pixels"], arguments["max_side"])
    decode_with_pillow(io.BytesIO(data), limits, formats=_FORMATS, allocate=allocate)
    return {"image": reference}

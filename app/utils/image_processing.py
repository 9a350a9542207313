"""From bytes to pixels: the one place where a picture from outside is decoded.

Limits are checked on the header, before any pixel is allocated. JPEG, the camera format and the hot path, goes
through OpenCV (libjpeg-turbo); everything else through Pillow, which knows the odd modes (CMYK, 16-bit, palette).
"""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from app.errors import InvalidImage, TooLarge
from app.types import Box, Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What we decode. Of an animation the first frame counts."""

_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
# Encoders write about ten. Each costs a walk over all pixels and may be 60 bytes short, so a small file could hold a
# thread for minutes.
_MAX_SCANS = 100
_MAX_SCANNED_PIXELS = 2_000_000_000  # pixels times passes: about a second
# Decoders report their own damage findings in these types; Pillow's documentation names no common base.
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError)


def decode_image(data: bytes, *, max_pixels: int) -> Image:
    """Decode a still picture and turn it upright by its EXIF orientation.

    Args:
        data: an encoded picture in one of ``FORMATS``.
        max_pixels: width times height above which the picture is refused without being decoded.

    Returns:
        (height, width, 3) uint8 BGR, contiguous. Transparency is laid on white.

    Raises:
        InvalidImage: empty, truncated, not a picture, or a format that we do not read.
        TooLarge: more pixels than ``max_pixels``.
    """
    if not data:
        raise InvalidImage("The image is empty; send the bytes of a JPEG, PNG or WebP file.", code="empty_image")
    header = _read_header(data)
    width, height = header.size
    if width * height > max_pixels:
        raise TooLarge(
            f"The image has {width}x{height} pixels; at most {max_pixels} are accepted. Send a smaller one.",
            code="too_many_pixels",
        )
    if header.format in ("JPEG", "MPO"):
        passes = data.count(_START_OF_SCAN)
        if passes > _MAX_SCANS or passes * width * height > _MAX_SCANNED_PIXELS:
            raise InvalidImage("The JPEG has too many passes; save it again, not progressive.", code="too_many_passes")
        if header.mode in ("RGB", "L"):
            return _decode_jpeg(data)
    return _decode_with_pillow(header)


def _read_header(data: bytes) -> PillowImage.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own pixel limit replaces Pillow's warning
            return PillowImage.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            "The data is not a picture in a format that we read; send JPEG, PNG or WebP.", code="unsupported_image"
        ) from error
    except PillowImage.DecompressionBombError as error:  # Pillow's own, higher limit
        raise TooLarge("The image has too many pixels; send a smaller one.", code="too_many_pixels") from error
    except _DECODER_ERRORS as error:
        raise _damaged() from error


def _decode_jpeg(data: bytes) -> Image:
    # OpenCV fills what is missing of a cut file with grey. Inside a scan, 0xFF is always escaped, so the last
    # start-of-scan belongs to the picture itself (not to an EXIF thumbnail) and must be followed by its end.
    if data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN):
        raise _damaged()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # applies the EXIF orientation
    if image is None:
        raise _damaged()
    return image.astype(np.uint8, copy=False)


def _decode_with_pillow(header: PillowImage.Image) -> Image:
    try:
        ImageOps.exif_transpose(header, in_place=True)
        rgb = np.asarray(_to_rgb(header))
    except _DECODER_ERRORS as error:
        raise _damaged() from error
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _to_rgb(image: PillowImage.Image) -> PillowImage.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would clip 16-bit samples at 255; scale them instead.
        samples = np.asarray(image).astype(np.float32) / 257.0
        return PillowImage.fromarray(np.clip(samples, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = PillowImage.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _damaged() -> InvalidImage:
    return InvalidImage("The image is damaged or incomplete; send the whole file.", code="damaged_image")


def encode_jpeg(image: Image, *, quality: int = 90) -> bytes:
    """A JPEG of the pixels alone: no EXIF, hence no GPS position, travels along.

    Args:
        image: (height, width, 3) uint8 BGR.
        quality: 1 to 100.
    """
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def bounded(image: Image, *, side_px: int) -> Image:
    """The picture with no edge longer than ``side_px``; a small one stays as it is."""
    height, width = image.shape[:2]
    factor = side_px / max(height, width)
    if factor >= 1.0:
        return image
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def crop(image: Image, box: Box) -> Image:
    """The pixels inside ``box``, clipped to the image; may be empty."""
    height, width = image.shape[:2]
    inside = box.clip(width, height)
    return image[round(inside.y1) : round(inside.y2), round(inside.x1) : round(inside.x2)]

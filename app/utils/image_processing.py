"""From bytes to pixels: the one place where a picture from outside is decoded.

Limits are checked on the header, before any pixel is allocated. JPEG, the camera format and the hot path, goes
through OpenCV (libjpeg-turbo); everything else through Pillow, which knows the odd modes (CMYK, 16-bit, palette), and
from there to BGR a strip at a time, so that a picture is in memory once as it is stored and once as it comes out.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from app.errors import InvalidImage, TooLarge
from app.types import Box, FloatArray, Image
from app.utils.jpeg import is_jpeg, walk_jpeg
from app.utils.picture_limits import PictureLimits

_BLURRED_WIDTH_PX = 160

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What we decode. Of an animation the first frame counts."""

# Encoders write about ten. Each costs a walk over all pixels and may be 60 bytes short, so a small file could hold a
# thread for minutes.
_MAX_SCANS = 100
_MAX_SCANNED_PIXELS = 2_000_000_000  # pixels times passes: about a second
# Decoders report their own damage findings in these types; Pillow's documentation names no common base.
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError)
_STRIP_PX = 2**20
_NARROW = 0.25  # of a sensor's range: less would leave 64 tones
_BAND, _EVERY = (0.1, 99.9), 3  # per cent of the samples of every third row and column
_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = (5, 6, 7, 8)  # its values that make height of width

Allocate = Callable[[tuple[int, int, int]], Image]
"""Makes the array that pixels are written into, of the shape (height, width, 3)."""


def decode_image(data: bytes, limits: PictureLimits) -> Image:
    """Decode a still picture and turn it upright by its EXIF orientation.

    Args:
        data: an encoded picture in one of ``FORMATS``; what stands behind a JPEG's end is passed over.
        limits: what its header is held against.

    Returns:
        (height, width, 3) uint8 BGR, contiguous. Transparency is laid on white.

    Raises:
        InvalidImage: empty, truncated, not a picture, or a format that we do not read.
        TooLarge: over ``limits``.
    """
    if not data:
        raise InvalidImage("The image is empty; send the bytes of a JPEG, PNG or WebP file.", code="empty_image")
    header = _read_header(io.BytesIO(data), FORMATS)
    limits.check(*header.size)
    if is_jpeg(data):
        shape = walk_jpeg(data)
        if shape is None:  # OpenCV would fill what is missing of a cut file with grey
            raise _damaged()
        if shape.scans > _MAX_SCANS or shape.scans * header.width * header.height > _MAX_SCANNED_PIXELS:
            raise InvalidImage("The JPEG has too many passes; save it again, not progressive.", code="too_many_passes")
        if header.mode in ("RGB", "L"):
            return _decode_jpeg(data, shape.length)
    if header.format == "WEBP" and not getattr(header, "is_animated", False):
        orientation = header.getexif().get(_ORIENTATION, 1)
        del header  # Pillow reads every WebP as an animation, for which it sets twice the memory aside
        return _decode_webp(data, orientation)
    return _upright(header, lambda shape: np.empty(shape, np.uint8))


def decode_with_pillow(data: IO[bytes], limits: PictureLimits, *, formats: Iterable[str], allocate: Allocate) -> Image:
    """As ``decode_image``, by Pillow and into an array of ``allocate``; for a process of the sandbox."""
    header = _read_header(data, formats)
    limits.check(*header.size)
    return _upright(header, allocate)


def _read_header(data: IO[bytes], formats: Iterable[str]) -> PillowImage.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own pixel limit replaces Pillow's warning
            return PillowImage.open(data, formats=tuple(formats))
    except UnidentifiedImageError as error:
        raise InvalidImage(
            "The data is not a picture in a format that we read; send JPEG, PNG or WebP.", code="unsupported_image"
        ) from error
    except PillowImage.DecompressionBombError as error:  # Pillow's own, higher limit
        raise TooLarge("The image has too many pixels; send a smaller one.", code="too_many_pixels") from error
    except _DECODER_ERRORS as error:
        raise _damaged() from error


def _decode_jpeg(data: bytes, length: int) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8, length), cv2.IMREAD_COLOR)  # applies the EXIF orientation
    if image is None:
        raise _damaged()
    return image.astype(np.uint8, copy=False)


def _decode_webp(data: bytes, orientation: object) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3:
        raise _damaged()
    height, width = image.shape[:2]
    if image.shape[2] == 3 and orientation == 1:
        return image.astype(np.uint8, copy=False)
    upright = np.empty((width, height, 3) if orientation in _TURNED else (height, width, 3), np.uint8)
    stored = _as_stored(upright, orientation)
    for top, bottom in _strips(height, width):
        strip = image[top:bottom]
        stored[top:bottom] = strip if strip.shape[2] == 3 else _on_white(strip)
    return upright


def _on_white(strip: npt.NDArray[np.generic]) -> Image:
    """BGRA laid on white, rounded as Pillow does."""
    alpha = strip[:, :, 3:].astype(np.uint16)
    mixed = strip[:, :, :3].astype(np.uint16) * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def _strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Rows from and to, a few at a time."""
    rows = max(1, _STRIP_PX // width)
    return ((top, min(height, top + rows)) for top in range(0, height, rows))


def _upright(picture: PillowImage.Image, allocate: Allocate) -> Image:
    """The pixels in BGR, turned on the way by the EXIF orientation."""
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
        picture.load()
        black, span = _tones(picture)
        width, height = picture.size
        upright = allocate((width, height, 3) if orientation in _TURNED else (height, width, 3))
        stored = _as_stored(upright, orientation)
        for top, bottom in _strips(height, width):
            strip = _to_rgb(picture.crop((0, top, width, bottom)), black, span)
            stored[top:bottom] = cv2.cvtColor(np.asarray(strip), cv2.COLOR_RGB2BGR)
    except _DECODER_ERRORS as error:
        raise _damaged() from error
    return upright


def _as_stored(upright: Image, orientation: object) -> Image:
    """A view of ``upright`` in which the pixels stand as the file has them."""
    views: dict[object, npt.NDArray[np.uint8]] = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return views.get(orientation, upright)


def _tones(image: PillowImage.Image) -> tuple[float, float]:
    """What becomes black, and how much more becomes white, of samples of more than 8 bits.

    Sensors of 10, 12 or 14 bits fill the lower part of 16. Infrared and heat cameras often fill a narrow band of it,
    of which 8 bits would keep a few steps: that band is spread, and what lies beside it, single hot pixels, is cut.
    """
    if not _is_deep(image):
        return 0.0, 255.0
    samples = np.nan_to_num(np.asarray(image)[::_EVERY, ::_EVERY], posinf=0.0, neginf=0.0)
    lowest, highest = float(samples.min()), float(samples.max())
    darkest, brightest = (float(tone) for tone in np.percentile(samples, _BAND))
    is_sensors = image.mode != "F" and lowest >= 0 and highest < 2**16
    whole = float(2 ** next((bits for bits in (10, 12, 14) if highest < 2**bits), 16) - 1)
    if brightest > darkest and (not is_sensors or brightest - darkest < whole * _NARROW):
        return darkest, brightest - darkest
    return 0.0, whole


def _is_deep(image: PillowImage.Image) -> bool:
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def _to_rgb(image: PillowImage.Image, black: float, span: float) -> PillowImage.Image:
    if _is_deep(image):
        # Pillow would clip 16-bit samples at 255; scale them instead.
        samples = (np.nan_to_num(np.asarray(image).astype(np.float32)) - black) * (255.0 / span)
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


def blurred_small(image: Image) -> FloatArray:
    """A frame for comparing it with others: 160 px wide, BGR, without most of a sensor's noise. In colour, because
    people's clothes often are as bright as the wall behind them."""
    width = _BLURRED_WIDTH_PX
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    step = max(1, image.shape[1] // (4 * width))  # averaging sixteen pixels says as much as averaging hundreds
    small = cv2.resize(image[::step, ::step], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (5, 5), 0).astype(np.float32)


def crop(image: Image, box: Box) -> Image:
    """The pixels inside ``box``, clipped to the image; may be empty."""
    height, width = image.shape[:2]
    inside = box.clip(width, height)
    return image[round(inside.y1) : round(inside.y2), round(inside.x1) : round(inside.x2)]

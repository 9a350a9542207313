"""Pictures at the limit of what is admitted, and the process that decodes one of them within a limit of memory.

``python -m tests.picture_zoo NAME`` prints the shape of the decoded picture, or the code of its refusal. The files are
made in a process without the limit, since encoders need more memory than the decoder.
"""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image as PillowImage

from app.errors import VisionError
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits

MAX_PIXELS = 50_000_000
SIDE = 7071  # squared just below MAX_PIXELS
# First column and row, and steps between columns and rows, of each pass
_ADAM7 = (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
_STATED_BYTES = 12 * MAX_PIXELS + 64 * 2**20


def _png(depth: int, colour: int, row_bytes: int, *, width: int = SIDE, height: int = SIDE, more: bytes = b"") -> bytes:
    """A black PNG, written without ever holding its pixels."""
    packer = zlib.compressobj(1)
    packed = [packer.compress(bytes(1 + row_bytes)) for _ in range(height)]
    data = b"".join([*packed, packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), more, _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _interlaced_png() -> bytes:
    """As ``_png``, 8-bit RGBA in Adam7's seven passes."""
    packer = zlib.compressobj(1)
    packed = []
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        row = bytes(1 + 4 * -((x - SIDE) // dx))
        packed += [packer.compress(row) for _ in range(-((y - SIDE) // dy))]
    data = b"".join([*packed, packer.flush()])
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb() -> bytes:
    """200 MB of zeros in 200 kB."""
    packer = zlib.compressobj(1)
    return b"".join([packer.compress(bytes(10_000_000)) for _ in range(20)] + [packer.flush()])


def _saved(mode: str, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PillowImage.new(mode, (SIDE, SIDE)).save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg_with_metadata() -> bytes:
    buffer = io.BytesIO()
    PillowImage.new("RGB", (64, 64)).save(buffer, "JPEG")
    data = buffer.getvalue()
    segment = b"\xff\xe1" + struct.pack(">H", 65533) + b"Exif\0\0" + b"A" * 65525
    return data[:2] + segment * 220 + data[2:]


def _turned() -> PillowImage.Exif:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    return exif


_DEFLATED = {"compression": "tiff_adobe_deflate"}
_MAKERS: Mapping[str, Callable[[], bytes]] = {
    "png grey 16": lambda: _png(16, 0, 2 * SIDE),
    "png rgb 8": lambda: _png(8, 2, 3 * SIDE),
    "png rgba 16": lambda: _png(16, 6, 8 * SIDE),
    "png interlaced rgba": _interlaced_png,
    "png one pixel high": lambda: _png(8, 0, MAX_PIXELS, width=MAX_PIXELS, height=1),
    "png one pixel wide": lambda: _png(8, 0, 1, width=1, height=20_000),
    "png huge text": lambda: _png(8, 2, 192, width=64, height=64, more=_chunk(b"zTXt", b"a\0\0" + _bomb())),
    "png huge profile": lambda: _png(8, 2, 192, width=64, height=64, more=_chunk(b"iCCP", b"a\0\0" + _bomb())),
    "tiff float": lambda: _saved("F", "TIFF", **_DEFLATED),
    "tiff 32 bit": lambda: _saved("I", "TIFF", **_DEFLATED),
    "tiff cmyk": lambda: _saved("CMYK", "TIFF", **_DEFLATED),
    "webp": lambda: _saved("RGB", "WEBP", quality=1, method=0),
    "webp lossless, clear": lambda: _saved("RGBA", "WEBP", lossless=True, method=0),
    "webp turned": lambda: _saved("RGB", "WEBP", quality=1, method=0, exif=_turned()),
    "jpeg": lambda: _saved("RGB", "JPEG", quality=1),
    "jpeg turned": lambda: _saved("RGB", "JPEG", quality=1, exif=_turned()),
    "jpeg progressive": lambda: _saved("RGB", "JPEG", quality=1, progressive=True, subsampling=0),
    "jpeg progressive cmyk": lambda: _saved("CMYK", "JPEG", quality=1, progressive=True),
    "jpeg huge metadata": _jpeg_with_metadata,
    "gif": lambda: _saved("P", "GIF"),
}
_SQUARE = f"({SIDE}, {SIDE}, 3)"
EXPECTED = {
    **dict.fromkeys(_MAKERS, _SQUARE),
    "png one pixel high": "image_side_too_long",
    "png one pixel wide": "image_too_narrow",
    "png huge text": "damaged_image",
    "png huge profile": "damaged_image",
    "jpeg huge metadata": "(64, 64, 3)",
}
NAMES = tuple(_MAKERS)


def decode(data: bytes) -> str:
    """The shape of the decoded picture, or the code of its refusal."""
    try:
        return str(decode_image(data, PictureLimits(MAX_PIXELS)).shape)
    except VisionError as error:
        return error.code


def made_elsewhere(name: str) -> bytes:
    """The picture's bytes, from a process without limits."""
    command = [
        sys.executable,
        "-c",
        f"import sys; from tests.picture_zoo import write; write({name!r}, sys.stdout.buffer)",
    ]
    return subprocess.run(command, check=True, capture_output=True).stdout


def prepare() -> int:
    """Decode a first picture, whose needs are the process's, then limit it. Returns ``peak_kb`` until now."""
    small = io.BytesIO()
    PillowImage.fromarray(np.zeros((8, 8, 3), np.uint8)).save(small, "JPEG")
    decode(small.getvalue())
    pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115, PTH123  # one line
    limit = pages * resource.getpagesize() + _STATED_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return peak_kb()


def peak_kb() -> int:
    """The most memory that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(name: str) -> None:
    """Make the picture in one process, decode it in this one."""
    data = made_elsewhere(name)
    prepare()
    print(decode(data))


def write(name: str, stream: io.BufferedWriter) -> None:
    """Put the picture's bytes on a stream."""
    PillowImage.MAX_IMAGE_PIXELS = None
    stream.write(_MAKERS[name]())


if __name__ == "__main__":
    main(sys.argv[1])

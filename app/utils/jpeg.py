"""Where a JPEG ends, and how much work it is. Nothing is decoded here.

Phones put things behind a picture: a film of the moment, more pictures, the maker's notes. Markers are therefore not
searched for, which finds those of whatever stands there, but walked to, from segment to segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = b"\xff\xd8"
_START_OF_SCAN = 0xDA
_END = 0xD9
# Inside a scan, 0xFF is followed by 0 where it is a value, by D0 to D7 where decoding begins again, by 0xFF to fill.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MAX_SEGMENTS = 10_000  # some hundreds carry 15 MB of metadata


@dataclass(frozen=True, slots=True)
class JpegShape:
    """Where the picture ends, the end marker included, and how many scans come before; each is a walk over it."""

    length: int
    scans: int


def is_jpeg(data: bytes) -> bool:
    """Whether ``data`` begins like a JPEG."""
    return data.startswith(_START)


def walk_jpeg(data: bytes) -> JpegShape | None:
    """The shape of the JPEG that ``data`` begins with; None where it breaks off or is none."""
    position, scans = len(_START), 0
    for _ in range(_MAX_SEGMENTS):
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        if position + 2 > len(data) or data[position] != 0xFF:
            return None
        marker = data[position + 1]
        position += 2
        if marker == _END:
            return JpegShape(position, scans)
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            continue
        position += int.from_bytes(data[position : position + 2], "big")
        if marker == _START_OF_SCAN:
            scans += 1
            end = _AFTER_SCAN.search(data, position)
            if end is None:
                return None
            position = end.start()
    return None

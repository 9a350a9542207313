"""Where a JPEG ends, and how much work it is. Nothing is decoded here.

Phones put things behind a picture: a film of the moment, more pictures, the maker's notes. Markers are therefore not
searched for, which finds those of whatever stands there, but walked to, from segment to segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_START = b"\xff\xd8"
_SCAN = 0xDA
_END = 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
# Inside a scan, 0xFF is followed by 0 where it is a value, by D0 to D7 where decoding begins again, by 0xFF to fill.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MAX_SEGMENTS = 10_000  # some hundreds carry 15 MB of metadata


class Stop(Enum):
    """Why a walk stopped: at the picture's end, at another picture's start, for want of bytes, or at no marker."""

    END = auto()
    START = auto()
    MORE = auto()
    BROKEN = auto()


class JpegWalk:
    """A walk over the markers of the JPEG that some bytes begin with, which may still be coming.

    Attributes:
        position: how far it has come; behind the end marker at ``Stop.END``.
        scans: that were passed, each a walk over the picture for its decoder.
    """

    def __init__(self) -> None:
        self.position = len(_START)
        self.scans = 0
        self._segments = 0
        self._in_scan = False

    def go_on(self, data: bytes | bytearray) -> Stop:
        """Walk as far as ``data`` reaches: the bytes of the call before and those that have come since."""
        stop = None
        while stop is None and self._segments < _MAX_SEGMENTS:
            stop = self._cross_scan(data) if self._in_scan else self._cross_segment(data)
        return stop or Stop.BROKEN

    def _cross_scan(self, data: bytes | bytearray) -> Stop | None:
        found = _AFTER_SCAN.search(data, self.position)
        self.position = found.start() if found else max(self.position, len(data) - 1)
        self._in_scan = found is None
        return Stop.MORE if found is None else None

    def _cross_segment(self, data: bytes | bytearray) -> Stop | None:
        while data[self.position : self.position + 2] == b"\xff\xff":
            self.position += 1
        head = data[self.position : self.position + 4]
        if head and head[0] != _START[0]:
            return Stop.BROKEN
        marker = head[1] if len(head) > 1 else None
        if marker == _START[1]:
            return Stop.START
        has_length = marker != _END and marker not in _WITHOUT_LENGTH
        if marker is None or (has_length and len(head) < 4):
            return Stop.MORE
        self.position += 2 + (int.from_bytes(head[2:], "big") if has_length else 0)
        self._in_scan = marker == _SCAN
        self.scans += self._in_scan
        self._segments += 1
        return Stop.END if marker == _END else None


@dataclass(frozen=True, slots=True)
class JpegShape:
    """Where the picture ends, the end marker included, and how many scans come before."""

    length: int
    scans: int


def is_jpeg(data: bytes) -> bool:
    """Whether ``data`` begins like a JPEG."""
    return data.startswith(_START)


def walk_jpeg(data: bytes) -> JpegShape | None:
    """The shape of the JPEG that ``data`` begins with; None where it breaks off or is none."""
    walk = JpegWalk()
    return JpegShape(walk.position, walk.scans) if walk.go_on(data) is Stop.END else None

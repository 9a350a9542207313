"""Finds the pictures in a motion JPEG stream by the pictures themselves.

Cameras agree on no dialect of the frame around them: boundaries that differ from the header's or are missing, bare
line feeds, lengths that are wrong, zero or absent. Every JPEG says by its own markers where it ends, so the reader
walks those and ignores everything between two pictures.
"""

from __future__ import annotations

import re

_START = b"\xff\xd8\xff"
_SCAN = 0xDA
_END = 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # within a scan: neither a stuffed FF nor a restart


class JpegSplitter:
    """Takes bytes as they come and gives whole JPEGs.

    Args:
        max_picture_bytes: what is longer is passed over.
    """

    def __init__(self, *, max_picture_bytes: int) -> None:
        self._max_picture_bytes = max_picture_bytes
        self._unread = bytearray()
        self._at = 0  # how far the markers of the picture at the beginning of ``_unread`` have been walked; 0: none
        self._in_scan = False

    def feed(self, data: bytes) -> None:
        """Add the next bytes of the stream."""
        self._unread += data

    def next_picture(self) -> bytes | None:
        """The next whole picture; None until more bytes come."""
        while self._at or self._find_start():
            end = self._walk()
            if end:
                picture = bytes(self._unread[:end])
                self._drop(end)
                return picture
            if self._at and len(self._unread) <= self._max_picture_bytes:
                return None
            if self._at:
                self._drop(len(_START))
        return None

    def _find_start(self) -> bool:
        start = self._unread.find(_START)
        # What may be the first bytes of a start stays.
        del self._unread[: start if start >= 0 else max(0, len(self._unread) - len(_START) + 1)]
        self._at = 2 if start >= 0 else 0
        return start >= 0

    def _drop(self, count: int) -> None:
        del self._unread[:count]
        self._at, self._in_scan = 0, False

    def _walk(self) -> int:
        """Where the picture ends; 0 while that is not known, or where this was no picture after all."""
        while True:
            if self._in_scan:
                found = _NEXT_MARKER.search(self._unread, self._at)
                if found is None:
                    self._at = max(self._at, len(self._unread) - 1)
                    return 0
                self._at, self._in_scan = found.start(1) - 1, False
            if len(self._unread) < self._at + 4:
                return self._at + 2 if self._unread[self._at : self._at + 2] == bytes((0xFF, _END)) else 0
            if self._unread[self._at] != 0xFF:
                self._drop(len(_START))
                return 0
            marker = self._unread[self._at + 1]
            if marker == _END:
                return self._at + 2
            if marker == _START[1]:  # the camera broke off and began the next picture
                self._drop(self._at)
                return 0
            if marker in _WITHOUT_LENGTH or marker == 0xFF:
                self._at += 1 if marker == 0xFF else 2
                continue
            self._in_scan = marker == _SCAN
            self._at += 2 + int.from_bytes(self._unread[self._at + 2 : self._at + 4], "big")

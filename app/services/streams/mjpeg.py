"""Finds the pictures in a motion JPEG stream by the pictures themselves.

Cameras agree on no dialect of the frame around them: boundaries that differ from the header's or are missing, bare
line feeds, lengths that are wrong, zero or absent. Every JPEG says by its own markers where it ends, so the reader
walks those and ignores everything between two pictures.
"""

from __future__ import annotations

from app.utils.jpeg import JpegWalk, Stop

_START = b"\xff\xd8\xff"


class JpegSplitter:
    """Takes bytes as they come and gives whole JPEGs.

    Args:
        max_picture_bytes: what is longer is passed over.
    """

    def __init__(self, *, max_picture_bytes: int) -> None:
        self._max_picture_bytes = max_picture_bytes
        self._unread = bytearray()
        self._walk: JpegWalk | None = None  # over the picture at the beginning of ``_unread``

    def feed(self, data: bytes) -> None:
        """Add the next bytes of the stream."""
        self._unread += data

    def next_picture(self) -> bytes | None:
        """The next whole picture; None until more bytes come."""
        while walk := self._walk or self._found_start():
            stop = walk.go_on(self._unread)
            if stop is Stop.END:
                picture = bytes(self._unread[: walk.position])
                self._drop(walk.position)
                return picture
            if stop is Stop.START:  # the camera broke off and began the next picture
                self._drop(walk.position)
            elif stop is Stop.BROKEN or len(self._unread) > self._max_picture_bytes:
                self._drop(len(_START))
            else:
                return None
        return None

    def _found_start(self) -> JpegWalk | None:
        start = self._unread.find(_START)
        # What may be the first bytes of a start stays.
        del self._unread[: start if start >= 0 else max(0, len(self._unread) - len(_START) + 1)]
        self._walk = JpegWalk() if start >= 0 else None
        return self._walk

    def _drop(self, count: int) -> None:
        del self._unread[:count]
        self._walk = None

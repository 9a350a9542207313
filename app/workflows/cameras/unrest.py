"""Does it live? Flames flicker and smoke spreads, a lamp and a picture of a fire stay as they are.

Compares small grey pictures of a camera's judged frames. A place is alive where enough of it is brighter or darker than
in one of the frames before, beyond what the whole picture's brightness and a sensor's noise do.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from app.types import Box, FloatArray, Image

_WIDTH_PX = 160
_REMEMBERED = 8
_OLDEST_S = 60.0
# Far below what flames and smoke change from one frame to the next, and above what a steady camera's noise does.
_LEVELS = 14.0
_SHARE = 0.03
_TILES = (4, 5)
_MARGIN = 0.15


class Unrest:
    """The latest judged frames of one camera. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, FloatArray]] = deque(maxlen=_REMEMBERED)
        self._changed: list[FloatArray] = []

    def see(self, image: Image, now_s: float) -> None:
        """Take in the next frame."""
        grey = _small_grey(image)
        while self._frames and (now_s - self._frames[0][0] > _OLDEST_S or self._frames[0][1].shape != grey.shape):
            self._frames.popleft()
        self._changed = [_changed(grey, before) for _, before in self._frames]
        self._frames.append((now_s, grey))

    def share(self, box: Box | None, size: tuple[int, int]) -> float:
        """How much of a place changed, at most, since one of the frames before; 0 of a first frame.

        Args:
            box: None looks for the place that changed most.
            size: of the frame that was seen last, width and height.
        """
        return max((_share(changed, box, size) for changed in self._changed), default=0.0)

    def is_alive(self, box: Box | None, size: tuple[int, int]) -> bool:
        """Whether the place changes as what burns or smokes does."""
        return self.share(box, size) >= _SHARE


def _small_grey(image: Image) -> FloatArray:
    height = max(8, round(image.shape[0] * _WIDTH_PX / image.shape[1]))
    grey = cv2.cvtColor(cv2.resize(image, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return grey.astype(np.float32)


def _changed(now: FloatArray, before: FloatArray) -> FloatArray:
    """1 where a pixel changed by more than the picture as a whole did, else 0."""
    # Brightness is a factor: a gain of the camera, or light of a lamp that flickers.
    gain = float(np.median(now + 1) / np.median(before + 1))
    return (np.abs(now - before * gain) > _LEVELS).astype(np.float32)


def _share(changed: FloatArray, box: Box | None, size: tuple[int, int]) -> float:
    height, width = changed.shape
    if box is None:
        rows, columns = _TILES
        tiles = cv2.resize(changed, (columns, rows), interpolation=cv2.INTER_AREA)
        return float(tiles.max())
    scale_x, scale_y = width / size[0], height / size[1]
    aside, above = _MARGIN * box.width, _MARGIN * box.height
    x1, x2 = int((box.x1 - aside) * scale_x), int(np.ceil((box.x2 + aside) * scale_x))
    y1, y2 = int((box.y1 - above) * scale_y), int(np.ceil((box.y2 + above) * scale_y))
    part = changed[max(y1, 0) : y2, max(x1, 0) : x2]
    return float(part.mean()) if part.size else 0.0

"""Square parts of a picture at a network's size, quickly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.types import FloatArray, Image

_DULL_RANGE = 160  # of 255; well-lit photos span 200 and more


@dataclass(frozen=True, slots=True)
class Square:
    """Whole pixels of a picture; may reach over its edges."""

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, x: float, y: float, side: float) -> Square:
        """The square with that centre and side, rounded to whole pixels."""
        whole = max(round(side), 1)
        return cls(round(x - whole / 2), round(y - whole / 2), whole)

    def to_image(self, points: FloatArray) -> FloatArray:
        """(…, 2) points relative to the square (0 to 1) as pixels of the picture."""
        placed: FloatArray = points * np.float32(self.side) + np.array([self.left, self.top], np.float32)
        return placed


def cut_square(image: Image, square: Square, *, side_px: int) -> Image:
    """The part of the picture at (side_px, side_px); its outermost pixels go on beyond its edges."""
    height, width = image.shape[:2]
    left, top = max(square.left, 0), max(square.top, 0)
    right, bottom = min(square.left + square.side, width), min(square.top + square.side, height)
    # A square wholly outside still shows the nearest pixel.
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = image[top:bottom, left:right]
    if part.shape[0] < square.side or part.shape[1] < square.side:
        before_y, before_x = max(-square.top, 0), max(-square.left, 0)
        part = cv2.copyMakeBorder(
            part,
            min(before_y, square.side - part.shape[0]),
            max(square.side - part.shape[0] - before_y, 0),
            min(before_x, square.side - part.shape[1]),
            max(square.side - part.shape[1] - before_x, 0),
            cv2.BORDER_REPLICATE,
        ).astype(np.uint8, copy=False)
    return resize_fast(part, width=side_px, height=side_px)


def resize_fast(image: Image, *, width: int, height: int) -> Image:
    """The picture at that size, proportions about kept.

    Bilinear, which aliases from half the size on; so a large picture is brought to twice the wanted size first and
    then averaged down. By area alone it would take up to twenty times as long.
    """
    if image.shape[0] > 2 * height and image.shape[1] > 2 * width:
        image = _resize(image, 2 * width, 2 * height, cv2.INTER_LINEAR)
    if image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        return _resize(image, width, height, cv2.INTER_AREA)
    return _resize(image, width, height, cv2.INTER_LINEAR)


def spread_tones(image: Image, *, dull_range: float = _DULL_RANGE) -> Image | None:
    """The picture with its tones stretched over the whole range; None where they fill more than ``dull_range`` of 255.

    A night shot or a hazy one keeps its shapes in a narrow band of tones, where networks overlook them.
    """
    sample = cv2.cvtColor(image[::4, ::4], cv2.COLOR_BGR2GRAY)
    darkest, brightest = (float(tone) for tone in np.percentile(sample, (2, 98)))
    if brightest - darkest > dull_range:
        return None
    levels = (np.arange(256, dtype=np.float32) - darkest) * (255 / max(brightest - darkest, 8.0))
    return cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)).astype(np.uint8, copy=False)


def _resize(image: Image, width: int, height: int, interpolation: int) -> Image:
    return cv2.resize(image, (width, height), interpolation=interpolation).astype(np.uint8, copy=False)

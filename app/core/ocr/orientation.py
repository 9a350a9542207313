"""Which way up a page stands, told by its text alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.core.ocr.merge import LineReading
from app.core.ocr.readers import LineReader
from app.types import FloatArray, Image

_SAMPLE_LINES = 5
_CLEAR_SCORE = 0.90
"""Upright print reads above this; upside down it reaches 0.5 to 0.8."""

_MARGIN = 0.05
_LONG = 2.0
"""Sides ratio from which a polygon shows its direction."""

_QUARTER_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def is_sideways(polygons: Sequence[FloatArray]) -> bool:
    """Whether most of the text, by length, runs up or down the picture."""
    level = upright = 0.0
    for width, height in map(_sides, polygons):
        if width >= _LONG * height:
            level += width
        elif height >= _LONG * width:
            upright += height
    return upright > level


def runs_level(polygon: FloatArray) -> bool:
    """Whether a line is wider than high."""
    width, height = _sides(polygon)
    return width >= height


def _sides(polygon: FloatArray) -> tuple[float, float]:
    return float(np.linalg.norm(polygon[1] - polygon[0])), float(np.linalg.norm(polygon[3] - polygon[0]))


def looks_upside_down(crops: Sequence[Image], readings: Sequence[LineReading], reader: LineReader) -> bool:
    """Whether the longest lines read clearly better turned by 180°. Costs a few lines; nothing when they are clear.

    Args:
        crops: every line of the page as it stands.
        readings: what ``reader`` made of them.
    """
    longest = sorted(range(len(crops)), key=lambda index: -crops[index].shape[1])[:_SAMPLE_LINES]
    upright = _mean_score([readings[index] for index in longest])
    if not longest or upright >= _CLEAR_SCORE:
        return False
    turned = reader.read([np.ascontiguousarray(np.rot90(crops[index], 2)) for index in longest])
    return _mean_score(turned) > upright + _MARGIN


def _mean_score(readings: Sequence[LineReading]) -> float:
    scores = [reading.score for reading in readings if len(reading.text.strip()) >= 2]
    return float(np.mean(scores)) if scores else 0.0


def rotate_image(image: Image, degrees: int) -> Image:
    """Turned clockwise by 0, 90, 180 or 270 degrees."""
    turned = image if degrees == 0 else cv2.rotate(image, _QUARTER_TURNS[degrees])
    return np.asarray(turned, np.uint8)


def rotate_polygons(polygons: Sequence[FloatArray], degrees: int, *, width: int, height: int) -> list[FloatArray]:
    """The polygons in the turned picture, each starting at the top left of its line there. Sizes are of the picture
    before turning."""
    rotated = []
    for polygon in polygons:
        x, y = polygon[:, 0], polygon[:, 1]
        points = {
            0: np.stack([x, y], 1),
            90: np.stack([height - y, x], 1),
            180: np.stack([width - x, height - y], 1),
            270: np.stack([y, width - x], 1),
        }[degrees]
        start = int(np.argmin(points.sum(1)))
        rotated.append(np.roll(points, -start, axis=0).astype(np.float32))
    return rotated

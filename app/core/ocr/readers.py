"""What a page reader is built from: something that finds lines, and things that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from app.core.ocr.merge import LineReading
from app.types import FloatArray, Image

_MARGIN = 0.08
"""Of the line's height."""


class ReaderFailure(RuntimeError):
    """A reader could not read at all: its runtime failed. The fallback reads instead."""


class LineDetector(Protocol):
    """Finds lines of text."""

    def detect(self, image: Image) -> list[FloatArray]:
        """Polygons (4, 2) float32 px, clockwise from the top left of each line as it stands in ``image``.

        Raises:
            ReaderFailure: the runtime failed.
        """
        ...


class LineReader(Protocol):
    """Reads cropped lines."""

    @property
    def name(self) -> str:
        """The engine's public name, such as ``paddleocr``."""
        ...

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        """One reading for each of ``crops``, (h, w, 3) uint8 BGR of one upright line each.

        Raises:
            ReaderFailure: the runtime failed.
        """
        ...


class SpelledReader(LineReader, Protocol):
    """A reader whose characters are known, so that its network can be read otherwise too."""

    @property
    def characters(self) -> list[str]:
        """In the order of the network's classes from 1 on."""
        ...


def crop_line(image: Image, polygon: FloatArray) -> Image:
    """The line inside ``polygon`` and a little around it flattened to a rectangle; an upright line is laid down.

    Detectors cut close: without the margin, dots below letters and last letters are lost.
    """
    polygon = _widened(polygon)
    top, bottom = np.linalg.norm(polygon[1] - polygon[0]), np.linalg.norm(polygon[2] - polygon[3])
    left, right = np.linalg.norm(polygon[3] - polygon[0]), np.linalg.norm(polygon[2] - polygon[1])
    width, height = max(round(float(max(top, bottom))), 1), max(round(float(max(left, right))), 1)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(polygon.astype(np.float32), target)
    crop = cv2.warpPerspective(
        image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    upright = np.rot90(crop) if height >= 1.5 * width else crop
    return np.ascontiguousarray(upright, dtype=np.uint8)


def _widened(polygon: FloatArray) -> FloatArray:
    """The polygon with ``_MARGIN`` of the line's height added on each side."""
    down = (polygon[3] - polygon[0] + polygon[2] - polygon[1]) / 2
    along = (polygon[1] - polygon[0] + polygon[2] - polygon[3]) / 2
    height, width = float(np.linalg.norm(down)), float(np.linalg.norm(along))
    across, aside = _MARGIN * down, along * (_MARGIN * min(height, width) / max(width, 1.0))
    steps = np.stack([-aside - across, aside - across, aside + across, across - aside])
    return np.asarray(polygon + steps, np.float32)

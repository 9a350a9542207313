"""Faces made unrecognisable in pictures that are kept."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.core.face_detection import FaceDetector
from app.types import Box, Image

# A face of so few cells is nobody's; hair and ears around it are blurred too.
_CELLS = 6
_MARGIN = 0.25
_PICTURE_CELLS = 24


class FaceFinder:
    """Where the faces of a picture are; synchronous.

    Args:
        detector: with a low threshold: what is blurred needlessly costs little.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def find(self, image: Image) -> list[Box]:
        """Boxes of all faces, surest first."""
        return [face.box for face in self._detector.detect([image])[0]]


def blur_boxes(image: Image, boxes: Sequence[Box]) -> Image:
    """A copy whose boxes, and a quarter around each, hold a few soft cells alone. Nothing brings the rest back."""
    blurred = image.copy()
    height, width = image.shape[:2]
    for box in boxes:
        aside, above = _MARGIN * box.width, _MARGIN * box.height
        around = Box(box.x1 - aside, box.y1 - above, box.x2 + aside, box.y2 + above).clip(width, height)
        x1, y1, x2, y2 = int(around.x1), int(around.y1), int(np.ceil(around.x2)), int(np.ceil(around.y2))
        if x2 > x1 and y2 > y1:
            blurred[y1:y2, x1:x2] = _few_cells(blurred[y1:y2, x1:x2], _CELLS)
    return blurred


def blur_picture(image: Image) -> Image:
    """A copy that shows light and colours alone, for a picture whose faces nobody could look for."""
    return _few_cells(image, _PICTURE_CELLS)


def _few_cells(part: Image, cells: int) -> Image:
    height, width = part.shape[:2]
    size = (min(cells, width), min(cells, height))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)

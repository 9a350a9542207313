"""What finds things of named kinds in pictures, whichever network is behind it, and what such readers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.features import resize
from app.types import Box, Detection, FloatArray, Image, Session

_PADDING_GREY = 114  # what YOLO networks were trained with


class ObjectDetector(Protocol):
    """Synchronous, on a thread of the ``InferencePool``."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Objects in each BGR picture, surest first, boxes clipped to the picture."""
        ...

    def warm_up(self) -> None:
        """One pass on a blank picture."""
        ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on its square: ``square = picture * scale + offset``, in pixels."""

    scale: float
    left: int
    top: int

    def to_image(self, boxes: FloatArray) -> FloatArray:
        """(n, 4) corner boxes of the square, in pixels of the picture."""
        offset = np.array([self.left, self.top, self.left, self.top], np.float32)
        placed: FloatArray = (boxes - offset) / np.float32(self.scale)
        return placed


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows that belong together: ``boxes`` (n, 4) float32 corners in pixels, ``scores`` and ``classes`` (n,)."""

    boxes: FloatArray
    scores: FloatArray
    classes: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp]) -> Candidates:
        """The candidates at those rows, in that order."""
        return Candidates(self.boxes[rows], self.scores[rows], self.classes[rows])


class SquareDetector(ABC):
    """Finds objects with one network that takes letterboxed squares. Fulfils ``ObjectDetector``.

    Args:
        session: called once a picture, as exported files fix the batch at one.
        labels: what the numbers in ``Candidates.classes`` are called.
        min_score: boxes below are not reported.
        max_iou: of two boxes of one label that overlap more, the surer stays.
    """

    def __init__(
        self,
        session: Session,
        *,
        labels: Sequence[str],
        min_score: float,
        max_iou: float = 0.5,
        input_name: str = "images",
        side_px: int = 640,
    ) -> None:
        self._session = session
        self._labels = list(labels)
        self._min_score = min_score
        self._max_iou = max_iou
        self._input_name = input_name
        self._side_px = side_px

    @property
    def provider(self) -> str:
        """Runtime, device and precision, for /health."""
        return self._session.provider

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Objects in each BGR picture, surest first, boxes clipped to the picture."""
        return [self._detect_in(image) for image in images]

    def warm_up(self) -> None:
        """One pass on a blank picture."""
        self.detect([np.zeros((self._side_px, self._side_px, 3), np.uint8)])

    @abstractmethod
    def _candidates(self, blob: FloatArray) -> Candidates:
        """What the network finds, surest first, boxes in pixels of the square.

        Args:
            blob: (1, 3, side, side) float32 RGB, 0 to 255.
        """

    def _detect_in(self, image: Image) -> list[Detection]:
        square, placement = letterbox(image, side_px=self._side_px)
        blob = np.ascontiguousarray(square[None, ..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
        found = self._candidates(blob)
        found = found.take(suppress(found, max_iou=self._max_iou))
        height, width = image.shape[:2]
        return [
            Detection(Box(*map(float, box)).clip(width, height), float(score), self._labels[number])
            for box, score, number in zip(placement.to_image(found.boxes), found.scores, found.classes, strict=True)
        ]


def letterbox(image: Image, *, side_px: int) -> tuple[Image, Placement]:
    """The picture scaled to fit a grey square, centred, proportions kept."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    fitted = resize(image, width=max(round(width * scale), 1), height=max(round(height * scale), 1))
    top, left = (side_px - fitted.shape[0]) // 2, (side_px - fitted.shape[1]) // 2
    square = np.full((side_px, side_px, 3), _PADDING_GREY, np.uint8)
    square[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return square, Placement(scale=scale, left=left, top=top)


def suppress(candidates: Candidates, *, max_iou: float) -> NDArray[np.intp]:
    """Non-maximum suppression within each class.

    Args:
        candidates: surest first.

    Returns:
        The rows to keep, surest first.
    """
    overlaps = pairwise_iou(candidates.boxes) > max_iou
    rivals = overlaps & (candidates.classes[:, None] == candidates.classes[None, :])
    alive = np.ones(len(candidates.scores), bool)
    for row in range(len(alive)):
        if alive[row]:
            alive[row + 1 :] &= ~rivals[row, row + 1 :]
    return np.flatnonzero(alive)


def pairwise_iou(boxes: FloatArray) -> FloatArray:
    """(n, n) intersection over union of (n, 4) corner boxes; 0 where neither box has an area."""
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    intersection = np.clip(bottom_right - top_left, 0.0, None).prod(axis=2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None).prod(axis=1)
    union = area[:, None] + area[None, :] - intersection
    overlaps: FloatArray = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return overlaps

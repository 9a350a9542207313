"""The image backbone that image search, rooms and safety share: one forward pass serves all three.

The network is a classifier whose last feature map and pooled features come out beside the class logits. Because
its pooling is a plain mean over positions, a linear head on the pooled features is also a linear map over the
positions: the class-activation map of ``LinearHead.activation`` averages to exactly the head's score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from app.types import Box, FloatArray, Image, Session

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Features:
    """What the backbone says of one picture; arrays are float32.

    ``pooled`` is (1280,), not normalised. ``logits`` is (1000,) over the ImageNet-1k classes, before the softmax.
    ``feature_map`` is (1280, h, w), 7×7 at 224 px; its mean over h and w is ``pooled``.
    """

    pooled: FloatArray
    logits: FloatArray
    feature_map: FloatArray


@dataclass(frozen=True, slots=True)
class BackboneInput:
    """How the network wants its pixels: RGB, ``(value - mean) / scale``, NCHW, ``side_px`` square."""

    name: str = "images"
    side_px: int = 224
    mean: float = 127.0
    scale: float = 128.0


class FeatureExtractor:
    """Turns pictures into ``Features``.

    Args:
        session: three outputs in this order: feature map (n, d, h, w), pooled (n, d), logits (n, classes).
        model_id: of the manifest; features of different models must never be compared.
        model_input: the network's input, of the manifest.
        max_batch: pictures in one forward pass; more are split, which bounds the memory.
    """

    def __init__(
        self, session: Session, *, model_id: str, model_input: BackboneInput | None = None, max_batch: int = 16
    ) -> None:
        self.model_id = model_id
        self._session = session
        self._input = model_input or BackboneInput()
        self._max_batch = max_batch

    @property
    def provider(self) -> str:
        """Runtime, device and precision, for /health."""
        return self._session.provider

    def extract(self, images: Sequence[Image], *, side_px: int | None = None) -> list[Features]:
        """Features of each picture, in order.

        Args:
            images: BGR pictures of any size. Each is squeezed into a square, so that nothing of it is lost.
            side_px: side of the network's input; the manifest's when omitted. A multiple of 32.
        """
        side_px = side_px or self._input.side_px
        features: list[Features] = []
        for batch in _batched(images, size=self._max_batch):
            maps, pooled, logits = self._session.run({self._input.name: self._blob(batch, side_px=side_px)})
            features += [Features(*arrays) for arrays in zip(pooled, logits, maps, strict=True)]
        return features

    def warm_up(self) -> None:
        """One pass on a blank picture."""
        self.extract([np.zeros((self._input.side_px, self._input.side_px, 3), np.uint8)])

    def _blob(self, images: Sequence[Image], *, side_px: int) -> FloatArray:
        """(n, 3, side_px, side_px) float32 RGB, normalised."""
        squares = np.stack([resize(image, width=side_px, height=side_px) for image in images])
        blob = np.ascontiguousarray(squares[..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32)
        blob -= self._input.mean
        blob /= self._input.scale
        return blob


def resize(image: Image, *, width: int, height: int) -> Image:
    """The picture at that size: by area where it shrinks, which keeps fine texture from aliasing; else bilinear."""
    shrinks = image.shape[0] > height or image.shape[1] > width
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)


def mirror(image: Image) -> Image:
    """The picture flipped left to right."""
    return np.ascontiguousarray(image[:, ::-1])


def tile_boxes(*, width: int, height: int, rows: int, columns: int, overlap: float = 0.0) -> list[Box]:
    """Equal tiles that cover the picture, row by row.

    Args:
        overlap: share of a tile's side that its neighbour repeats, 0 to below 1.
    """
    tile_width = width / (columns - (columns - 1) * overlap)
    tile_height = height / (rows - (rows - 1) * overlap)
    step_x, step_y = tile_width * (1 - overlap), tile_height * (1 - overlap)
    return [
        Box(column * step_x, row * step_y, column * step_x + tile_width, row * step_y + tile_height)
        for row in range(rows)
        for column in range(columns)
    ]


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis."""
    exponentials: FloatArray = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: FloatArray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def _batched(items: Sequence[_Item], *, size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

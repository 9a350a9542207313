"""Whether copies of a picture are told from other pictures: recompressed, resized and cropped ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from app.types import FloatArray, Image
from evaluation.figures import Share

Embed = Callable[[Sequence[Image]], FloatArray]


def _recompressed(image: Image) -> Image:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _resized(image: Image) -> Image:
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)


def _cropped(image: Image, kept: float) -> Image:
    height, width = image.shape[:2]
    top, left = round(height * (1 - kept) / 2), round(width * (1 - kept) / 2)
    return np.ascontiguousarray(image[top : height - top, left : width - left])


COPIES: Mapping[str, Callable[[Image], Image]] = {
    "recompressed (JPEG 40)": _recompressed,
    "half the size": _resized,
    "cropped to 90 % of each side": lambda image: _cropped(image, 0.9),
    "cropped to 80 % of each side": lambda image: _cropped(image, 0.8),
}


def copies_told(images: Sequence[Image], embed: Embed, *, min_cosine: float) -> list[Share]:
    """How many copies of each kind are at or above ``min_cosine``, and how many pictures have another one there."""
    originals = embed(images)
    found = []
    for name, copy in COPIES.items():
        cosines = (originals * embed([copy(image) for image in images])).sum(axis=1)
        found.append(Share(f"near copy told: {name}", int((cosines >= min_cosine).sum()), len(images)))
    others = originals @ originals.T
    np.fill_diagonal(others, -1.0)
    found.append(
        Share("taken for a near copy: another picture", int((others.max(axis=1) >= min_cosine).sum()), len(images))
    )
    return found

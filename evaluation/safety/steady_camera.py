"""A picture as a steady camera shows it, frame by frame."""

from __future__ import annotations

import cv2
import numpy as np

from app.types import Image

_NOISE, _FLICKER, _QUALITY = 4.0, 0.03, 70


def held_still(picture: Image, rng: np.random.Generator, *, frames: int) -> list[Image]:
    """So many frames in which nothing happens."""
    return [taken_again(picture, number, rng) for number in range(frames)]


def taken_again(picture: Image, number: int, rng: np.random.Generator) -> Image:
    """Frame ``number``: with a sensor's noise, light that flickers by 3 %, and JPEG's losses."""
    lit = picture * (1 + _FLICKER * np.sin(1.7 * number)) + rng.normal(0, _NOISE, picture.shape)
    jpeg = cv2.imencode(".jpg", np.clip(lit, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), dtype=np.uint8)

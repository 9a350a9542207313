"""Masks, hands, dark glasses and caps drawn on aligned crops, where real ones are missing or few.

Drawn is not worn: figures on these say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.face_alignment import CROP_PX
from app.types import Image

_CLOTHS = (
    (200, 200, 200),
    (235, 225, 215),
    (210, 180, 120),
    (60, 60, 60),
    (180, 160, 220),
    (120, 90, 70),
    (30, 30, 30),
    (90, 120, 60),
)
_DARK_GLASS = (25, 25, 25)


def draw_mask(crop: Image, rng: Generator) -> Image:
    """Cloth from the bridge of the nose to the chin."""
    shape = np.array(
        [(18, 60), (40, 63), (56, 58), (72, 63), (94, 60), (92, 92), (74, 112), (56, 114), (38, 112), (20, 92)]
    )
    outline = shape + rng.normal(0, 2.5, shape.shape)
    return _laid_over(crop, _polygon(outline), _cloth(rng), rng)


def draw_hand(crop: Image, rng: Generator) -> Image:
    """Four fingers or the folds of a scarf over the mouth, in the colour of the skin or of cloth."""
    skin = crop[55:62, 40:72].reshape(-1, 3).mean(axis=0)
    x, y = 56 + rng.normal(0, 8), 96 + rng.normal(0, 5)
    area = np.zeros(crop.shape[:2], np.uint8)
    for finger in range(4):
        centre = (int(x - 30 + finger * 18), int(y))
        cv2.ellipse(area, centre, (10, 22), float(rng.normal(0, 15)), 0, 360, 1, -1)
    return _laid_over(crop, area, skin if rng.random() < 0.6 else _cloth(rng), rng)


def draw_glasses(crop: Image, rng: Generator) -> Image:
    """Dark glasses; a little of the eyes may shine through."""
    across, down = int(rng.uniform(13, 18)), int(rng.uniform(9, 14))
    area = np.zeros(crop.shape[:2], np.uint8)
    for eye_x in (38, 74):
        centre = (int(eye_x + rng.normal(0, 1.5)), int(53 + rng.normal(0, 2)))
        cv2.ellipse(area, centre, (across, down), 0, 0, 360, 1, -1)
    for start, end in (((44, 50), (68, 50)), ((0, 48), (26, 51)), ((86, 51), (111, 48))):
        cv2.line(area, start, end, 1, 2)
    return _laid_over(crop, area, np.array(_DARK_GLASS), rng, opacity=rng.uniform(0.8, 1.0))


def draw_cap(crop: Image, rng: Generator) -> Image:
    """A brim that comes down to the eyes."""
    brim = 47 + rng.normal(0, 4)
    outline = np.array([(0, 0), (CROP_PX - 1, 0), (CROP_PX - 1, brim - 6), (CROP_PX / 2, brim + 4), (0, brim - 6)])
    return _laid_over(crop, _polygon(outline), _cloth(rng), rng)


LOWER: Mapping[str, Callable[[Image, Generator], Image]] = {"drawn mask": draw_mask, "drawn hand": draw_hand}
EYES: Mapping[str, Callable[[Image, Generator], Image]] = {"drawn glasses": draw_glasses, "drawn cap": draw_cap}


def _polygon(outline: NDArray[np.floating]) -> Image:
    area = np.zeros((CROP_PX, CROP_PX), np.uint8)
    cv2.fillPoly(area, [outline.astype(np.int32)], 1)
    return area


def _cloth(rng: Generator) -> NDArray[np.floating]:
    return np.array(_CLOTHS[rng.integers(len(_CLOTHS))], np.float64)


def _laid_over(
    crop: Image, area: Image, colour: NDArray[np.floating], rng: Generator, *, opacity: float = 1.0
) -> Image:
    """The crop with an area in that colour, lit from above, with a weave and soft edges."""
    height, width = area.shape
    light = np.linspace(1.1, 0.75, height)[:, None, None]
    tinted = np.clip(colour + rng.normal(0, 12, 3), 0, 255)
    layer = np.clip(tinted * light + rng.normal(0, 4, (height, width, 1)), 0, 255)
    cover = cv2.GaussianBlur(area.astype(np.float32), (0, 0), 0.8)[..., None] * opacity
    covered: Image = (crop * (1 - cover) + layer * cover).astype(np.uint8)
    return covered

"""Flames cut out of photos and set into others: small ones, of which hardly any photo exists, and fires that begin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.types import FloatArray, Image

# Of the photo that is cut: smaller ones have too few pixels, larger ones are walls in the light of a fire.
_SHARES = (0.01, 0.35)
_MIN_SIDE_PX = 24
_MIN_FILLED = 0.25  # of its box: what fills less is an outline
# Means of what was cut out; a lit wall is paler, and embers are darker.
_MIN_RED_OVER_BLUE, _MIN_RED = 110, 200
_EDGE_PX = 4
_GLOW_BGR = (5.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class CutFlames:
    """``pixels``: (h, w, 3) uint8 BGR; ``alpha``: (h, w) float32, 0 to 1, how much of each pixel is flame."""

    pixels: Image
    alpha: FloatArray


def cut_flames(photo: Image) -> CutFlames | None:
    """The largest flame of a photo; None where nothing in it can be cut out well."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(_flame_mask(photo))
    if len(found) < 2:
        return None
    which = 1 + int(np.argmax(found[1:, cv2.CC_STAT_AREA]))
    x, y, width, height, area = (int(value) for value in found[which])
    frame_px = photo.shape[0] * photo.shape[1]
    too_small = min(width, height) < _MIN_SIDE_PX or area < _MIN_FILLED * width * height
    if too_small or not _SHARES[0] * frame_px < area < _SHARES[1] * frame_px:
        return None
    blue, _, red = photo[labels == which].astype(np.float32).mean(axis=0)
    if red - blue < _MIN_RED_OVER_BLUE or red < _MIN_RED:
        return None
    rows = slice(max(y - _EDGE_PX, 0), y + height + _EDGE_PX)
    columns = slice(max(x - _EDGE_PX, 0), x + width + _EDGE_PX)
    alpha = cv2.GaussianBlur((labels[rows, columns] == which).astype(np.float32), (0, 0), 1.5)
    return CutFlames(photo[rows, columns].copy(), alpha.astype(np.float32))


def set_in(
    scene: Image, flames: CutFlames, *, share: float, at: tuple[float, float], rng: np.random.Generator
) -> Image:
    """The scene with the flames in it, and some of their light around them.

    Args:
        share: of the scene's pixels that the flames cover, about.
        at: their middle, as shares of the free width and of the height.
        rng: mirrors, stretches and lights them, so that each time they are others.
    """
    height, width = scene.shape[:2]
    scale = float(np.sqrt(share * height * width / flames.alpha.sum()))
    tall, wide = rng.uniform(0.85, 1.15), rng.uniform(0.9, 1.1)
    size = (
        int(np.clip(flames.alpha.shape[1] * scale * wide, 3, 0.9 * width)),
        int(np.clip(flames.alpha.shape[0] * scale * tall, 3, 0.9 * height)),
    )
    pixels, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (flames.pixels, flames.alpha))
    if rng.random() < 0.5:
        pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
    left = int(at[0] * (width - size[0]))
    top = int(np.clip(at[1] * height - size[1] / 2, 0, height - size[1]))
    lit = scene + _glow(scene.shape[:2], (left + size[0] / 2, top + size[1] / 2), 1.5 * max(size)) * rng.uniform(0.3, 1)
    place = lit[top : top + size[1], left : left + size[0]]
    covers = np.clip(alpha * 1.15, 0, 1)[..., None]
    place[:] = place * (1 - covers) + pixels * covers * rng.uniform(0.9, 1.1)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _flame_mask(photo: Image) -> Image:
    """(h, w) 1 where a pixel has the colour of flames, or is white beside them."""
    blue, green, red = (channel.astype(np.float32) for channel in cv2.split(photo))
    brightest = np.maximum(np.maximum(red, green), blue)
    saturation = (brightest - np.minimum(np.minimum(red, green), blue)) / np.maximum(brightest, 1)
    coloured = (red > 150) & (red >= green) & (green > blue) & (saturation >= (255 - red) * 0.4 / 150 + 0.15)
    reach_px = max(3, int(0.015 * max(photo.shape[:2])) | 1)
    near = cv2.dilate(coloured.astype(np.uint8), np.ones((reach_px, reach_px), np.uint8)) > 0
    mask = (coloured | ((brightest > 235) & near)).astype(np.uint8)
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)).astype(np.uint8)


def _glow(size: tuple[int, int], middle: tuple[float, float], reach_px: float) -> FloatArray:
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    distance = ((columns - middle[0]) ** 2 + (rows - middle[1]) ** 2) / (2 * reach_px**2)
    return np.asarray(np.exp(-distance)[..., None] * np.array(_GLOW_BGR), np.float32)

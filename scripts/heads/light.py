"""Photos under another light: what a hotel's rooms show and collections of photos lack.

Lamps, lamp light, low sun and red cloth share their colours with fire. No photos of these without a fire could be had,
so they are made of the photos that there are. A label stays what it was: a fire beside a lamp is still a fire.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.types import FloatArray, Image

_DIM_SHARE = 0.4


def relight(image: Image, rng: np.random.Generator) -> Image:
    """The BGR photo in lamp light, with lamps in view, both, under a low sun, or behind coloured cloth; some dimmed."""
    lit = image.astype(np.float32)
    match int(rng.integers(5)):
        case 0:
            lit = _in_lamp_light(lit, rng)
        case 1:
            lit = _with_lamps(_in_lamp_light(lit, rng), rng)
        case 2:
            lit = _with_lamps(lit, rng)
        case 3:
            lit = _under_low_sun(lit, rng)
        case _:
            lit = _behind_cloth(lit, rng)
    if rng.random() < _DIM_SHARE:
        lit = lit * np.float32(rng.uniform(0.35, 0.8))
    return np.clip(lit, 0, 255).astype(np.uint8)


def _in_lamp_light(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    gains = [rng.uniform(0.35, 0.75), rng.uniform(0.7, 0.95), rng.uniform(1.0, 1.2)]
    warm: FloatArray = lit * np.array(gains, np.float32)
    return warm


def _with_lamps(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One to three glowing discs in the upper part, each fading into a halo."""
    height, width = lit.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(1, 4))):
        centre_x, centre_y = rng.uniform(0, width), rng.uniform(0, height * 0.7)
        radius = rng.uniform(0.02, 0.07) * max(height, width)
        away = np.hypot(x - centre_x, (y - centre_y) * rng.uniform(0.7, 1.4)) / radius
        glow = 0.9 * np.exp(-np.maximum(away - 1, 0) * rng.uniform(0.5, 1.2))[..., None].astype(np.float32)
        colour = np.array([rng.uniform(90, 250), rng.uniform(190, 255), 255], np.float32)
        lit = lit * (1 - glow) + colour * glow
    return lit


def _under_low_sun(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Behind a haze from any evening's blue or violet above to orange below."""
    high = np.array([rng.uniform(60, 190), rng.uniform(60, 140), rng.uniform(60, 190)], np.float32)
    low = np.array([rng.uniform(20, 110), rng.uniform(110, 190), rng.uniform(220, 255)], np.float32)
    down = np.linspace(0, 1, lit.shape[0], dtype=np.float32)[:, None, None]
    share = np.float32(rng.uniform(0.35, 0.65))
    hazy = lit * (1 - share) + (high * (1 - down) + low * down) * share
    return hazy.astype(np.float32)


def _behind_cloth(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A part of the picture in one saturated colour, mostly red, with its own light and texture."""
    height, width = lit.shape[:2]
    tinted = cv2.cvtColor(np.clip(lit, 0, 255).astype(np.uint8), cv2.COLOR_BGR2HSV)
    tinted[..., 0] = int(rng.choice([rng.uniform(0, 14), rng.uniform(165, 179), rng.uniform(0, 179)]))
    tinted[..., 1] = int(rng.uniform(150, 240))
    corners = np.array([[rng.uniform(-0.2, 1.2) * width, rng.uniform(-0.2, 1.2) * height] for _ in range(4)])
    cloth = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(cloth, cv2.convexHull(corners.astype(np.int32)), 1)
    coloured = cv2.cvtColor(tinted, cv2.COLOR_HSV2BGR).astype(np.float32)
    return np.where(cloth[..., None] > 0, coloured, lit)

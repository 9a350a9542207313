"""What phones, light and hands do to a page."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def photographed(image: Picture, seed: int) -> Picture:
    """A careful photo: on a table, slightly turned, good light, light JPEG."""
    rng = random.Random(seed)
    placed = _on_table(image, rng, turn_deg=1.5, warp=0.01)
    return _jpeg(_noisy(placed, rng, sigma=2.0), 90)


def degraded(image: Picture, seed: int) -> Picture:
    """A careless photo: turned, in perspective, smaller, blurred, unevenly lit, noisy, strongly compressed."""
    rng = random.Random(seed)
    placed = _on_table(image, rng, turn_deg=4.0, warp=0.03)
    scale = rng.uniform(0.75, 0.95)
    small = cv2.resize(placed, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.6, 1.0))
    lit = _unevenly_lit(blurred.astype(np.float32), rng)
    return _jpeg(_noisy(lit, rng, sigma=rng.uniform(4, 8)), rng.randint(45, 65))


def on_screen(image: Picture, seed: int) -> Picture:
    """A phone's photo of a screen: its dots beat against the camera's, its light falls off to a side."""
    rng = random.Random(seed)
    large = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    dots = np.full(large.shape, 0.72, np.float32)
    for channel in range(3):
        dots[:, 2 - channel :: 3, channel] = 1.0
    dots[::3] *= 0.85
    placed = _on_table(np.asarray(large * dots, np.uint8), rng, turn_deg=3.0, warp=0.02)
    scale = rng.uniform(0.5, 0.6)
    # Every camera has dots of its own: what lies between them is lost, and stripes appear.
    taken = cv2.resize(placed, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    lit = _unevenly_lit(cv2.GaussianBlur(taken, (0, 0), 0.6).astype(np.float32), rng)
    return _jpeg(_noisy(lit, rng, sigma=3.0), 80)


def _on_table(image: Picture, rng: random.Random, *, turn_deg: float, warp: float) -> Picture:
    height, width = image.shape[:2]
    margin = int(0.06 * max(height, width))
    shade = [rng.randint(60, 150) for _ in range(3)]
    page = np.full((height + 2 * margin, width + 2 * margin, 3), shade, np.uint8)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    jitter = np.array(
        [[rng.uniform(-warp, warp) * width, rng.uniform(-warp, warp) * height] for _ in range(4)], np.float32
    )
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-turn_deg, turn_deg), 1.0)
    target = cv2.transform((corners + jitter)[None], turn)[0].astype(np.float32) + margin
    transform = cv2.getPerspectiveTransform(corners, target)
    size = (page.shape[1], page.shape[0])
    warped = cv2.warpPerspective(image, transform, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT)
    mask = cv2.warpPerspective(np.full(image.shape[:2], 255, np.uint8), transform, size)
    return np.where(mask[:, :, None] > 127, warped, page).astype(np.uint8)


def _unevenly_lit(image: NDArray[np.float32], rng: random.Random) -> Picture:
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 6.28)
    slope = (xs / width - 0.5) * np.cos(angle) + (ys / height - 0.5) * np.sin(angle)
    lit: NDArray[np.uint8] = np.clip(image * (0.85 + 0.35 * slope)[:, :, None], 0, 255).astype(np.uint8)
    return lit


def _noisy(image: Picture, rng: random.Random, *, sigma: float) -> Picture:
    noise = np.random.default_rng(rng.randint(0, 2**31)).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _jpeg(image: Picture, quality: int) -> Picture:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

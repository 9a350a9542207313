"""Frames under the light that cameras have and photos lack: over-exposed, at night, infrared, hazy, by warm lamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from app.types import FloatArray, Image


def under_camera_light(image: Image, rng: np.random.Generator) -> Image:
    """The BGR picture under one of those lights. A label stays what it was."""
    light = _LIGHTS[list(_LIGHTS)[int(rng.integers(len(_LIGHTS)))]]
    return np.clip(light(image.astype(np.float32), rng), 0, 255).astype(np.uint8)


def _over_exposed(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    bright = lit * rng.uniform(1.5, 2.4) + rng.uniform(0, 40)
    blooming = cv2.GaussianBlur(np.clip(bright - 255, 0, None), (0, 0), 9)
    return np.asarray(bright + 0.8 * blooming, np.float32)


def _at_night(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    dark = 255 * (lit / 255) ** rng.uniform(1.8, 2.8)
    return np.asarray(dark + rng.normal(0, 7, lit.shape), np.float32)


def _infrared(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Grey, lit from the camera, with grain."""
    height, width = lit.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    away = ((columns - width / 2) / (0.6 * width)) ** 2 + ((rows - height / 2) / (0.6 * height)) ** 2
    grey = cv2.cvtColor(lit, cv2.COLOR_BGR2GRAY) * (0.5 + 0.8 * np.exp(-away))
    return np.asarray((grey + rng.normal(0, 6, grey.shape))[..., None].repeat(3, axis=2), np.float32)


def _hazy(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Less of it than smoke makes."""
    share = rng.uniform(0.15, 0.35)
    return np.asarray(lit * (1 - share) + share * rng.uniform(170, 220), np.float32)


def _by_warm_lamps(lit: FloatArray, rng: np.random.Generator) -> FloatArray:
    return np.asarray(lit * np.array([0.55, 0.85, 1.15]) * rng.uniform(0.9, 1.2), np.float32)


_LIGHTS: Mapping[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "over-exposed": _over_exposed,
    "night": _at_night,
    "infrared": _infrared,
    "haze": _hazy,
    "warm": _by_warm_lamps,
}

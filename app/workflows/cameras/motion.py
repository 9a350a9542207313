"""Does a frame differ from what the camera usually shows? Cheap enough for every frame."""

from __future__ import annotations

import cv2
import numpy as np

from app.types import FloatArray, Image
from app.utils.image_processing import blurred_small

# A background that follows at 5 % a frame forgets a parked trolley in some 30 s at 2 fps.
_FOLLOW = 0.05


class MotionDetector:
    """Compares each frame with a background that slowly follows the scene.

    Args:
        min_difference: levels (of 255) by which a pixel has to differ in some colour, above a cheap sensor's noise.
        min_fraction: the part of the picture that has to differ.
    """

    def __init__(self, *, min_difference: float = 18.0, min_fraction: float = 0.004) -> None:
        self._min_difference = min_difference
        self._min_fraction = min_fraction
        self._background: FloatArray | None = None

    def sees_motion(self, image: Image) -> bool:
        """Whether the picture moved. The first frame, and the first after a change of its shape, always did."""
        small = blurred_small(image)
        background = self._background
        if background is None or background.shape != small.shape:
            self._background = small
            return True
        # The light as a whole may change with the sun or an exposure step; that is no motion.
        difference = small - background
        difference -= np.median(difference, axis=(0, 1))
        changed = np.abs(difference).max(axis=2) > self._min_difference
        cv2.accumulateWeighted(small, background, _FOLLOW)
        return bool(changed.mean() >= self._min_fraction)

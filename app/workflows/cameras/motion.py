"""Does a frame differ from what the camera usually shows? Cheap enough for every frame."""

from __future__ import annotations

import cv2
import numpy as np

from app.core.types import FloatArray, Image

_WIDTH_PX = 160
# A background that follows at 5 % a frame forgets a parked trolley in some 30 s at 2 fps.
_FOLLOW = 0.05


class MotionDetector:
    """Compares each frame with a background that slowly follows the scene.

    Args:
        min_difference: grey levels (of 255) by which a pixel has to differ, above the noise of a cheap sensor.
        min_fraction: the part of the picture that has to differ.
    """

    def __init__(self, *, min_difference: float = 18.0, min_fraction: float = 0.004) -> None:
        self._min_difference = min_difference
        self._min_fraction = min_fraction
        self._background: FloatArray | None = None

    def sees_motion(self, image: Image) -> bool:
        """Whether the picture moved. The first frame, and the first after a change of its shape, always did."""
        grey = _small_grey(image)
        background = self._background
        if background is None or background.shape != grey.shape:
            self._background = grey
            return True
        # The light as a whole may change with the sun or an exposure step; that is no motion.
        shift = float(np.median(grey - background))
        changed = np.abs(grey - background - shift) > self._min_difference
        cv2.accumulateWeighted(grey, background, _FOLLOW)
        return bool(changed.mean() >= self._min_fraction)


def _small_grey(image: Image) -> FloatArray:
    height = max(1, round(image.shape[0] * _WIDTH_PX / image.shape[1]))
    small = cv2.resize(image, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (5, 5), 0).astype(np.float32)

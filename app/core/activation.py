"""Where in the picture a head's evidence lies: boxes from class-activation maps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Box, FloatArray


def hot_region(heat: FloatArray, *, width: int, height: int, min_share_of_peak: float) -> Box | None:
    """The rectangle around the part of a heat map that is connected to its peak.

    Args:
        heat: (h, w) over the whole picture; only positive values speak for something.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        min_share_of_peak: a position belongs to the part if it reaches this share of the peak, 0 to 1.

    Returns:
        A box in pixels of the picture; None where nothing is positive.
    """
    peak = float(heat.max())
    if peak <= 0:
        return None
    rows, columns = heat.shape
    ys, xs = np.nonzero(_connected_to_peak(heat, heat >= peak * min_share_of_peak))
    return Box(
        float(xs.min()) / columns * width,
        float(ys.min()) / rows * height,
        float(xs.max() + 1) / columns * width,
        float(ys.max() + 1) / rows * height,
    )


def _connected_to_peak(heat: FloatArray, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of the mask that touches the peak, by edges and corners."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    part: NDArray[np.bool_] = labels == labels[np.unravel_index(int(heat.argmax()), heat.shape)]
    return part

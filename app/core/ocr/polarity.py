"""Whether a page is printed in light letters on a dark ground, as screens in dark mode are.

Readers know print: of light letters they lose accents and thin marks.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.types import Image

_MOST = 0.6
"""Of the page's lines, by their length: a few dark bars make no dark page."""

_DARK = 0.4
"""Where between the darkest and the lightest of a line its ground lies, at most. Letters cover less than half of a
line, so the ground is the median."""

_MIN_CONTRAST = 30.0


def is_light_on_dark(crops: Sequence[Image]) -> bool:
    """Whether most of the text, by length, is lighter than its ground.

    Args:
        crops: (h, w, 3) uint8 BGR of one line each.
    """
    light = sum(crop.shape[1] for crop in crops if _is_light(crop))
    return bool(light > _MOST * sum(crop.shape[1] for crop in crops))


def _is_light(crop: Image) -> bool:
    darkest, ground, lightest = map(float, np.percentile(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), [3, 50, 97]))
    contrast = lightest - darkest
    return bool(contrast >= _MIN_CONTRAST and ground - darkest < _DARK * contrast)

"""The tiles of one camera's frames: most look as they did half a second ago, and need no second look.

Somebody who walks through a hall changes a few tiles of twenty. A tile keeps its features while it looks as it did when
they were taken, for ten seconds at most, which is how often a frame without any motion is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.core.features import Features
from app.types import Box, FloatArray, Image
from app.utils.image_processing import blurred_small

KEEP_S = 10.0
# Of a small blurred picture, in which a sensor's noise of 10 levels is 1 or 2. One in 500 of a tile's pixels is a spot
# of 7 x 7 to the network.
_LEVELS, _SHARE = 12.0, 0.002
_MEAN_LEVELS = 3.0  # haze changes all a little


@dataclass(frozen=True, slots=True)
class _SeenTile:
    """A tile as it looked when its features were taken."""

    look: FloatArray
    features: Features
    at_s: float


class TileMemory:
    """Remembers what the backbone said of tiles.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Box, _SeenTile] = {}

    def extract(
        self, image: Image, boxes: Sequence[Box], extract: Callable[[Sequence[Box]], Sequence[Features]]
    ) -> list[Features]:
        """Features of the tiles of a BGR picture, in order, without their feature maps.

        Args:
            boxes: in pixels of the picture.
            extract: takes the features of those that changed.
        """
        known, now_s = self._known, self._clock()  # as it is now: a look that came too late may still be running
        looks = _looks(image, boxes)
        changed = [box for box in boxes if not _is_known(known.get(box), looks[box], now_s)]
        taken = dict(zip(changed, extract(changed) if changed else [], strict=True))
        fresh = {box: _SeenTile(looks[box], _without_map(one), now_s) for box, one in taken.items()}
        self._known = latest = {box: fresh.get(box) or known[box] for box in boxes}
        return [latest[box].features for box in boxes]

    def forget(self, boxes: Iterable[Box]) -> None:
        """Look at these anew next time, changed or not."""
        unwanted = set(boxes)
        self._known = {box: one for box, one in self._known.items() if box not in unwanted}


def _looks(image: Image, boxes: Sequence[Box]) -> dict[Box, FloatArray]:
    """Each tile, small."""
    small = blurred_small(image)
    rows, columns = small.shape[0] / image.shape[0], small.shape[1] / image.shape[1]
    return {
        box: small[int(box.y1 * rows) : int(box.y2 * rows) + 1, int(box.x1 * columns) : int(box.x2 * columns) + 1]
        for box in boxes
    }


def _is_known(known: _SeenTile | None, look: FloatArray, now_s: float) -> bool:
    if known is None or now_s - known.at_s >= KEEP_S or known.look.shape != look.shape:
        return False
    difference = cv2.absdiff(known.look, look)
    return bool(difference.mean() <= _MEAN_LEVELS and (difference.max(axis=2) > _LEVELS).mean() < _SHARE)


def _without_map(features: Features) -> Features:
    """In memory of its own: rows of a batch keep all of it."""
    empty = np.empty((0, 0, 0), np.float32)
    return replace(features, pooled=features.pooled.copy(), logits=features.logits.copy(), feature_map=empty)

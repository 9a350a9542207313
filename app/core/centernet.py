"""A reader for CenterNet networks: things are the peaks of a map of their middles.

The network answers with a map of probabilities for each class and, at each position, how far the box reaches to its
four sides. Pictures keep their proportions, with grey around them: squeezed into the square, as for its training, 17 of
218 frames fewer showed their people at the same rate of false ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.core.object_detection import Candidates, SquareDetector
from app.types import FloatArray

_CELL_PX = 4
_MAX_PEAKS = 100
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class CenterNetDetector(SquareDetector):
    """One CenterNet file: two outputs, probabilities (n, classes, h, w), and (n, 4, h, w) how far the box reaches to
    the left, the top, the right and the bottom, in pixels of the square.

    Of ``labels``, which name the first classes, an empty one drops its class, as do the classes behind.
    """

    def _candidates(self, blob: FloatArray) -> Candidates:
        heat, reach = self._session.run({self._input_name: blob})
        wanted = [number for number, label in enumerate(self._labels) if label]
        return peaks(heat[0], reach[0], classes=wanted, min_score=self._min_score)


def peaks(heat: FloatArray, reach: FloatArray, *, classes: Sequence[int], min_score: float) -> Candidates:
    """The highest positions of the map, surest first, with their boxes in pixels of the square.

    Args:
        heat: (classes, h, w) probabilities.
        reach: (4, h, w) from the middle to the left, the top, the right and the bottom.
        classes: the rows of ``heat`` that are looked at.
    """
    maps = heat[np.asarray(classes, np.intp)]
    highest = np.stack([cv2.dilate(one, _NEIGHBOURS) for one in maps])
    kinds, rows, columns = np.nonzero((maps >= min_score) & (maps == highest))
    scores = maps[kinds, rows, columns]
    order = np.argsort(-scores, kind="stable")[:_MAX_PEAKS]
    kinds, rows, columns, scores = kinds[order], rows[order], columns[order], scores[order]
    left, top, right, bottom = reach[:, rows, columns]
    x, y = columns * _CELL_PX, rows * _CELL_PX
    boxes = np.stack([x - left, y - top, x + right, y + bottom], axis=1).astype(np.float32)
    return Candidates(boxes, scores.astype(np.float32), np.asarray(classes, np.intp)[kinds])

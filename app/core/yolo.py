"""One reader for every YOLOv8 network: letterbox, decode, non-maximum suppression.

The head's layout is that of the exported files: (n, 4 + classes, candidates), each candidate a centre-based box in
letterboxed pixels followed by one probability per class.
"""

from __future__ import annotations

import numpy as np

from app.core.object_detection import Candidates, SquareDetector
from app.types import FloatArray

_MAX_CANDIDATES = 1000  # before suppression; bounds the pairwise overlaps on a frame full of noise


class YoloDetector(SquareDetector):
    """One YOLOv8 file: one output, (1, 4 + len(labels), candidates).

    Classes that share a label compete with each other: a standing and a fallen person are one ``person``. An empty
    label drops its class.
    """

    def _candidates(self, blob: FloatArray) -> Candidates:
        [output] = self._session.run({self._input_name: blob / np.float32(255.0)})
        return self._label(decode(output[0], min_score=self._min_score))

    def _label(self, candidates: Candidates) -> Candidates:
        """Those that somebody asked for, each as the first class of its label."""
        first = np.array([self._labels.index(label) if label else -1 for label in self._labels], np.intp)
        classes = first[candidates.classes]
        wanted = np.flatnonzero(classes >= 0)
        return Candidates(candidates.boxes[wanted], candidates.scores[wanted], classes[wanted])


def decode(output: FloatArray, *, min_score: float) -> Candidates:
    """The candidates that reach ``min_score``, surest first.

    Args:
        output: (4 + classes, n): centre x, centre y, width, height in pixels of the square, then probabilities.
    """
    probabilities = output[4:]
    classes = probabilities.argmax(axis=0)
    scores = probabilities.max(axis=0)
    rows = np.flatnonzero(scores >= min_score)
    rows = rows[np.argsort(-scores[rows], kind="stable")][:_MAX_CANDIDATES]
    centre_x, centre_y, width, height = output[:4, rows]
    corners = [centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2]
    return Candidates(np.stack(corners, axis=1).astype(np.float32), scores[rows], classes[rows])

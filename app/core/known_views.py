"""Is this like anything that was learnt from? By the distance of a picture's features to those of known pictures.

A head answers whatever it is shown, surely too. What is far from every photo that taught it, it cannot know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.features import Features
from app.core.heads import unit
from app.types import FloatArray

NEAREST = 5


@dataclass(frozen=True, slots=True)
class KnownViews:
    """Some of the pictures that taught.

    Attributes:
        rows: (n, d) their features, of unit length.
        farthest: the distance up to which a picture is like them; ``distances`` says of what.
    """

    rows: FloatArray
    farthest: float

    def have(self, views: Sequence[Features]) -> bool:
        """Whether one of the views of a picture is like them."""
        rows = unit(np.stack([view.pooled for view in views]))
        return bool(self.distances(rows).min() <= self.farthest)

    def distances(self, rows: FloatArray) -> FloatArray:
        """(m,) of (m, d) rows of unit length: one less the mean cosine to the ``NEAREST`` known ones."""
        nearest: FloatArray = np.sort(rows @ self.rows.T, axis=1)[:, -NEAREST:]
        distances: FloatArray = 1 - nearest.mean(axis=1)
        return distances

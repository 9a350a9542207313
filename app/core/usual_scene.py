"""What a camera always sees: places that look like a hazard and always have, so that only a change is news.

A head's score is a sum over a view's features of unit length. What a place says on an ordinary day can therefore be
taken off its score, as far as the place still looks as it does then. Where it looks otherwise nothing is, nor
where it never looked like a hazard. So a fire is found as ever in a harmless scene, and beside a lantern too.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from app.core.heads import LinearHead, unit
from app.types import FloatArray

# How alike a place has to look, as the cosine of its features: from UNLIKE on a part of what it usually says is taken
# off, from ALIKE on all of it. Of 75 scenes shaken, darker, brighter and noisier, half of the views stay above 0.92 and
# 95 % above 0.81; with flames pasted over a tenth of a view and more, half fall below 0.72.
_UNLIKE, _ALIKE = 0.85, 0.95
# Two looks of one place that are this much alike are one.
SAME_LOOK = 0.9
_LEVELS = 127.0


@dataclass(frozen=True, slots=True)
class UsualPlace:
    """A view of a camera's frame, by its number among the views, and how it usually looks.

    Attributes:
        row: (d,) float32 features of unit length.
        types: the hazards that it is taken for by mistake; None where it is usual for all of them.
    """

    view: int
    row: FloatArray
    types: frozenset[str] | None = None


class UsualScene:
    """The usual places of one camera."""

    def __init__(self, places: Sequence[UsualPlace]) -> None:
        self._places = list(places)
        self._rows = np.stack([place.row for place in places]) if places else np.zeros((0, 1), np.float32)

    def excess(self, head: LinearHead, rows: FloatArray, *, wholes: int, types: Set[str], neutral: float) -> FloatArray:
        """(n,) what each view says for a hazard on an ordinary day, beyond a harmless view.

        Args:
            rows: (n, d) the frame's views, of unit length, of which the first ``wholes`` are whole.
            types: the hazards that the head answers for.
            neutral: the head's score of a harmless view.
        """
        found = np.zeros(len(rows), np.float32)
        kept = [at for at, place in enumerate(self._places) if place.types is None or place.types & types]
        if not kept:
            return found
        usual, views = self._rows[kept], np.array([self._places[at].view for at in kept])
        alike = np.einsum("nd,nd->n", usual, rows[views])
        share = np.clip((alike - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0, 1.0)
        said = np.maximum(head.row_scores(usual, is_whole=views < wholes) - neutral, 0.0)
        np.maximum.at(found, views, (share * said).astype(np.float32))
        return found


def pack_row(row: FloatArray) -> bytes:
    """(d,) features in a byte each; their length is lost."""
    return np.round(row / max(float(np.abs(row).max()), 1e-12) * _LEVELS).astype(np.int8).tobytes()


def unpack_row(packed: bytes) -> FloatArray:
    """(d,) float32 of unit length."""
    row: FloatArray = unit(np.frombuffer(packed, np.int8).astype(np.float32)[None])[0]
    return row

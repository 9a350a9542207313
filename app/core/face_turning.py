"""A second look at pictures in which no face was found: cameras and phones leave some lying on their side, untold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.types import Box, Face, Image

# A turned picture of anything is three new chances for a false alarm, so more is asked of a face there. A cup upside
# down reaches 0.981; of 46 faces of LFW on their side, the least sure has 0.988.
_MIN_TURNED_SCORE = 0.985


@dataclass(frozen=True, slots=True)
class FaceLook:
    """A picture as faces were found in it.

    Attributes:
        image: turned by ``quarter_turns`` counter-clockwise against the one that was sent.
        faces: in px of ``image``.
    """

    image: Image
    faces: Sequence[Face]
    quarter_turns: int

    def as_sent(self, face: Face) -> Face:
        """The face with its box in the picture as it was sent, and inside of it. The landmarks stay in ``image``."""
        height, width = self.image.shape[:2]
        inside = face.box.clip(width, height)
        return replace(face, box=_turned_back(inside, self.quarter_turns, width, height))


def look_for_faces(image: Image, detect: Callable[[Image], Sequence[Face]]) -> FaceLook:
    """Faces of the picture as it is or, where there are none, of the turned view with the surest one.

    All three views are looked at: detectors find upside-down faces too, a little less surely and with landmarks that
    are not theirs.
    """
    faces = detect(image)
    if faces:
        return FaceLook(image, faces, 0)
    best, best_score = FaceLook(image, (), 0), _MIN_TURNED_SCORE
    for quarter_turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, quarter_turns))
        found = detect(turned)
        score = max((face.score for face in found), default=0.0)
        if score >= best_score:
            best, best_score = FaceLook(turned, found, quarter_turns), score
    return best


def _turned_back(box: Box, quarter_turns: int, width: int, height: int) -> Box:
    """A box of a turned view, ``width`` by ``height``, where it was before the turn."""
    if quarter_turns == 1:
        return Box(height - box.y2, box.x1, height - box.y1, box.x2)
    if quarter_turns == 2:
        return Box(width - box.x2, height - box.y2, width - box.x1, height - box.y1)
    if quarter_turns == 3:
        return Box(box.y1, width - box.x2, box.y2, width - box.x1)
    return box

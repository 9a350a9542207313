"""The colours of a picture's subject, as a vector that pictures and colour words share.

A histogram over a fixed palette of CIE Lab colours, softly assigned so that neighbouring shades overlap. What looks
like the plain background that the border shows counts little, so a red bag on a white table is red.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.types import FloatArray, Image

_SIDE_PX = 64
_GRID_STEPS = 9  # per sRGB channel, of the colours that the palette is chosen from
_PLAIN_SPREAD = 15.0  # Lab units: a border that varies more is no plain background
_BACKGROUND_WIDTH = 15.0  # Lab units within which a pixel still passes for background
_CENTRE_WIDTH = 0.6  # standard deviation of the central weight, in halves of the picture
_MIN_SUBJECT_SHARE = 0.03  # below this the "background" is the subject: a plain cloth, a wall


class ColourSpace:
    """Colour vectors of one palette.

    Args:
        size: colours in the palette, which is the vectors' dimension.
        softness: standard deviation of the assignment, in Lab units.
        power: of the histogram; below 1 it lifts the small shares, as in a Hellinger kernel (0.5).
    """

    def __init__(self, size: int, *, softness: float, power: float) -> None:
        self.size = size
        self._palette = _spread_palette(size)
        self._softness = softness
        self._power = power

    def vectors(self, images: Sequence[Image]) -> FloatArray:
        """(n, size) float32 of unit norm, no entry negative."""
        return np.stack([self._unit(self._histogram(*_subject(image))) for image in images])

    def direction(self, samples: Sequence[str]) -> FloatArray:
        """Where pictures of a named colour lie, against the average of all colours: (size,) of unit norm.

        Args:
            samples: shades of it, such as ``#ff8000``.
        """
        rgb = np.array([[int(sample[start : start + 2], 16) for start in (1, 3, 5)] for sample in samples], np.float32)
        named = self._unit(self._histogram(_to_lab(rgb[None, :, ::-1] / 255.0), np.ones((1, len(samples)), np.float32)))
        average = self._unit(np.full(self.size, 1.0 / self.size, np.float32))
        return self._unit_signed(named - average)

    def _histogram(self, lab: FloatArray, weights: FloatArray) -> FloatArray:
        squared = np.square(lab.reshape(-1, 1, 3) - self._palette).sum(axis=-1)
        shares = np.exp(-squared / (2 * self._softness**2)) + np.float32(1e-12)
        shares /= shares.sum(axis=1, keepdims=True)
        histogram: FloatArray = weights.reshape(-1) @ shares
        histogram /= histogram.sum()
        return histogram

    def _unit(self, histogram: FloatArray) -> FloatArray:
        return self._unit_signed(histogram**self._power)

    @staticmethod
    def _unit_signed(vector: FloatArray) -> FloatArray:
        unit: FloatArray = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit


def _subject(image: Image) -> tuple[FloatArray, FloatArray]:
    """The picture in Lab at thumbnail size, (h, w, 3), and how much each pixel belongs to the subject, (h, w)."""
    height, width = image.shape[:2]
    factor = _SIDE_PX / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lab = _to_lab(small.astype(np.float32) / 255.0)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    background = np.median(border, axis=0)
    rows, columns = np.linspace(-1, 1, size[1]), np.linspace(-1, 1, size[0])
    central = np.exp(-(rows[:, None] ** 2 + columns[None] ** 2) / (2 * _CENTRE_WIDTH**2))
    if np.median(np.linalg.norm(border - background, axis=1)) >= _PLAIN_SPREAD:
        return lab, central.astype(np.float32)
    distance = np.linalg.norm(lab - background, axis=2)
    subject = 1.0 - np.exp(-np.square(distance / _BACKGROUND_WIDTH))
    if subject.mean() < _MIN_SUBJECT_SHARE:
        return lab, central.astype(np.float32)
    return lab, (subject * central).astype(np.float32)


def _to_lab(bgr: FloatArray) -> FloatArray:
    """CIE Lab of (h, w, 3) BGR between 0 and 1."""
    return cv2.cvtColor(bgr.astype(np.float32), cv2.COLOR_BGR2LAB).astype(np.float32, copy=False)


def _spread_palette(size: int) -> FloatArray:
    """(size, 3) Lab colours as far from each other as they can be: each next one is the farthest from all before."""
    steps = np.linspace(0.0, 1.0, _GRID_STEPS, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    candidates = _to_lab(grid)[0]
    palette = [np.zeros(3, np.float32)]
    distance = np.linalg.norm(candidates - palette[0], axis=1)
    for _ in range(size - 1):
        farthest = int(distance.argmax())
        palette.append(candidates[farthest])
        distance = np.minimum(distance, np.linalg.norm(candidates - candidates[farthest], axis=1))
    return np.stack(palette)

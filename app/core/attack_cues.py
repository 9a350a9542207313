"""A second opinion on liveness: a small head over what betrays a picture of a picture.

The head sees the network's answers, what its inner layers saw of the wide crop and of the face alone, and cues of its
own: the spectrum of the face (screens and prints repeat themselves), colours, and where it is in focus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.face_measures import face_tones, sharpness
from app.core.heads import LinearHead
from app.core.liveness import LivenessView, surroundings
from app.types import Box, FloatArray, Image

LOOK = "frame"
"""The way of looking that the head is calibrated for."""

CLOSE = 1.3
"""Context of the second look, in sides of the face: the face fills the network's picture, and its texture shows."""
_SPECTRUM_SIDES = (128, 256)
_RINGS, _HIGH_RINGS = 12, 4
_LEVELS = np.arange(256, dtype=np.float64)


class AttackHead:
    """The second opinion.

    Args:
        close: the first network once more, with the context ``CLOSE``.
        head: on ``attack_cues``; its probability is that of an attack. From its alert threshold on a picture is called
            one.
    """

    def __init__(self, close: LivenessView, head: LinearHead) -> None:
        self._close = close
        self._head = head
        self.attack_score = 1.0 - (head.threshold if head.alert_threshold is None else head.alert_threshold)

    def scores(
        self, image: Image, boxes: Sequence[Box], *, answers: Sequence[FloatArray], first: Sequence[float]
    ) -> list[float]:
        """Public scores of live faces; see ``SecondOpinion``."""
        cues = attack_cues(self._close, image, boxes, answers=answers, first=first)
        calibration = self._head.calibrations[LOOK]
        return [1.0 - calibration.probability(float(score)) for score in cues @ self._head.weights + self._head.bias]


def attack_cues(
    close: LivenessView, image: Image, boxes: Sequence[Box], *, answers: Sequence[FloatArray], first: Sequence[float]
) -> FloatArray:
    """(n, d) float32, in the order of ``cue_blocks``.

    Args:
        close: the liveness network's second look.
        answers: of its first: logits (n, classes) and inner features (n, inner).
        first: its public scores.
    """
    logits, inner = answers
    _, inner_close = close.look(image, boxes)
    rows = [
        np.concatenate([verdict - verdict.mean(), [_log_odds(score)], seen, seen_close, *_own_cues(image, box)])
        for box, verdict, score, seen, seen_close in zip(boxes, logits, first, inner, inner_close, strict=True)
    ]
    return np.stack(rows).astype(np.float32)


def cue_blocks(cues: int) -> dict[str, int]:
    """The parts of so many ``attack_cues`` with their lengths, in order."""
    spectrum = len(_SPECTRUM_SIDES) * (_RINGS + _HIGH_RINGS)
    blocks = {"logits": 3, "score": 1, "inner": 0, "close": 0, "spectrum": spectrum, "colours": 48, "focus": 8}
    inner = (cues - sum(blocks.values())) // 2
    return blocks | {"inner": inner, "close": inner}


def _own_cues(image: Image, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    return spectrum(image, box), colours(image, box), focus(image, box)


def spectrum(image: Image, box: Box) -> NDArray[np.float64]:
    """Energy by spatial frequency beside its mean, and how far the highest peak stands out, at two sizes."""
    height, width = image.shape[:2]
    half = max(int(box.height * 0.5), 1)
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    top, left = min(max(int(y - half), 0), height - 1), min(max(int(x - half), 0), width - 1)
    face = image[top : max(int(y + half), top + 1), left : max(int(x + half), left + 1)]
    return np.concatenate([_spectrum_at(face, side) for side in _SPECTRUM_SIDES])


def _spectrum_at(face: Image, side: int) -> NDArray[np.float64]:
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    tones = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    waves = np.fft.rfft2((tones - tones.mean()) * _window(side)).ravel()
    power = waves.real**2 + waves.imag**2
    high_rings = _rings_of(side, side // 8, _HIGH_RINGS)
    profile = np.log(_rings_of(side, 1, _RINGS).mean(power) + 1)
    peak = high_rings.highest(power) / (high_rings.mean(power) + 1e-6)
    cues: NDArray[np.float64] = np.concatenate([profile - profile.mean(), np.log(peak + 1)])
    return cues


@cache
def _window(side: int) -> NDArray[np.float64]:
    """Fades a picture of that side out towards its edges, whose ends would look like waves."""
    fading = np.hanning(side)
    return np.outer(fading, fading)


@dataclass(frozen=True, slots=True)
class _Rings:
    """Which values of a spectrum lie between each two radii.

    Attributes:
        positions: of the values as they lie in the spectrum, ring after ring; ``starts`` says where each begins.
        count: of each ring's values.
    """

    positions: NDArray[np.intp]
    starts: NDArray[np.intp]
    count: NDArray[np.intp]

    def mean(self, power: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each ring."""
        means: NDArray[np.float64] = np.add.reduceat(power[self.positions], self.starts) / self.count
        return means

    def highest(self, power: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each ring."""
        return np.maximum.reduceat(power[self.positions], self.starts)


@cache
def _rings_of(side: int, inner: int, number: int) -> _Rings:
    """``number`` rings of equal width from a radius to half of the side, of the spectrum of a picture of that side."""
    rows, columns = np.fft.fftfreq(side) * side, np.arange(side // 2 + 1)
    radius = np.hypot(rows[:, None], columns).ravel()
    ring = np.digitize(radius, np.linspace(inner, side / 2, number + 1)) - 1
    positions = np.flatnonzero((ring >= 0) & (ring < number))
    ring = ring[positions]
    count = np.bincount(ring, minlength=number)
    return _Rings(positions[np.argsort(ring, kind="stable")], np.cumsum(count) - count, count)


def colours(image: Image, box: Box) -> NDArray[np.float64]:
    """Mean, spread and ends of the face's and its surroundings' channels, in two colour spaces."""
    parts = [surroundings(image, box, context=context, side_px=side_px) for context, side_px in ((0.8, 64), (3.0, 96))]
    statistics = [
        _channel_statistics(cv2.cvtColor(part, space).astype(np.uint8, copy=False))
        for part in parts
        for space in (cv2.COLOR_BGR2HSV, cv2.COLOR_BGR2YCrCb)
    ]
    joined: NDArray[np.float64] = np.concatenate(statistics)
    return joined


def _channel_statistics(pixels: Image) -> NDArray[np.float64]:
    """Mean, standard deviation, 5th and 95th percentile, each of the three channels.

    Taken from histograms: 256 counts a channel say the same as the pixels, in a tenth of the time.
    """
    histograms = [cv2.calcHist([pixels], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
    counts = np.stack(histograms).astype(np.float64)
    number = pixels.shape[0] * pixels.shape[1]
    means = counts @ _LEVELS / number
    deviations = np.sqrt((counts * (_LEVELS - means[:, None]) ** 2).sum(axis=1) / number)
    low, high = (_ranked(counts, share * (number - 1)) for share in (0.05, 0.95))
    return np.concatenate([means / 255, deviations / 64, low / 255, high / 255])


def _ranked(counts: NDArray[np.float64], rank: float) -> NDArray[np.float64]:
    """The value at that rank, from 0, of each row's sorted values; between two ranks as far as it lies between."""
    below = math.floor(rank)
    up_to = counts.cumsum(axis=1)
    lower, upper = ((up_to <= place).sum(axis=1).astype(np.float64) for place in (below, below + 1))
    ranked: NDArray[np.float64] = lower + (upper - lower) * (rank - below)
    return ranked


def focus(image: Image, box: Box) -> NDArray[np.float64]:
    """Sharpness of the face, alone and beside what is around it, and how large the face is."""
    part = cv2.cvtColor(surroundings(image, box, context=3.5, side_px=160), cv2.COLOR_BGR2GRAY).astype(np.float32)
    detail = np.abs(cv2.Laplacian(part, cv2.CV_32F))
    inner = float(detail[48:112, 48:112].mean())
    outer = float(detail.sum() - detail[48:112, 48:112].sum()) / (detail.size - 64 * 64)
    shorter = min(image.shape[:2])
    return np.array(
        [
            sharpness(face_tones(image, box)),
            math.log(inner + 1),
            math.log(outer + 1),
            math.log((inner + 1) / (outer + 1)),
            math.log(max(box.height, 1.0)),
            box.height / image.shape[0],
            box.area**0.5 / shorter,
            math.log(shorter),
        ]
    )


def _log_odds(score: float) -> float:
    bounded = min(max(score, 1e-4), 1 - 1e-4)
    return math.log(bounded / (1 - bounded))

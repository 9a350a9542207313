"""Is the picture worth watching? Notices a camera that is frozen, dark, covered, turned away or damaged.

Judged on a small grey picture against the scene that the camera has shown so far. What counts is where things begin
and end, not how bright they are: a switch to infrared or lights that go off keep that, a hand or paint does not. A
condition has to last before it is believed, and the good picture has to last before it is believed again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from app.types import FloatArray, Image

_WIDTH_PX = 160
_FOLLOW = 0.02  # of the scene a frame: it follows furniture that was moved within minutes
_LEARNING_FRAMES = 10
_BLACK_LEVEL, _BLACK_SPREAD = 16.0, 2.0
_FLAT_ROW_SPREAD = 0.5  # a decoder fills what it lacks with one colour; no lens shows that
_MIN_FILLED = 0.25
# Found on ten frames of CCTV (cctv_normal), each in 14 variants. Sharpness of the usual: 0.87 or more with a
# person, infrared, or light from 15 to 170 %, at most 0.21 under sprayed paint. Contrast: 0.14 with the lights off, at
# most 0.04 behind a hand. Likeness: 0.53 or more, at most 0.29 where the camera turned by a quarter of its view.
_COVERED_SHARPNESS = 0.35
_COVERED_CONTRAST = 0.07
_MOVED_LIKENESS = 0.38
_DIM_LEVEL = 45.0


class Condition(StrEnum):
    """What is wrong with the pictures of a camera that sends some."""

    OK = "ok"
    FROZEN = "frozen"
    DARK = "dark"
    COVERED = "covered"
    MOVED = "moved"
    CORRUPT = "corrupt"


# Seconds that a condition has to last. A person who leans into the picture covers it for a moment; a still scene may
# repeat itself until the next key frame.
_LASTING_S = {
    Condition.OK: 5.0,
    Condition.FROZEN: 30.0,
    Condition.DARK: 10.0,
    Condition.COVERED: 8.0,
    Condition.MOVED: 15.0,
    Condition.CORRUPT: 5.0,
}
_ACCEPTED_AFTER_S = 600.0  # a view that stays moved for so long is how the camera hangs now


@dataclass(slots=True)
class _Scene:
    """What the camera usually shows: running means of the picture's changes, sharpness and contrast."""

    changes: FloatArray
    sharpness: float
    contrast: float
    frames: int = 1

    def follow(self, other: _Scene) -> None:
        self.frames += 1
        share = max(_FOLLOW, 1 / self.frames)
        self.changes += share * (other.changes - self.changes)
        self.sharpness += share * (other.sharpness - self.sharpness)
        self.contrast += share * (other.contrast - self.contrast)


class ConditionWatch:
    """Follows one camera's pictures."""

    def __init__(self) -> None:
        self.condition = Condition.OK
        self._candidate = Condition.OK
        self._candidate_since_s = 0.0
        self._checksum: int | None = None
        self._unchanged_since_s = 0.0
        self._scene: _Scene | None = None

    def see(self, image: Image, now_s: float) -> Condition:
        """Take the next picture.

        Args:
            now_s: when it was read, by the monotonic clock.

        Returns:
            The condition that is believed now.
        """
        seen = self._condition_of(image, now_s)
        if seen is not self._candidate:
            self._candidate, self._candidate_since_s = seen, now_s
        lasted_s = now_s - self._candidate_since_s
        # Whatever freezes has shown it for as long as it has been unchanged.
        if seen is not self.condition and (seen is Condition.FROZEN or lasted_s >= _LASTING_S[seen]):
            self.condition = seen
        if self.condition is Condition.MOVED and seen is Condition.MOVED and lasted_s >= _ACCEPTED_AFTER_S:
            self._scene = None
        return self.condition

    def _condition_of(self, image: Image, now_s: float) -> Condition:
        checksum = zlib.adler32(np.ascontiguousarray(image[::8, ::8]).tobytes())
        if checksum != self._checksum:
            self._checksum, self._unchanged_since_s = checksum, now_s
        grey = _small_grey(image)
        brightest = float(np.percentile(grey, 99))
        if _is_damaged(image):
            return Condition.CORRUPT
        if brightest < _BLACK_LEVEL and grey.std() < _BLACK_SPREAD:
            return Condition.DARK
        if now_s - self._unchanged_since_s >= _LASTING_S[Condition.FROZEN]:
            return Condition.FROZEN
        return self._compared_with_scene(_scene_of(grey), brightest)

    def _compared_with_scene(self, now: _Scene, brightest: float) -> Condition:
        usual = self._scene
        if usual is None or usual.changes.shape != now.changes.shape:
            self._scene = now
            return Condition.OK
        if usual.frames >= _LEARNING_FRAMES:
            if now.contrast < _COVERED_CONTRAST * usual.contrast:
                return Condition.DARK if brightest < _DIM_LEVEL else Condition.COVERED
            if now.sharpness < _COVERED_SHARPNESS * usual.sharpness:
                return Condition.COVERED
            if _likeness(now.changes, usual.changes) < _MOVED_LIKENESS:
                return Condition.MOVED
        usual.follow(now)
        return Condition.OK


def _small_grey(image: Image) -> FloatArray:
    """(height, 160) float32, 0 to 255."""
    height = max(8, round(image.shape[0] * _WIDTH_PX / image.shape[1]))
    step = max(1, image.shape[1] // (4 * _WIDTH_PX))
    grey = cv2.cvtColor(image[::step, ::step], cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _is_damaged(image: Image) -> bool:
    """Whether a band over the whole width, or the whole picture, is one flat colour that is neither black nor white.

    Looks at single pixels, since a mean over many would call a sensor's noise flat.
    """
    rows = image[:: max(1, image.shape[0] // 90), :: max(1, image.shape[1] // 90)].astype(np.float32)
    level = rows.mean(axis=(1, 2))
    flat = (rows.std(axis=1).max(axis=1) < _FLAT_ROW_SPREAD) & (level > 2 * _BLACK_LEVEL) & (level < 230)
    # Rows of one band have the same colour; a gradient of the sky has not.
    same = flat[1:] & flat[:-1] & (np.abs(np.diff(level)) < _FLAT_ROW_SPREAD)
    longest = run = 0
    for is_same in same.tolist():
        run = run + 1 if is_same else 0
        longest = max(longest, run)
    return longest >= _MIN_FILLED * len(level)


def _scene_of(grey: FloatArray) -> _Scene:
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.25)
    contrast = float(grey.std())
    # Of the picture's own contrast, so that a dim picture of the same things is as sharp as a bright one.
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).std()) / (contrast + 1)
    return _Scene(np.log1p(np.hypot(across, down)), sharpness, contrast)


def _likeness(one: FloatArray, other: FloatArray) -> float:
    """Correlation of two maps of changes, -1 to 1."""
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum() + 1e-9))

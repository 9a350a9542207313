"""Two photos of one scene: is it the same, and where does each point of the first lie in the second?

Distinctive points (SIFT) are matched, and one plane through most of them is found. What stands before or behind that
plane is off by some pixels where the camera stood elsewhere; ``room_changes`` allows for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.types import Box, FloatArray, Image

SIDE_PX = 320
"""The longer side of what is compared: a thing of a hundredth of the photo is 28 px wide then."""

_MAX_POINTS = 800
_CONTRAST = 0.02
_RATIO = 0.78  # a match counts if the next best is so much worse
_MAX_ERROR_PX = 4.0
FEWEST_MATCHES = 16
"""So many points must agree on where one picture lies in the other."""

_SCALES = (0.4, 2.5)  # of lengths: beyond that the views have too little in common
_SEED = 7


@dataclass(frozen=True, slots=True)
class ScenePicture:
    """A photo made small: ``image`` (h, w, 3) uint8 BGR, its points (n, 2) float32 and what is around them (n, 128).

    ``factor`` is a length here by that in the photo.
    """

    image: Image
    points: FloatArray
    looks: FloatArray
    factor: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """``homography``: (3, 3) float64 from the first picture's pixels to the second's; ``matches`` agree with it."""

    homography: npt.NDArray[np.float64]
    matches: int

    def project(self, box: Box) -> Box:
        """The rectangle around where a box of the first picture lies in the second."""
        corners = np.array([[[box.x1, box.y1], [box.x2, box.y1], [box.x2, box.y2], [box.x1, box.y2]]], np.float64)
        [placed] = cv2.perspectiveTransform(corners, self.homography)
        (x1, y1), (x2, y2) = placed.min(axis=0), placed.max(axis=0)
        return Box(float(x1), float(y1), float(x2), float(y2))

    @property
    def inverse(self) -> Alignment:
        return Alignment(np.linalg.inv(self.homography).astype(np.float64), self.matches)


def take_scene(image: Image) -> ScenePicture:
    """A BGR photo of any size, ready to be compared."""
    height, width = image.shape[:2]
    factor = SIDE_PX / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR).astype(np.uint8)
    finder = cv2.SIFT_create(nfeatures=_MAX_POINTS, contrastThreshold=_CONTRAST)  # type: ignore[attr-defined]
    points, looks = finder.detectAndCompute(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), None)
    if looks is None:
        return ScenePicture(small, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32), factor)
    return ScenePicture(small, np.array([point.pt for point in points], np.float32), looks, factor)


def align(first: ScenePicture, second: ScenePicture) -> Alignment | None:
    """Where the first picture lies in the second; None where they do not show the same."""
    if min(len(first.points), len(second.points)) < FEWEST_MATCHES:
        return None
    pairs = cv2.BFMatcher().knnMatch(first.looks, second.looks, k=2)
    good = [best for best, other in pairs if best.distance < _RATIO * other.distance]
    if len(good) < FEWEST_MATCHES:
        return None
    sources = first.points[[match.queryIdx for match in good]]
    targets = second.points[[match.trainIdx for match in good]]
    cv2.setRNGSeed(_SEED)
    homography, mask = cv2.findHomography(sources, targets, cv2.USAC_MAGSAC, _MAX_ERROR_PX, maxIters=2000)
    if homography is None or int(mask.sum()) < FEWEST_MATCHES:
        return None
    alignment = Alignment(homography.astype(np.float64), int(mask.sum()))
    return alignment if _is_plausible(alignment, first.image) else None


def _is_plausible(alignment: Alignment, image: Image) -> bool:
    """Whether a camera that stood elsewhere may have seen that: nothing turned inside out, or shrunk to a spot."""
    height, width = image.shape[:2]
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    [placed] = cv2.perspectiveTransform(corners, alignment.homography)
    if not np.isfinite(placed).all() or not cv2.isContourConvex(placed.astype(np.float32)):
        return False
    area = cv2.contourArea(placed.astype(np.float32), oriented=True)
    return bool(_SCALES[0] ** 2 <= area / (width * height) <= _SCALES[1] ** 2)

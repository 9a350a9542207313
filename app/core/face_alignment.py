"""Geometry of faces: landmarks, the pose they tell, and upright crops of a fixed size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from app.types import FloatArray, Image

CROP_PX = 112

# Where ArcFace networks expect the eyes, the nose tip and the mouth corners in a 112 px crop: the published template
# of https://github.com/deepinsight/insightface (insightface.utils.face_align.arcface_dst). A test holds them equal;
# importing that package for ten numbers would cost 70 MB and most of a second.
ARCFACE_TEMPLATE: FloatArray = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)

# In the 68-point scheme of iBUG 300-W: the lids of each eye without its corners, the nose tip, and of each mouth corner
# the outer and the inner point.
_LEFT_EYE, _RIGHT_EYE = [37, 38, 40, 41], [43, 44, 46, 47]
_NOSE_TIP = 30
_LEFT_MOUTH, _RIGHT_MOUTH = [48, 60], [54, 64]

# Fitted to a pose network's angles on 405 LFW photos: the depth of the nose tip before the eyes, in units of the
# distance between them (yaw agrees within 2.7 degrees on average, correlation 0.97), and how far down from the eyes to
# the mouth the tip stands in a level head, with what a change of that means (pitch: standard deviation 4.3 degrees).
NOSE_DEPTH = 0.68
_LEVEL_NOSE, _PITCH_DEG = 0.52, 59.3


def five_points(landmarks: FloatArray) -> FloatArray:
    """(n, 68, 2) points to (n, 5, 2): eye centres, nose tip, mouth corners."""
    parts = [
        landmarks[:, _LEFT_EYE].mean(axis=1),
        landmarks[:, _RIGHT_EYE].mean(axis=1),
        landmarks[:, _NOSE_TIP],
        landmarks[:, _LEFT_MOUTH].mean(axis=1),
        landmarks[:, _RIGHT_MOUTH].mean(axis=1),
    ]
    return np.stack(parts, axis=1).astype(np.float32)


def similarity_to(template: FloatArray, points: FloatArray) -> FloatArray:
    """The 2×3 matrix of the rotation, uniform scale and shift that best lays ``points`` on ``template``.

    Least squares in closed form (the planar case of Umeyama's method, which cannot mirror).

    Args:
        template: (k, 2) wanted positions.
        points: (k, 2) positions as they are, not all in one place.
    """
    origin, target = points.mean(axis=0), template.mean(axis=0)
    a, b = points - origin, template - target
    size = float((a * a).sum())
    cosine = float((a * b).sum()) / size
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, target - turn @ origin]).astype(np.float32)


def align(image: Image, landmarks: FloatArray) -> Image:
    """One face laid on the ArcFace template: (112, 112, 3) uint8, colours as in the image, black outside of it.

    A large face is drawn up to four times larger first and averaged down, as plain bilinear sampling would alias.
    """
    matrix = similarity_to(ARCFACE_TEMPLATE, landmarks)
    shrinks_by = 1.0 / max(math.hypot(matrix[0, 0], matrix[1, 0]), 1e-6)
    factor = min(max(round(shrinks_by), 1), 4)
    matrix *= factor
    matrix[:, 2] += (factor - 1) / 2  # pixel centres lie at whole coordinates, edges half a pixel outside
    side_px = CROP_PX * factor
    drawn = cv2.warpAffine(image, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR)
    if factor > 1:
        drawn = cv2.resize(drawn, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return drawn.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Pose:
    """How the head is turned, in degrees: an estimate that leans on an average face and saturates near the profile.

    Attributes:
        yaw: positive towards the right edge of the image, which is the person's own left.
        pitch: positive upwards.
    """

    yaw: float
    pitch: float


def pose(landmarks: FloatArray) -> Pose:
    """The pose that five landmarks tell, as in ``Face``."""
    eyes, mouth, nose = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0), landmarks[2]
    across = landmarks[1] - landmarks[0]
    between_eyes = float(np.hypot(*across))
    if between_eyes == 0.0:
        return Pose(yaw=90.0, pitch=0.0)
    across = across / between_eyes
    down = np.array([-across[1], across[0]], np.float32)
    offset = float((nose - eyes) @ across) / between_eyes
    face_height = float((mouth - eyes) @ down)
    drop = float((nose - eyes) @ down) / face_height if face_height > 0 else math.inf
    pitch = min(max((_LEVEL_NOSE - drop) * _PITCH_DEG, -90.0), 90.0)
    return Pose(yaw=math.degrees(math.atan2(offset, NOSE_DEPTH)), pitch=pitch)

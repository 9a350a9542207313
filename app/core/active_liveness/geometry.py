"""Is what turns before the camera a solid head? Landmarks against the best plane.

Whatever is flat moves by a homography. The corners of a face, its eyes and the corners of its mouth, lie nearly in a
plane and tell the homography; the tip of the nose stands before that plane. Where it is beside the place that the
homography gives it, there is depth, and how much says how the head is turned.

Landmarks come from a network that knows heads and finds one on a bent sheet too. So the pixels are asked as well:
``parallax`` follows the same places from one frame to the next by optical flow, which knows nothing of heads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from app.core.face_alignment import ARCFACE_TEMPLATE, NOSE_DEPTH, similarity_to
from app.types import FloatArray, Image

_CORNERS = [0, 1, 3, 4]
_NOSE = 2
_EYES = ARCFACE_TEMPLATE[:2]
_UNITS: FloatArray = (ARCFACE_TEMPLATE - _EYES.mean(axis=0)) / np.float32(np.linalg.norm(_EYES[1] - _EYES[0]))

_SIDE_PX = 160
_PLACES: FloatArray = (_UNITS * 48 + np.array([_SIDE_PX / 2, _SIDE_PX / 2 - 24])).astype(np.float32)
_INSIDE = np.s_[56:111, 60:101]  # from the eyes to the mouth, and as wide as the mouth
_DRIFT_PX = 6
_MIN_TURN_DEG = 2.5


@dataclass(frozen=True, slots=True)
class HeadTurn:
    """How a head is turned away from how it stood at first, as far as its depth shows.

    Attributes:
        yaw: degrees, positive towards the right edge of the picture, which is the person's own left.
        pitch: degrees, positive upwards.
        squeeze: how much shorter one direction became than the other, at least 1. A sheet has to be turned much
            further than a head before it looks as deep.
        scale: size beside that at first.
    """

    yaw: float
    pitch: float
    squeeze: float
    scale: float


class StraightHead:
    """The head as it looks straight into the camera.

    Args:
        landmarks: (5, 2) px of one or more frames; they are laid on each other and averaged.
    """

    def __init__(self, landmarks: Sequence[FloatArray]) -> None:
        self._points = np.mean([_placed(points) for points in landmarks], axis=0).astype(np.float32)
        self._size = float(np.mean([face_size(points) for points in landmarks]))

    def turn(self, landmarks: FloatArray) -> HeadTurn:
        """How a frame's landmarks, (5, 2) px, are turned."""
        reference, corners = self._points[_CORNERS], landmarks[_CORNERS].astype(np.float32)
        back = cv2.getPerspectiveTransform(corners, reference)
        nose = cv2.perspectiveTransform(landmarks[None, [_NOSE]].astype(np.float32), back)[0, 0]
        beside, below = (nose - self._points[_NOSE]).tolist()
        yaw, pitch = math.atan(beside / NOSE_DEPTH), math.atan(-below / NOSE_DEPTH)
        linear = _linear_part(reference, corners)
        wide, narrow = np.linalg.svd(linear, compute_uv=False)
        return HeadTurn(
            yaw=math.degrees(yaw),
            pitch=math.degrees(pitch),
            squeeze=float(wide) / max(float(narrow), 1e-6),
            scale=face_size(landmarks) / self._size,
        )


@dataclass(frozen=True, slots=True)
class Parallax:
    """How far the head was turned to a side from one frame to the next, in degrees: as the landmarks tell, and as the
    pixels do, which under-estimate it."""

    by_landmarks: float
    by_pixels: float


class UprightFace:
    """A face as ``parallax`` compares it.

    Args:
        image: BGR.
        landmarks: (5, 2) px.
    """

    def __init__(self, image: Image, landmarks: FloatArray) -> None:
        matrix = similarity_to(_PLACES, landmarks)
        crop = cv2.warpAffine(
            image, matrix, (_SIDE_PX, _SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        self.tones = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        self.landmarks = (landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    @property
    def tone(self) -> float:
        """Mean grey value between eyes and mouth, 0 to 255: skin however the head is turned, no hair, no background."""
        return float(self.tones[_INSIDE].mean())


def parallax(before: UprightFace, after: UprightFace) -> Parallax | None:
    """None where the head hardly turned."""
    straight = StraightHead([before.landmarks])
    by_landmarks = straight.turn(after.landmarks).yaw
    if abs(by_landmarks) < _MIN_TURN_DEG:
        return None
    empty = np.zeros((_SIDE_PX, _SIDE_PX, 2), np.float32)
    flow = np.asarray(
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before.tones, after.tones, empty), np.float32
    )
    moved = before.landmarks + np.stack([_drift(flow, point) for point in before.landmarks])
    return Parallax(by_landmarks, straight.turn(moved.astype(np.float32)).yaw)


def _drift(flow: FloatArray, point: FloatArray) -> FloatArray:
    """(2,) px: how the surroundings of a point moved."""
    x, y = (min(max(round(float(value)), _DRIFT_PX), _SIDE_PX - _DRIFT_PX - 1) for value in point)
    around = flow[y - _DRIFT_PX : y + _DRIFT_PX + 1, x - _DRIFT_PX : x + _DRIFT_PX + 1]
    drift: FloatArray = np.median(around.reshape(-1, 2), axis=0)
    return drift


def face_size(landmarks: FloatArray) -> float:
    """Pixels: the root of the area between eyes and corners of the mouth."""
    left_eye, right_eye, left_mouth, right_mouth = landmarks[_CORNERS]
    a, b = right_mouth - left_eye, left_mouth - right_eye
    return math.sqrt(max(abs(float(a[0] * b[1] - a[1] * b[0])) / 2, 1e-6))


def _linear_part(points: FloatArray, moved: FloatArray) -> FloatArray:
    """(2, 2), of the affine map that best takes ``points`` to ``moved``."""
    a, b = points - points.mean(axis=0), moved - moved.mean(axis=0)
    solved: FloatArray = np.linalg.lstsq(a, b, rcond=None)[0]
    return solved.T


def _placed(landmarks: FloatArray) -> FloatArray:
    """Upright, the eyes about a unit apart."""
    matrix = similarity_to(_UNITS, landmarks)
    placed: FloatArray = landmarks @ matrix[:, :2].T + matrix[:, 2]
    return placed

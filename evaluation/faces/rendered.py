"""Sequences of frames that never were: a photo laid on a surface, and the surface moved before a camera.

On the depth of a generic head a photo becomes a solid head that turns; on a plane or a bent sheet it becomes what an
attacker holds up. Only the surface differs, so what separates the two is geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from app.core.face_alignment import ARCFACE_TEMPLATE, NOSE_DEPTH, similarity_to
from app.types import FloatArray, Image

Depth = Callable[[FloatArray, FloatArray], FloatArray]
"""Depth of a surface, towards the camera, at points right of and below the middle of the eyes; all in distances between
the eyes."""

_EYES = ARCFACE_TEMPLATE[:2]
_UNITS = (ARCFACE_TEMPLATE - _EYES.mean(axis=0)) / np.float32(np.linalg.norm(_EYES[1] - _EYES[0]))
_CAMERA = 9.0  # from the face: some 55 cm
_GRID = 4
_STEPS = 12  # of the search for the point of the photo that a pixel shows


@dataclass(frozen=True, slots=True)
class Stance:
    """How the surface stands at one moment.

    Attributes:
        yaw_deg: positive towards the right edge of the picture, as in ``face_alignment.Pose``.
        pitch_deg: positive upwards.
        roll_deg: clockwise.
        scale: of the picture.
        shift: of the picture, in distances between the eyes.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


def head_depth(
    x: FloatArray, y: FloatArray, *, tip: tuple[float, float] = (0.0, 0.6), nose: float = NOSE_DEPTH
) -> FloatArray:
    """A generic head: an ellipsoid with a nose.

    Args:
        tip: of the nose, where the photo shows it. Beside it there is only cheek or lip: a nose that stands elsewhere
            than in the photo turns with hardly any depth.
        nose: how far the tip stands before the eyes.
    """
    across, level = tip
    ridge = x - across * np.clip(y / level, 0.0, 1.0)
    along = np.where(y > level, np.exp(-(((y - level) / 0.16) ** 2)), np.clip(y / level, 0.0, 1.0))
    height = nose - _skull(np.asarray(across), np.asarray(level))
    depth: FloatArray = (_skull(x, y) + height * along * np.exp(-((ridge / 0.22) ** 2))).astype(np.float32)
    return depth


def head_of(landmarks: FloatArray, *, nose: float = NOSE_DEPTH) -> Depth:
    """The generic head with its nose where a photo's landmarks, (5, 2) px, have it."""
    across, level = _apply(similarity_to(_UNITS, landmarks), *landmarks[2])
    return partial(head_depth, tip=(float(across), float(level)), nose=nose)


def _skull(x: FloatArray, y: FloatArray) -> FloatArray:
    inside = 1.0 - (x / 1.25) ** 2 - ((y - 0.5) / 1.7) ** 2
    depth: FloatArray = 1.5 * np.sqrt(np.clip(inside, 0.0, None)) - 1.3
    return depth


def flat_depth(x: FloatArray, _: FloatArray) -> FloatArray:
    """A sheet, a screen."""
    return np.zeros_like(x)


def bent_depth(*, radius: float, axis_deg: float) -> Depth:
    """A sheet bent over a cylinder.

    Args:
        radius: of the cylinder; one distance between the eyes is about as sharp as paper is bent by hand.
        axis_deg: of the cylinder; 0 is upright.
    """
    across_x, across_y = np.cos(np.radians(axis_deg)), np.sin(np.radians(axis_deg))

    def depth(x: FloatArray, y: FloatArray) -> FloatArray:
        across = np.clip((x * across_x + (y - 0.55) * across_y) / radius, -1.2, 1.2)
        bent: FloatArray = (radius * (np.cos(across) - 1.0)).astype(np.float32)
        return bent

    return depth


def render(photo: Image, landmarks: FloatArray, depth: Depth, stance: Stance, *, whole: bool) -> Image:
    """The photo on that surface, as a camera sees it: the photo's size.

    Args:
        landmarks: (5, 2) of the face in the photo.
        whole: whether all of the photo is on the surface, as on paper; else the head turns before its background.
    """
    height, width = photo.shape[:2]
    to_units = similarity_to(_UNITS, landmarks)
    to_photo = cv2.invertAffineTransform(to_units).astype(np.float32)
    middle = (landmarks[:2].mean(axis=0)).astype(np.float32)
    unit_px = 1.0 / float(np.hypot(to_units[0, 0], to_units[1, 0]))
    view = cv2.getRotationMatrix2D(tuple(map(float, middle)), -stance.roll_deg, stance.scale)
    shift = np.array([[0, 0, stance.shift[0]], [0, 0, stance.shift[1]]]) * unit_px
    view = view + shift
    back = cv2.invertAffineTransform(view).astype(np.float32)
    # The map is smooth: every fourth of its points is enough.
    rows, columns = np.mgrid[: height + _GRID : _GRID, : width + _GRID : _GRID].astype(np.float32)
    wanted_x, wanted_y = _apply(to_units, *_apply(back, columns, rows))
    x, y = wanted_x.copy(), wanted_y.copy()
    for _ in range(_STEPS):
        moved_x, moved_y = _project(x, y, depth(x, y), stance)
        share = 1.0 if whole else _belongs_to_head(x, y)
        x = wanted_x - share * (moved_x - x)
        y = wanted_y - share * (moved_y - y)
    map_x, map_y = (_enlarged(part, width=width, height=height) for part in _apply(to_photo, x, y))
    drawn = cv2.remap(photo, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return drawn.astype(np.uint8, copy=False)


def _enlarged(part: FloatArray, *, width: int, height: int) -> FloatArray:
    """From the grid to every pixel; the grid's points stand at the pixels 0, ``_GRID``, …"""
    step = np.float32(1 / _GRID)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32) * step, np.arange(height, dtype=np.float32) * step)
    return cv2.remap(part, columns, rows, cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _apply(matrix: FloatArray, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    a, b = matrix
    return a[0] * x + a[1] * y + a[2], b[0] * x + b[1] * y + b[2]


def _project(x: FloatArray, y: FloatArray, depth: FloatArray, stance: Stance) -> tuple[FloatArray, FloatArray]:
    """Turned about the middle of the head, and seen in perspective."""
    yaw, pitch = np.radians(stance.yaw_deg), np.radians(stance.pitch_deg)
    level = y - 0.55
    across = x * np.cos(yaw) + depth * np.sin(yaw)
    towards = depth * np.cos(yaw) - x * np.sin(yaw)
    down = level * np.cos(pitch) - towards * np.sin(pitch)
    towards = towards * np.cos(pitch) + level * np.sin(pitch)
    nearer = np.float32(1.0) / (1.0 - towards / _CAMERA)
    return (across * nearer).astype(np.float32), (down * nearer + 0.55).astype(np.float32)


def _belongs_to_head(x: FloatArray, y: FloatArray) -> FloatArray:
    """1 on the face, falling to 0 around the head."""
    radius = np.sqrt((x / 1.25) ** 2 + ((y - 0.45) / 1.7) ** 2)
    share: FloatArray = np.clip((1.7 - radius) / 0.7, 0.0, 1.0).astype(np.float32)
    return share

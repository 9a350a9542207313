"""The types that every layer speaks. Frozen, slotted, without behaviour that needs a model or a backend.

Coordinates are pixels of the EXIF-upright image, ``x1, y1, x2, y2`` with the origin at the top left; only what leaves
the service has ``x, y, width, height``, by ``Box.rectangle``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]
"""(height, width, 3) uint8 BGR, EXIF-upright."""


Reference: TypeAlias = int | UUID
"""How callers name a stored row: by its public id or, which is deprecated, by its number."""


class Scope(StrEnum):
    """What an API key may do; ``ADMIN`` may do everything, and ``a`` whatever ``a:b`` may."""

    FACE_RECOGNIZE = "face:recognize"
    FACE_MANAGE = "face:manage"
    IMAGE = "image"
    IMAGE_READ = "image:read"
    IMAGE_WRITE = "image:write"
    ROOM = "room"
    ROOM_READ = "room:read"
    ROOM_WRITE = "room:write"
    OCR = "ocr"
    OCR_INVOICE = "ocr:invoice"
    OCR_ID = "ocr:id"
    ANOMALY = "anomaly"
    ORIGINALS = "originals"
    CAMERAS = "cameras"
    CAMERAS_READ = "cameras:read"
    CAMERAS_WRITE = "cameras:write"
    EVENTS = "events"
    EVENTS_ANOMALY = "events:anomaly"
    EVENTS_ATTENDANCE = "events:attendance"
    EVENTS_CAMERA = "events:camera"
    EVENTS_FACE = "events:face"
    EVENTS_LOST_FOUND = "events:lost_found"
    EVENTS_ROOM = "events:room"
    WEBHOOKS = "webhooks"
    STAYS = "stays"
    CLAIMS = "claims"
    PRIVACY = "privacy"
    ADMIN = "admin"


class StaffRole(StrEnum):
    """What a person who signs in works as."""

    FRONT_DESK = "front_desk"
    KIOSK = "kiosk"
    PERSONNEL = "personnel"
    HOUSEKEEPING = "housekeeping"
    SECURITY = "security"
    ACCOUNTING = "accounting"
    ADMIN = "admin"


class Severity(StrEnum):
    """How bad a finding is, in rooms and in camera frames."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AttendanceAction(StrEnum):
    """What a person who was recognised does."""

    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"


class AttendanceMethod(StrEnum):
    """By what somebody was known who comes or goes."""

    FACE = "face"
    PIN = "pin"
    CARD = "card"


class AttendanceState(StrEnum):
    """Whether an entry of the attendance counts: at once; not before a person says so; since one did; or never."""

    COUNTED = "counted"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels; may reach over the image's edge until it is clipped."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def clip(self, width: int, height: int) -> Box:
        """The part inside an image of that size; a box wholly outside has no area."""
        x1, x2 = (min(max(x, 0.0), float(width)) for x in (self.x1, self.x2))
        y1, y2 = (min(max(y, 0.0), float(height)) for y in (self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def scale(self, factor: float) -> Box:
        """The box multiplied by ``factor``, as when its image is resized by it."""
        return Box(self.x1 * factor, self.y1 * factor, self.x2 * factor, self.y2 * factor)

    def rectangle(self) -> dict[str, int]:
        """The public form, in whole pixels: ``x``, ``y``, ``width`` and ``height``."""
        x, y = round(self.x1), round(self.y1)
        return {"x": x, "y": y, "width": round(self.x2) - x, "height": round(self.y2) - y}

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        overlap = max(width, 0.0) * max(height, 0.0)
        union = self.area + other.area - overlap
        return overlap / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face.

    ``score`` is the calibrated detection confidence, 0 to 1. ``landmarks`` is (5, 2) float32 px: left eye, right
    eye, nose tip, left and right mouth corner, as seen in the image.
    """

    box: Box
    score: float
    landmarks: FloatArray


@dataclass(frozen=True, slots=True)
class Detection:
    """An object found by a detector; ``score`` is 0 to 1, higher is surer."""

    box: Box
    score: float
    label: str


@dataclass(frozen=True, slots=True)
class Embedding:
    """``vector`` is (d,) float32 of unit L2 norm. Embeddings of different ``model_id`` must never be compared."""

    vector: FloatArray
    model_id: str


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text: ``polygon`` (4, 2) float32 px clockwise from its top left, ``score`` 0 to 1."""

    polygon: FloatArray
    text: str
    score: float


class Session(Protocol):
    """What a loaded network offers an engine; thread-safe."""

    @property
    def provider(self) -> str:
        """What really runs, for /health: runtime, device and precision, such as ``openvino:cpu:f32``."""
        ...

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        """One forward pass. Outputs are in the model's order; batch size may vary where the model allows it."""
        ...


def shown(score: float) -> float:
    """A score as answers, events and audit entries show it: four decimal places."""
    return round(score, 4)

"""Is this picture good enough to know somebody by it for years?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.face_alignment import yaw_deg
from app.core.face_measures import face_tones, sharpness
from app.core.face_recognition import FaceTemplate, largest_face
from app.core.types import Face, Image


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a picture must reach to be enrolled; see the pack's manifest for how they were set.

    Attributes:
        min_face_px: height of the face.
        min_sharpness: of ``face_measures.sharpness``.
        min_brightness: mean grey value of the face, 0 to 255.
        max_brightness: likewise.
        max_yaw_deg: how far the head may be turned.
        frontal_yaw_deg: up to here a face counts as frontal.
        min_norm: length of the raw embedding; short ones foretell failure best.
        good_norm: length of an ordinary good picture's.
        max_second_area: area of a second face, in areas of the largest, from which it is not clear who is meant.
    """

    min_face_px: float
    min_sharpness: float
    min_brightness: float
    max_brightness: float
    max_yaw_deg: float
    frontal_yaw_deg: float
    min_norm: float
    good_norm: float
    max_second_area: float = 0.4


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a picture is worth; ``reason`` is a stable code, None for a good one."""

    face: Face | None
    reason: str | None = None
    message: str = ""
    angle: str = "frontal"


@dataclass(frozen=True, slots=True)
class Grade:
    """``score`` is 0 to 1, higher is better; ``reason`` as in ``Assessment``."""

    score: float
    reason: str | None = None
    message: str = ""


class FaceQualityGate:
    """Looks at a picture before the embedding is made, and at the embedding."""

    def __init__(self, limits: QualityLimits) -> None:
        self._limits = limits

    def assess(self, image: Image, faces: Sequence[Face]) -> Assessment:
        """The one face that is meant, or why there is none to enrol."""
        face = largest_face(faces)
        if face is None:
            return Assessment(None, "no_face", "No face was found; use a clear photo of the face.")
        rivals = [other for other in faces if other.box.area >= self._limits.max_second_area * face.box.area]
        if len(rivals) > 1:
            return Assessment(face, "multiple_faces", "Several faces are about as large; use a photo of one person.")
        reason, message = self._fault(image, face)
        return Assessment(face, reason, message, self._angle(face))

    def grade(self, template: FaceTemplate) -> Grade:
        """What the embedding betrays of the picture."""
        score = min(max(template.norm / self._limits.good_norm, 0.0), 1.0) * max(template.mirror_agreement, 0.0)
        if template.norm < self._limits.min_norm:
            return Grade(score, "low_confidence", "The face is hard to make out; use a clearer photo.")
        return Grade(score)

    def _fault(self, image: Image, face: Face) -> tuple[str | None, str]:
        limits = self._limits
        if face.box.height < limits.min_face_px:
            return (
                "too_small",
                f"The face is {face.box.height:.0f} px high; at least {limits.min_face_px:.0f} are needed.",
            )
        tones = face_tones(image, face.box)
        brightness = float(tones.mean())
        if brightness < limits.min_brightness:
            return "too_dark", "The face is too dark; turn towards the light."
        if brightness > limits.max_brightness:
            return "too_bright", "The face is too bright; avoid direct light."
        if sharpness(tones) < limits.min_sharpness:
            return "blurry", "The face is blurred; hold still and come closer."
        if abs(yaw_deg(face.landmarks)) > limits.max_yaw_deg:
            return "extreme_pose", "The head is turned too far; look more towards the camera."
        return None, ""

    def _angle(self, face: Face) -> str:
        yaw = yaw_deg(face.landmarks)
        if abs(yaw) <= self._limits.frontal_yaw_deg:
            return "frontal"
        return "left" if yaw < 0 else "right"

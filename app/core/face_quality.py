"""Is this picture good enough to enrol somebody from?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.face_alignment import Pose, align, pose
from app.core.face_covers import Cover, FaceCoverDetector
from app.core.face_measures import face_tones, sharpness
from app.core.face_recognition import FaceTemplate, largest_face
from app.types import Face, FloatArray, Image


class QualityReason(StrEnum):
    """Why a picture is refused; stable codes for the caller."""

    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    TOO_SMALL = "too_small"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRY = "blurry"
    EXTREME_POSE = "extreme_pose"
    LOW_CONFIDENCE = "low_confidence"
    FACE_COVERED = "face_covered"


class FaceAngle(StrEnum):
    """Where the head is turned to, as the person feels it: ``left`` is towards their own left hand, which is the
    right edge of a picture that is not mirrored."""

    FRONTAL = "frontal"
    LEFT = "left"
    RIGHT = "right"


class FaceLight(StrEnum):
    """How a face that may be enrolled is lit."""

    GOOD = "good"
    DIM = "dim"
    UNEVEN = "uneven"


_ADVICE = {
    QualityReason.NO_FACE: "No face was found; show one face, uncovered and well lit.",
    QualityReason.MULTIPLE_FACES: "More than one face is large; show one person alone.",
    QualityReason.TOO_SMALL: "The face is too small; come closer or send a larger picture.",
    QualityReason.TOO_DARK: "The face is too dark; add light from the front.",
    QualityReason.TOO_BRIGHT: "The face is overexposed; reduce the light or the exposure.",
    QualityReason.BLURRY: "The face is blurred; hold still and focus.",
    QualityReason.EXTREME_POSE: "The head is turned too far; look closer to the camera.",
    QualityReason.LOW_CONFIDENCE: "The face is hard to recognise; uncover it and use even light.",
    QualityReason.FACE_COVERED: "The face is covered; uncover it.",
}

_COVER_ADVICE = {
    Cover.MASK: "Mouth or nose are covered; take off the mask, scarf or hand.",
    Cover.EYES: "The eyes are covered; take off dark glasses or push up the cap.",
}

_BRIGHT_TONE = 235
# Of 102 LFW faces and 71 Asian web photos none is darker, and 0 and 3 % are lit more unevenly; of 79 webcam frames 8
# and 9 %.
_DIM_TONE = 60
_UNEVEN_SIDES = 1.8


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Bounds of what is enrolled; the pack's manifest says how they were measured.

    Attributes:
        max_rival_area: area of the second largest face over that of the largest, from which nobody is dominant.
        min_face_px: height of the face.
        min_tone: mean grey value of the face, 0 to 255.
        max_bright_share: share of the face that is nearly white.
        min_sharpness: as ``face_measures.sharpness``.
        max_yaw_deg, max_pitch_deg: of the head, to either side.
        frontal_yaw_deg: up to which a face counts as frontal.
        min_norm: length of the raw embedding.
        fair_norm: length at which the quality score is 0.5.
        norm_slope: how steeply the score rises with the length, on the logit scale.
        poor_agreement, good_agreement: with the mirror image; the score is zero up to the first, and loses nothing
            from the second on.
    """

    max_rival_area: float
    min_face_px: float
    min_tone: float
    max_bright_share: float
    min_sharpness: float
    max_yaw_deg: float
    max_pitch_deg: float
    frontal_yaw_deg: float
    min_norm: float
    fair_norm: float
    norm_slope: float
    poor_agreement: float
    good_agreement: float


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """What the picture itself allows.

    Attributes:
        face: the dominant face; None where there is none.
        reason: why it is refused; None where it may be embedded.
        message: what the person should do; empty where there is no reason.
        angle: frontal where there is no face.
        light: good where the picture is refused.
    """

    face: Face | None
    reason: QualityReason | None
    message: str
    angle: FaceAngle
    light: FaceLight = FaceLight.GOOD


@dataclass(frozen=True, slots=True)
class QualityGrade:
    """What the embedding adds: ``score`` 0 to 1, and a reason to refuse the picture after all."""

    score: float
    reason: QualityReason | None
    message: str


class FaceQualityGate:
    """Picks the face to enrol from a picture, or says why there is none.

    Args:
        limits: of what is enrolled.
        covers: sees what covers a face; None where nothing does, and covered faces then pass.
    """

    def __init__(self, limits: QualityLimits, covers: FaceCoverDetector | None = None) -> None:
        self._limits = limits
        self._covers = covers

    def assess(self, image: Image, faces: Sequence[Face]) -> QualityVerdict:
        """Judge before embedding.

        Args:
            image: BGR.
            faces: all that were found in it.
        """
        face = largest_face(faces)
        if face is None:
            return _refuse(None, QualityReason.NO_FACE, FaceAngle.FRONTAL)
        head = pose(face.landmarks)
        angle = self._angle(head)
        reason = self._rivals(face, faces) or self._pixels(image, face) or self._pose(head)
        if reason is not None:
            return _refuse(face, reason, angle)
        # Whoever is enrolled with a mask on is taken for others with masks on.
        cover = self._cover(image, face)
        if cover is not None:
            return QualityVerdict(face, QualityReason.FACE_COVERED, _COVER_ADVICE[cover], angle)
        return QualityVerdict(face, None, "", angle, _light_of(face_tones(image, face.box)))

    def grade(self, template: FaceTemplate) -> QualityGrade:
        """Judge after embedding.

        The raw embedding's length foretells failed matches better than anything that pixels tell; disagreement with
        the mirror image lowers the score where it is unusual.
        """
        limits = self._limits
        certainty = 1.0 / (1.0 + math.exp(limits.norm_slope * (limits.fair_norm - template.norm)))
        span = limits.good_agreement - limits.poor_agreement
        agreement = min(max((template.mirror_agreement - limits.poor_agreement) / span, 0.0), 1.0)
        if template.norm < limits.min_norm:
            reason = QualityReason.LOW_CONFIDENCE
            return QualityGrade(certainty * agreement, reason, _ADVICE[reason])
        return QualityGrade(certainty * agreement, None, "")

    def _cover(self, image: Image, face: Face) -> Cover | None:
        return None if self._covers is None else self._covers.detect([align(image, face.landmarks)])[0]

    def _rivals(self, dominant: Face, faces: Sequence[Face]) -> QualityReason | None:
        limit = dominant.box.area * self._limits.max_rival_area
        rivals = [face for face in faces if face is not dominant and face.box.area >= limit]
        return QualityReason.MULTIPLE_FACES if rivals else None

    def _pixels(self, image: Image, face: Face) -> QualityReason | None:
        if face.box.height < self._limits.min_face_px:
            return QualityReason.TOO_SMALL
        tones = face_tones(image, face.box)
        return self._light(tones) or (QualityReason.BLURRY if sharpness(tones) < self._limits.min_sharpness else None)

    def _light(self, tones: FloatArray) -> QualityReason | None:
        if float(tones.mean()) < self._limits.min_tone:
            return QualityReason.TOO_DARK
        if float((tones > _BRIGHT_TONE).mean()) > self._limits.max_bright_share:
            return QualityReason.TOO_BRIGHT
        return None

    def _pose(self, head: Pose) -> QualityReason | None:
        extreme = abs(head.yaw) > self._limits.max_yaw_deg or abs(head.pitch) > self._limits.max_pitch_deg
        return QualityReason.EXTREME_POSE if extreme else None

    def _angle(self, head: Pose) -> FaceAngle:
        if abs(head.yaw) <= self._limits.frontal_yaw_deg:
            return FaceAngle.FRONTAL
        return FaceAngle.LEFT if head.yaw > 0 else FaceAngle.RIGHT


def _refuse(face: Face | None, reason: QualityReason, angle: FaceAngle) -> QualityVerdict:
    return QualityVerdict(face, reason, _ADVICE[reason], angle)


def _light_of(tones: FloatArray) -> FaceLight:
    if float(tones.mean()) < _DIM_TONE:
        return FaceLight.DIM
    middle = tones.shape[1] // 2
    sides = sorted((float(tones[:, :middle].mean()), float(tones[:, middle:].mean())))
    return FaceLight.UNEVEN if sides[1] > _UNEVEN_SIDES * sides[0] else FaceLight.GOOD

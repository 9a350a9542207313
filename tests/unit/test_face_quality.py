"""The gate names the reason, and only where there is one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.core.face_measures import face_tones, sharpness
from app.core.face_quality import FaceAngle, FaceLight, FaceQualityGate, QualityReason, QualityVerdict
from app.core.face_recognition import FaceTemplate
from app.ml_models.factories.face import FaceEngines
from app.types import Box, Embedding, Face, Image
from tests.photos import astronaut, coffee, group, portrait


@pytest.fixture
def gate(face_engines: FaceEngines) -> FaceQualityGate:
    return face_engines.gate


def judge(engines: FaceEngines, image: Image) -> QualityVerdict:
    return engines.gate.assess(image, engines.recognition.detect_faces(image))


def judge_with_face_of_original(engines: FaceEngines, image: Image) -> QualityVerdict:
    """For damage that may hide the face from the detector."""
    return engines.gate.assess(image, engines.recognition.detect_faces(astronaut()))


def template(*, norm: float, mirror_agreement: float = 0.98) -> FaceTemplate:
    return FaceTemplate(Embedding(np.ones(1, np.float32), "test"), norm=norm, mirror_agreement=mirror_agreement)


def face_turned(nose_shift: float, *, nose_lift: float = 0.0) -> Face:
    """A face of 160 px whose nose stands off the middle by that many distances between the eyes."""
    landmarks = np.array([[60, 60], [120, 60], [90, 92], [66, 122], [114, 122]], np.float32)
    landmarks[2] += (nose_shift * 60, -nose_lift * 62)
    return Face(Box(30, 10, 150, 170), 0.99, landmarks)


def noise() -> Image:
    return np.random.default_rng(0).integers(60, 190, (200, 200, 3), np.uint8)


def test_a_good_portrait_passes(face_engines: FaceEngines) -> None:
    verdict = judge(face_engines, astronaut())
    assert verdict.reason is None
    assert verdict.face is not None
    assert verdict.message == ""
    assert verdict.angle == FaceAngle.FRONTAL
    assert verdict.light == FaceLight.GOOD


def test_light_that_is_dim_or_from_one_side_is_told(face_engines: FaceEngines) -> None:
    dim = (astronaut() * 0.35).astype(np.uint8)
    falling = np.clip(2.2 - np.abs(np.arange(astronaut().shape[1]) - 180) / 40, 0.25, 1)
    one_sided = (astronaut() * falling[None, :, None]).astype(np.uint8)
    assert judge_with_face_of_original(face_engines, dim).light == FaceLight.DIM
    assert judge_with_face_of_original(face_engines, one_sided).light == FaceLight.UNEVEN


@pytest.mark.parametrize("person", range(6))
def test_everybody_in_the_group_alone_passes(face_engines: FaceEngines, person: int) -> None:
    assert judge(face_engines, portrait(person)).reason is None


def test_a_picture_without_a_face(face_engines: FaceEngines) -> None:
    verdict = judge(face_engines, coffee())
    assert verdict.reason == "no_face"
    assert verdict.face is None
    assert verdict.message


def test_a_group_has_nobody_dominant(face_engines: FaceEngines) -> None:
    assert judge(face_engines, group()).reason == QualityReason.MULTIPLE_FACES


def test_a_small_face_in_the_background_is_no_rival(face_engines: FaceEngines) -> None:
    frame = cv2.copyMakeBorder(astronaut(), 0, 0, 0, 140, cv2.BORDER_REPLICATE).astype(np.uint8)
    passer_by = cv2.resize(portrait(1), (110, 110)).astype(np.uint8)
    frame[300:410, 520:630] = passer_by
    assert len(face_engines.recognition.detect_faces(frame)) == 2
    assert judge(face_engines, frame).reason is None


def test_a_face_from_far_away_is_too_small(face_engines: FaceEngines) -> None:
    assert judge(face_engines, cv2.resize(astronaut(), (220, 220)).astype(np.uint8)).reason == "too_small"


def test_a_face_in_the_dark(face_engines: FaceEngines) -> None:
    assert judge(face_engines, (astronaut() * 0.12).astype(np.uint8)).reason == "too_dark"


def test_an_overexposed_face(face_engines: FaceEngines) -> None:
    bright = np.clip(astronaut().astype(np.float32) * 3, 0, 255).astype(np.uint8)
    assert judge_with_face_of_original(face_engines, bright).reason == "too_bright"


def test_a_blurred_face(face_engines: FaceEngines) -> None:
    blurred = cv2.GaussianBlur(astronaut(), (0, 0), 4).astype(np.uint8)
    assert judge_with_face_of_original(face_engines, blurred).reason == "blurry"


@pytest.mark.parametrize(("shift", "lift"), [(0.9, 0.0), (-0.9, 0.0), (0.0, 0.6), (0.0, -0.6)])
def test_a_head_turned_too_far(gate: FaceQualityGate, shift: float, lift: float) -> None:
    assert gate.assess(noise(), [face_turned(shift, nose_lift=lift)]).reason == "extreme_pose"


@pytest.mark.parametrize(
    ("shift", "angle"),
    [(0.0, FaceAngle.FRONTAL), (0.1, FaceAngle.FRONTAL), (0.4, FaceAngle.LEFT), (-0.4, FaceAngle.RIGHT)],
)
def test_left_is_the_persons_own(gate: FaceQualityGate, shift: float, angle: FaceAngle) -> None:
    assert gate.assess(noise(), [face_turned(shift)]).angle == angle


def test_the_angle_flips_with_the_picture(face_engines: FaceEngines) -> None:
    opposite = {FaceAngle.LEFT: FaceAngle.RIGHT, FaceAngle.RIGHT: FaceAngle.LEFT, FaceAngle.FRONTAL: FaceAngle.FRONTAL}
    turned = 0
    for person in range(6):
        angle = judge(face_engines, portrait(person)).angle
        mirrored = judge(face_engines, np.ascontiguousarray(portrait(person)[:, ::-1])).angle
        assert mirrored == opposite[angle]
        turned += angle != FaceAngle.FRONTAL
    assert turned >= 1


def test_a_longer_embedding_grades_higher(gate: FaceQualityGate) -> None:
    scores = [gate.grade(template(norm=norm)).score for norm in (8.6, 9.3, 10.7, 12.7)]
    assert scores == sorted(scores)
    assert scores[1] == pytest.approx(0.5, abs=0.01)
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_disagreement_with_the_mirror_image_lowers_the_grade(gate: FaceQualityGate) -> None:
    odd, even = template(norm=12.0, mirror_agreement=0.92), template(norm=12.0, mirror_agreement=0.98)
    assert gate.grade(odd).score < gate.grade(even).score


def test_a_face_that_the_network_hardly_knew_is_refused(gate: FaceQualityGate) -> None:
    assert gate.grade(template(norm=8.2)).reason == "low_confidence"
    assert gate.grade(template(norm=10.0)).reason is None


def test_a_real_portrait_grades_well(face_engines: FaceEngines) -> None:
    faces = face_engines.recognition.detect_faces(astronaut())
    [face_template] = face_engines.recognition.embed(astronaut(), faces)
    assert face_engines.gate.grade(face_template).score > 0.6


def test_sharpness_leaves_contrast_and_light_out(face_engines: FaceEngines) -> None:
    [face] = face_engines.recognition.detect_faces(astronaut())
    plain = sharpness(face_tones(astronaut(), face.box))
    dimmed = sharpness(face_tones((astronaut() * 0.5).astype(np.uint8), face.box))
    blurred = sharpness(face_tones(cv2.GaussianBlur(astronaut(), (0, 0), 3).astype(np.uint8), face.box))
    assert dimmed == pytest.approx(plain, rel=0.1)
    assert blurred < 0.3 * plain


def test_sharpness_of_a_flat_face_is_zero() -> None:
    assert sharpness(np.full((64, 64), 120, np.float32)) == 0.0

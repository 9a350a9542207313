"""Faces are found where they are, small and dark ones too, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.calibration import ScoreCalibration
from app.core.face_detection import PyramidScales
from app.core.face_detection_scrfd import ScrfdFaceDetector
from app.core.face_recognition import FaceRecognitionEngine
from app.core.ultraface import anchors_of, decode, on_canvas, refine, suppress
from app.ml_models.factories.face import FaceEngines, build_face_detector
from app.ml_models.factories.face_detection import YunetModel
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.ml_models.runtimes import OnnxRuntimeSession
from app.types import Box, Face, FloatArray, Image
from tests.photos import astronaut, coffee, group, portrait


@pytest.fixture
def engine(face_engines: FaceEngines) -> FaceRecognitionEngine:
    return face_engines.recognition


def scene_with(picture: Image, *, width: int, height: int, left: int, top: int) -> Image:
    """A busy frame without people, and the picture on it."""
    frame = cv2.resize(coffee(), (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return frame


def group_with_faces_of(height_px: int) -> Image:
    """The group photo at a size where the lowest of its faces, 128 px, has that height."""
    factor = height_px / 128
    return cv2.resize(group(), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)


def from_left(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: face.box.x1)


def assert_same_faces(found: list[Face], expected: list[Face], *, min_iou: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(from_left(found), from_left(expected), strict=True):
        assert one.box.iou(other.box) >= min_iou


def test_every_face_of_a_group_is_found_once(engine: FaceRecognitionEngine) -> None:
    faces = engine.detect_faces(group())
    assert len(faces) == 6
    assert all(face.score >= 0.9 for face in faces)
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


def test_landmarks_lie_in_their_face_in_the_promised_order(engine: FaceRecognitionEngine) -> None:
    for face in engine.detect_faces(group()):
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert face.landmarks.dtype == np.float32
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert np.all(face.landmarks >= [face.box.x1, face.box.y1])
        assert np.all(face.landmarks <= [face.box.x2, face.box.y2])


def test_a_picture_without_people_has_no_faces(engine: FaceRecognitionEngine) -> None:
    assert engine.detect_faces(coffee()) == []


@pytest.mark.parametrize(("width", "height", "face_px"), [(1280, 720, 44), (1920, 1080, 40)])
def test_small_faces_are_found_in_large_frames(
    engine: FaceRecognitionEngine, width: int, height: int, face_px: int
) -> None:
    people = group_with_faces_of(face_px)
    frame = scene_with(people, width=width, height=height, left=width // 2, top=height // 3)
    found = [face for face in engine.detect_faces(frame) if face.box.x1 > width // 2 - 5]
    assert len(found) == 6


def test_a_face_that_fills_the_picture_is_found(engine: FaceRecognitionEngine) -> None:
    [face] = engine.detect_dominant_faces(astronaut())
    box = face.box
    tight = astronaut()[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)]
    [close] = engine.detect_dominant_faces(cv2.resize(tight, (900, 1200)).astype(np.uint8))
    assert close.box.height > 800


def test_a_face_in_the_dark_is_found(engine: FaceRecognitionEngine) -> None:
    night = (astronaut() * 0.08).astype(np.uint8)
    assert_same_faces(engine.detect_faces(night), engine.detect_faces(astronaut()), min_iou=0.6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2000), (2000, 3), (40, 40), (64, 63)])
def test_odd_sizes_do_no_harm(engine: FaceRecognitionEngine, height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert len(engine.detect_faces(picture)) <= 1
    assert len(engine.detect_dominant_faces(picture)) <= 1


def test_a_mirrored_picture_has_mirrored_faces(engine: FaceRecognitionEngine) -> None:
    faces = engine.detect_faces(np.ascontiguousarray(group()[:, ::-1]))
    width = group().shape[1]
    back = [Face(Box(width - f.box.x2, f.box.y1, width - f.box.x1, f.box.y2), f.score, f.landmarks) for f in faces]
    assert_same_faces(back, engine.detect_faces(group()), min_iou=0.7)


def test_several_pictures_at_once_are_like_each_alone(face_engines: FaceEngines) -> None:
    detector = face_engines.recognition._detector
    together = detector.detect([group(), coffee(), astronaut()])
    alone = [detector.detect([image])[0] for image in (group(), coffee(), astronaut())]
    assert [[face.box for face in faces] for faces in together] == [[face.box for face in faces] for faces in alone]


def test_the_dominant_face_is_the_one_that_a_full_look_finds(engine: FaceRecognitionEngine) -> None:
    frame = cv2.resize(portrait(2), (1280, 1280)).astype(np.uint8)
    assert_same_faces(engine.detect_dominant_faces(frame), engine.detect_faces(frame), min_iou=0.8)


def test_small_faces_alone_are_found_by_the_dominant_look_too(engine: FaceRecognitionEngine) -> None:
    frame = scene_with(group_with_faces_of(44), width=1280, height=720, left=200, top=100)
    assert len(engine.detect_dominant_faces(frame)) >= 6


def test_a_camera_frame_of_640_by_480_takes_one_pass_and_large_ones_two() -> None:
    scales = PyramidScales()
    assert scales.coarse(640, 480) == 0.5
    assert scales.fine(640, 480) is None
    assert scales.fine(1280, 720) == pytest.approx(0.55)
    fine = scales.fine(4000, 3000)
    assert fine is not None
    assert 4000 * 3000 * fine**2 == pytest.approx(scales.max_fine_pixels)
    assert scales.coarse(100, 50) == 1.0


def test_anchors_cover_the_picture_in_the_order_of_the_network() -> None:
    anchors = anchors_of(320, 240)
    assert anchors.shape == (4420, 3)
    np.testing.assert_array_equal(anchors[:3], [[4, 4, 10], [4, 4, 16], [4, 4, 24]])
    np.testing.assert_array_equal(anchors[-1], [288, 224, 256])


def test_no_offset_leaves_the_anchor_and_an_offset_moves_it() -> None:
    anchors = np.array([[100, 50, 20]], np.float32)
    np.testing.assert_allclose(decode(anchors, np.zeros((1, 4), np.float32)), [[90, 40, 110, 60]])
    moved = decode(anchors, np.array([[5, 0, 5 * np.log(2), 0]], np.float32))
    np.testing.assert_allclose(moved, [[90, 40, 130, 60]], rtol=1e-5)


def test_of_overlapping_boxes_the_surest_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [40, 40, 50, 50]], np.float32)
    np.testing.assert_array_equal(suppress(boxes, np.array([0.7, 0.9, 0.8], np.float32)), [1, 2])


def test_nothing_is_left_of_nothing() -> None:
    assert len(suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32))) == 0


def test_the_second_look_averages_what_agrees_and_drops_the_rest() -> None:
    proposal = np.array([0, 0, 10, 10], np.float32)
    around = np.array([[0, 0, 10, 10], [0, 0, 10, 12], [80, 80, 90, 90]], np.float32)
    box, score = refine(proposal, around, np.array([0.9, 0.9, 0.99], np.float32))
    np.testing.assert_allclose(box, [0, 0, 10, 11])
    assert score == pytest.approx(0.9)


def test_a_place_that_no_box_agrees_with_scores_nothing() -> None:
    proposal = np.array([0, 0, 10, 10], np.float32)
    _, score = refine(proposal, np.array([[80, 80, 90, 90]], np.float32), np.array([0.99], np.float32))
    assert score == 0.0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (50, 130), (240, 320), (225, 320)])
def test_the_canvas_has_whole_steps_and_keeps_the_picture(height: int, width: int) -> None:
    picture = np.full((height, width, 3), 9, np.uint8)
    canvas = on_canvas(picture)
    assert canvas.shape[0] % 16 == canvas.shape[1] % 16 == 0
    assert min(canvas.shape[:2]) >= 64
    np.testing.assert_array_equal(canvas[:height, :width], picture)


def in_a_white_mask(image: Image, face: Face) -> Image:
    """The surroundings of a face, with a white cloth drawn over nose, mouth and chin."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.landmarks
    eyes, down = right_eye - left_eye, (left_mouth + right_mouth - left_eye - right_eye) / 2
    top_left, top_right = left_eye + 0.35 * (left_mouth - left_eye), right_eye + 0.35 * (right_mouth - right_eye)
    cloth = [
        top_left - 0.55 * eyes,
        top_right + 0.55 * eyes,
        right_mouth + 0.4 * eyes + 0.3 * down,
        (left_mouth + right_mouth) / 2 + 0.75 * down,
        left_mouth - 0.4 * eyes + 0.3 * down,
    ]
    covered = image.copy()
    cv2.fillPoly(covered, [np.array(cloth).astype(np.int32)], (230, 225, 220))
    margin, height, width = face.box.height, *image.shape[:2]
    around = Box(face.box.x1 - margin, face.box.y1 - margin, face.box.x2 + margin, face.box.y2 + margin)
    inside = around.clip(width, height)
    return covered[int(inside.y1) : int(inside.y2), int(inside.x1) : int(inside.x2)]


def test_a_face_in_a_mask_is_found_by_the_last_look(
    model_loader: ModelLoader, engine: FaceRecognitionEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftmost = from_left(engine.detect_faces(group()))[0]
    masked = in_a_white_mask(group(), leftmost)
    assert len(engine.detect_faces(masked)) == len(engine.detect_dominant_faces(masked)) == 1
    monkeypatch.setattr(ModelLoader, "has", lambda _, role: role != ModelRole.FACE_DETECTION_LAST)
    assert build_face_detector(model_loader, min_score=0.9).detect([masked]) == [[]]


def test_the_last_look_and_the_first_agree_on_a_bare_face(
    model_loader: ModelLoader, engine: FaceRecognitionEngine
) -> None:
    last = model_loader.model(ModelRole.FACE_DETECTION_LAST, YunetModel).build(model_loader)
    boxes, scores = last.proposer.propose(astronaut())
    [face] = engine.detect_faces(astronaut())
    assert Box(*map(float, boxes[scores.argmax()])).iou(face.box) > 0.8
    assert last.calibration.public(float(scores.max())) > 0.9
    assert last.calibration.public(float(last.proposer.propose(coffee())[1].max())) < 0.7


@pytest.mark.parametrize(("width", "height"), [(640, 480), (48, 64), (1000, 30), (33, 33)])
def test_the_last_look_takes_pictures_of_any_shape(width: int, height: int, model_loader: ModelLoader) -> None:
    last = model_loader.model(ModelRole.FACE_DETECTION_LAST, YunetModel).build(model_loader)
    boxes, scores = last.proposer.propose(np.zeros((height, width, 3), np.uint8))
    assert boxes.shape == (len(scores), 4)
    assert scores.max() < 0.5


class SilentSession:
    """A session that finds nothing, in the layout of SCRFD."""

    provider = "test"

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        side = next(iter(feed.values())).shape[2]
        counts = [2 * (side // stride) ** 2 for stride in (8, 16, 32)]
        return [np.zeros((count, width), np.float32) for width in (1, 4, 10) for count in counts]


def scrfd(session: SilentSession | OnnxRuntimeSession) -> ScrfdFaceDetector:
    calibration = ScoreCalibration(raw_threshold=0.5, public_threshold=0.9)
    return ScrfdFaceDetector(session, input_name="input.1", side_px=640, calibration=calibration, min_score=0.9)


@pytest.fixture(scope="module")
def scrfd_500m(third_party_models: Path) -> ScrfdFaceDetector:
    return scrfd(OnnxRuntimeSession(third_party_models / "scrfd_500m_bnkps.onnx"))


def test_scrfd_without_a_hit_finds_nothing() -> None:
    assert scrfd(SilentSession()).detect([coffee(), astronaut()]) == [[], []]


def test_scrfd_and_the_compact_detector_agree(scrfd_500m: ScrfdFaceDetector, engine: FaceRecognitionEngine) -> None:
    [faces] = scrfd_500m.detect([group()])
    assert_same_faces(faces, engine.detect_faces(group()), min_iou=0.5)
    ours = np.stack([face.landmarks for face in from_left(engine.detect_faces(group()))])
    theirs = np.stack([face.landmarks for face in from_left(faces)])
    assert np.abs(ours - theirs).mean() < 0.06 * 140


def test_scrfd_finds_small_faces_in_parts(scrfd_500m: ScrfdFaceDetector) -> None:
    frame = scene_with(group_with_faces_of(40), width=1920, height=1080, left=900, top=500)
    [faces] = scrfd_500m.detect([frame])
    assert len([face for face in faces if face.box.x1 > 890]) == 6
    [dominant] = scrfd_500m.detect_dominant([frame])
    assert len(dominant) == len(faces)

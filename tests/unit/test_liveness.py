"""Live people pass, prints do not, and where nothing can be told nobody is called live."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.calibration import ScoreCalibration
from app.core.face_recognition import largest_face
from app.core.liveness import LivenessDetector, LivenessLimits, LivenessView, Uncertainty
from app.core.picture_network import PictureNetwork
from app.ml_models.factories.face import FaceEngines
from app.types import Box, Face, FloatArray, Image
from tests.photos import astronaut, evaluation_data, group, read_photo

NO_LIMITS = LivenessLimits(min_face_px=0, min_sharpness=0)


class FixedLogits:
    """A session that always answers the same, and keeps what it was fed."""

    provider = "test"

    def __init__(self, logits: list[float]) -> None:
        self._logits = logits
        self.fed: list[NDArray[np.generic]] = []

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        [crops] = feed.values()
        self.fed.append(crops)
        return [np.tile(np.array(self._logits, np.float32), (len(crops), 1))]


def view(session: FixedLogits, *, context: float = 2.7, live_class: int = 1) -> LivenessView:
    network = PictureNetwork(session, input_name="input", mean=0.0, scale=1.0, rgb=False)
    return LivenessView(network, side_px=80, context=context, live_class=live_class, outline="box")


def detector_of(*views: LivenessView, min_score: float = 0.5) -> LivenessDetector:
    return LivenessDetector(views, calibration=ScoreCalibration(0.5, 0.5), min_score=min_score, limits=NO_LIMITS)


def face_at(box: Box) -> Face:
    return Face(box, 0.99, np.zeros((5, 2), np.float32))


def test_real_people_are_live(face_engines: FaceEngines) -> None:
    faces = face_engines.recognition.detect_faces(group())
    verdicts = face_engines.liveness.assess(group(), faces)
    assert len(verdicts) == 6
    assert all(verdict.is_live and verdict.uncertain is None for verdict in verdicts)


def test_a_bounding_box_gets_a_verdict_and_a_score(face_engines: FaceEngines) -> None:
    [face] = face_engines.recognition.detect_faces(astronaut())
    box = face.box
    is_live, score = face_engines.liveness.check_liveness(astronaut(), [box.x1, box.y1, box.x2, box.y2])
    assert is_live is True
    assert 0.5 <= score <= 1.0
    assert score == pytest.approx(face_engines.liveness.assess(astronaut(), [face])[0].score)


def test_a_blurred_face_is_uncertain_and_never_live(face_engines: FaceEngines) -> None:
    [face] = face_engines.recognition.detect_faces(astronaut())
    for share in (0.02, 0.04, 0.08):
        blurred = cv2.GaussianBlur(astronaut(), (0, 0), share * face.box.height).astype(np.uint8)
        [verdict] = face_engines.liveness.assess(blurred, [face])
        assert verdict.uncertain == Uncertainty.BLURRY
        assert not verdict.is_live


def test_a_tiny_face_is_uncertain_and_never_live(face_engines: FaceEngines) -> None:
    small = cv2.resize(astronaut(), (180, 180), interpolation=cv2.INTER_AREA).astype(np.uint8)
    [face] = face_engines.recognition.detect_faces(small)
    [verdict] = face_engines.liveness.assess(small, [face])
    assert verdict.uncertain == Uncertainty.TOO_SMALL
    assert not verdict.is_live


def test_no_faces_have_no_verdicts(face_engines: FaceEngines) -> None:
    assert face_engines.liveness.assess(group(), []) == []


def test_several_networks_are_averaged_by_probability() -> None:
    sure, unsure = FixedLogits([0.0, 20.0, 0.0]), FixedLogits([0.0, 0.0, -20.0])
    [verdict] = detector_of(view(sure), view(unsure)).assess(astronaut(), [face_at(Box(180, 60, 280, 190))])
    assert verdict.score == pytest.approx((1.0 + 0.5) / 2, abs=1e-3)


class Denier:
    """A second opinion to which everybody is a picture, as surely as is said."""

    attack_score = 0.2

    def __init__(self, score: float = 0.0) -> None:
        self._score = score

    def scores(self, image: Image, boxes: Sequence[Box], **_told: object) -> list[float]:
        return [self._score for _ in boxes if image.size]


def test_the_second_opinion_has_the_last_word_except_where_the_networks_alone_are_asked() -> None:
    face = face_at(Box(180, 60, 280, 190))
    detector = LivenessDetector(
        [view(FixedLogits([0.0, 9.0]))],
        calibration=ScoreCalibration(0.5, 0.5),
        min_score=0.5,
        limits=NO_LIMITS,
        second=Denier(),
    )
    assert not detector.assess(astronaut(), [face])[0].is_live
    assert detector.by_networks_alone().assess(astronaut(), [face])[0].is_live


@pytest.mark.parametrize(
    ("score", "is_live", "uncertain"),
    [(0.1, False, None), (0.3, False, Uncertainty.UNCLEAR), (0.49, False, Uncertainty.UNCLEAR), (0.5, True, None)],
)
def test_between_an_attack_and_a_pass_nobody_can_tell(
    score: float, is_live: bool, uncertain: Uncertainty | None
) -> None:
    detector = LivenessDetector(
        [view(FixedLogits([0.0, 9.0]))],
        calibration=ScoreCalibration(0.5, 0.5),
        min_score=0.5,
        limits=NO_LIMITS,
        second=Denier(score),
    )
    [verdict] = detector.assess(astronaut(), [face_at(Box(180, 60, 280, 190))])
    assert (verdict.is_live, verdict.uncertain) == (is_live, uncertain)


def test_the_live_class_is_the_packs() -> None:
    box = face_at(Box(180, 60, 280, 190))
    first = detector_of(view(FixedLogits([9.0, 0.0, 0.0]), live_class=0)).assess(astronaut(), [box])
    second = detector_of(view(FixedLogits([9.0, 0.0, 0.0]), live_class=1)).assess(astronaut(), [box])
    assert first[0].is_live
    assert not second[0].is_live


def test_the_score_must_reach_the_threshold() -> None:
    session = FixedLogits([0.0, 1.0])  # probability 0.73
    box = face_at(Box(180, 60, 280, 190))
    assert detector_of(view(session), min_score=0.7).assess(astronaut(), [box])[0].is_live
    assert not detector_of(view(session), min_score=0.8).assess(astronaut(), [box])[0].is_live


@pytest.mark.parametrize(
    "box",
    [
        Box(0, 0, 100, 120),
        Box(420, 400, 512, 512),
        Box(-30, -30, 60, 80),
        Box(10, 10, 500, 500),
        Box(600, 600, 700, 700),
    ],
)
def test_what_the_network_sees_never_leaves_the_picture(box: Box) -> None:
    """A border that we invented would look like the edge of a live shot."""
    picture: Image = np.full((512, 512, 3), 200, np.uint8)
    session = FixedLogits([0.0, 0.0])
    detector_of(view(session, context=4.0)).assess(picture, [face_at(box)])
    assert session.fed[0].shape == (1, 3, 80, 80)
    assert np.all(session.fed[0] == 200)


def test_prints_are_refused_and_live_faces_pass(face_engines: FaceEngines) -> None:
    folder = evaluation_data("spoof")
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    errors, judged = 0, 0
    for row in rows[::5]:
        image = read_photo(folder / row["file"])
        face = largest_face(face_engines.recognition.detect_dominant_faces(image))
        passes = face is not None and face_engines.liveness.assess(image, [face])[0].is_live
        errors += passes != (row["label"] == "live")
        judged += 1
    assert judged >= 20
    assert errors <= 1

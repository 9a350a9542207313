"""Hazards and people in single frames: flame colours, boxes, and real weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector, find_flames, flame_colour_share
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.errors import ConfigurationError
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.heads import views_of, write_head
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Image
from tests.photos import astronaut, coffee, group

pytestmark = pytest.mark.slow

ALL = frozenset(AnomalyType)
HAZARDS = ALL - {AnomalyType.INTRUSION}


@pytest.fixture(scope="module")
def detector() -> HeadAnomalyDetector:
    return build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))


def night_with_fire() -> Image:
    """A dark frame with a patch in the colours of flames at x 120–180, y 40–100."""
    frame = np.full((200, 300, 3), 20, np.uint8)
    frame[40:100, 120:180] = (30, 120, 250)
    return frame


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((30, 120, 250), 1.0),  # orange
        ((10, 60, 200), 1.0),  # red
        ((230, 240, 250), 0.0),  # white wall
        ((60, 160, 60), 0.0),  # leaf
        ((200, 80, 40), 0.0),  # sky
        ((120, 150, 180), 0.0),  # wood, skin
        ((20, 20, 20), 0.0),
    ],
)
def test_flame_colours(colour: tuple[int, int, int], expected: float) -> None:
    share = flame_colour_share(np.full((50, 70, 3), colour, np.uint8), cells=4)
    assert share == pytest.approx(np.full((4, 4), expected))


def test_white_counts_only_beside_flames() -> None:
    frame = np.full((224, 224, 3), 255, np.uint8)
    assert flame_colour_share(frame, cells=28).max() == 0
    frame[:, :112] = (30, 120, 250)
    assert flame_colour_share(frame, cells=28)[14, 14] > 0


def test_box_lies_where_evidence_and_colour_meet() -> None:
    evidence = np.full((7, 7), -1.0, np.float32)
    evidence[1:4, 2:5] = 2.0
    flames = find_flames(night_with_fire(), evidence)
    assert flames is not None
    box = flames.box
    assert box is not None
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((120, 40, 180, 100), abs=15)


def test_no_flames_without_colour_or_without_evidence() -> None:
    evidence = np.full((7, 7), 2.0, np.float32)
    assert find_flames(np.full((80, 80, 3), 90, np.uint8), evidence) is None
    assert find_flames(night_with_fire(), -evidence) is None


def test_no_box_around_the_whole_frame() -> None:
    flames = find_flames(np.full((80, 80, 3), (30, 120, 250), np.uint8), np.full((7, 7), 2.0, np.float32))
    assert flames is not None
    assert flames.box is None


def test_pictures_of_other_things_are_no_hazards(detector: HeadAnomalyDetector) -> None:
    for image in (astronaut(), coffee(), np.zeros((480, 640, 3), np.uint8), np.full((480, 640, 3), 255, np.uint8)):
        assert detector.detect(image, HAZARDS) == []


def test_people_are_found_and_lie_in_the_frame(detector: HeadAnomalyDetector) -> None:
    people = detector.detect(group(), frozenset({AnomalyType.INTRUSION}))
    height, width = group().shape[:2]
    assert len(people) >= 5
    assert [person.confidence for person in people] == sorted((p.confidence for p in people), reverse=True)
    for person in people:
        assert person.type is AnomalyType.INTRUSION
        assert person.box is not None
        assert 0 <= person.box.x1 < person.box.x2 <= width
        assert 0 <= person.box.y1 < person.box.y2 <= height


def test_nobody_is_found_where_nobody_is(detector: HeadAnomalyDetector) -> None:
    assert detector.detect(coffee(), frozenset({AnomalyType.INTRUSION})) == []


def test_nothing_asked_nothing_found(detector: HeadAnomalyDetector) -> None:
    assert detector.detect(group(), frozenset()) == []


def test_every_head_that_was_asked_says_something_of_a_harmless_frame(detector: HeadAnomalyDetector) -> None:
    asked = detector.examine(coffee(), HAZARDS).scores
    assert set(asked) == {"hazard_fire_or_smoke", "hazard_flood", "view_outdoors"}
    assert 0.0 < max(asked["hazard_fire_or_smoke"], asked["hazard_flood"]) < 0.5
    assert set(detector.examine(coffee(), frozenset({AnomalyType.FLOOD})).scores) == {"hazard_flood", "view_outdoors"}
    assert detector.examine(group(), frozenset({AnomalyType.INTRUSION})).scores == {}


_OLDER_RELEASE: dict[str, object] = {"views": {"frame": "320 px, tiles 4x4 of 160 px overlapping 0.25"}}


@pytest.mark.parametrize(
    ("look", "facts", "refusal"),
    [
        ("frame", {"views": views_of(["frame"])}, None),
        ("quick", {"views": views_of(["quick"])}, "--looks frame"),
        ("frame", {}, "views of an older release.*train it again"),
        ("frame", _OLDER_RELEASE, r"tiles 4x4 of 160 px.*tiles 4x4 2x2 of 160 px.*train it again"),
    ],
)
def test_a_hotels_own_head_is_used_if_it_was_trained_for_frames_as_they_are_seen(
    tmp_path: Path, look: str, facts: dict[str, object], refusal: str | None
) -> None:
    loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    level = TwoSlopeCalibration(midpoint=-9.0, slope_below=1.0, slope_above=1.0)
    weights = np.zeros(1280, np.float32)
    own = LinearHead("hazard_flood", weights, bias=0.0, pooling=Pooling.PEAK, calibrations={look: level})
    model_id = loader.spec("image_features").model_id
    write_head(tmp_path / "hazard_flood.json", own, model_id=model_id, facts=facts)
    if refusal is not None:
        with pytest.raises(ConfigurationError, match=refusal):
            build_anomaly_detector(loader, own_heads_dir=tmp_path)
        return
    told = build_anomaly_detector(loader, own_heads_dir=tmp_path).detect(coffee(), frozenset({AnomalyType.FLOOD}))
    assert [anomaly.type for anomaly in told] == [AnomalyType.FLOOD], "this head says yes to everything"


def frames(eval_data: Path, pattern: str, count: int) -> list[Image]:
    paths = sorted(eval_data.glob(pattern))
    found = [cv2.imread(str(path)) for path in paths[:: max(len(paths) // count, 1)][:count]]
    return [image.astype(np.uint8) for image in found if image is not None]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("hazards_outdoor/fire/*.jpg", {AnomalyType.FIRE, AnomalyType.SMOKE}),
        ("hazards_cctv/fire/*.jpg", {AnomalyType.FIRE, AnomalyType.SMOKE}),
        ("hazards_flood/flood/*.jpg", {AnomalyType.FLOOD}),
    ],
)
def test_real_hazards_are_found(
    detector: HeadAnomalyDetector, eval_data: Path, pattern: str, wanted: set[AnomalyType]
) -> None:
    images = frames(eval_data, pattern, 10)
    hits = [any(anomaly.type in wanted for anomaly in detector.detect(image, HAZARDS)) for image in images]
    assert sum(hits) >= 8


def test_smoke_that_fills_the_frame_has_more_of_it_than_smoke_in_a_corner(
    detector: HeadAnomalyDetector, eval_data: Path
) -> None:
    """The same smoke, and the same in a quarter of a grey frame."""
    compared = 0
    for image in frames(eval_data, "hazards_cctv/smoke/*.jpg", 6):
        apart = np.full((2 * image.shape[0], 2 * image.shape[1], 3), 90, np.uint8)
        apart[: image.shape[0], : image.shape[1]] = image
        full, corner = (detector.detect(shown, HAZARDS) for shown in (image, apart))
        if full and corner:
            compared += 1
            assert full[0].extent > corner[0].extent > 0
    assert compared >= 2


def test_clean_rooms_raise_no_alarm(detector: HeadAnomalyDetector, eval_data: Path) -> None:
    for image in frames(eval_data, "rooms/clean/*.jpg", 12):
        assert detector.detect(image, HAZARDS) == []


def test_smoke_is_told_when_fire_is_asked_for_and_fire_not_when_smoke_is(
    detector: HeadAnomalyDetector, eval_data: Path
) -> None:
    images = frames(eval_data, "hazards_cctv/smoke/*.jpg", 12) + frames(eval_data, "hazards_outdoor/fire/*.jpg", 6)
    asked_fire = [detector.detect(image, frozenset({AnomalyType.FIRE})) for image in images]
    asked_smoke = [detector.detect(image, frozenset({AnomalyType.SMOKE})) for image in images]
    assert any(anomaly.type is AnomalyType.SMOKE for found in asked_fire for anomaly in found)
    assert not any(anomaly.type is AnomalyType.FIRE for found in asked_smoke for anomaly in found)

"""What a camera always sees: how much of a place's score is there on any day."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.anomalies import AnomalyType, Suspect
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration, unit
from app.core.looks import FRAME, PLANS
from app.core.usual_scene import UsualPlace, UsualScene, pack_row, unpack_row
from app.core.views import view_places
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import FloatArray, Image
from scripts.heads.photos import open_photo
from tests.photos import evaluation_data

FIRE, FLOOD = frozenset({AnomalyType.FIRE}), frozenset({AnomalyType.FLOOD})
NEUTRAL = -2.0
LANTERN = unit(np.array([[3.0, 1.0, 0.0]], np.float32))[0]
WALL = unit(np.array([[-3.0, 1.0, 0.0]], np.float32))[0]
FLAMES = unit(np.array([[3.0, -3.0, 3.0]], np.float32))[0]


def head() -> LinearHead:
    weights = np.array([5.0, 0.0, 0.0], np.float32)
    return LinearHead("burns", weights, 0.0, Pooling.SPOT, {FRAME: TwoSlopeCalibration(0.0, 1.0, 2.0)})


def excess(places: list[UsualPlace], *rows: FloatArray, types: frozenset[AnomalyType] = FIRE) -> list[float]:
    found = UsualScene(places).excess(head(), np.stack(rows), wholes=1, types=types, neutral=NEUTRAL)
    return [float(one) for one in found]


def test_what_a_place_always_says_is_taken_off_as_far_as_it_is_no_harmless_view() -> None:
    always = float(LANTERN @ head().weights) - NEUTRAL
    assert excess([UsualPlace(1, LANTERN)], LANTERN, LANTERN) == pytest.approx([0.0, always], abs=1e-5)


def test_a_tile_is_judged_by_the_weights_of_tiles() -> None:
    apart = replace(head(), tile_weights=-head().weights)
    places = [UsualPlace(0, LANTERN), UsualPlace(1, LANTERN), UsualPlace(1, WALL)]
    found = UsualScene(places).excess(apart, np.stack([LANTERN, WALL]), wholes=1, types=FIRE, neutral=NEUTRAL)
    assert found == pytest.approx([float(LANTERN @ head().weights) - NEUTRAL, -float(WALL @ head().weights) - NEUTRAL])


def test_a_place_that_looks_otherwise_is_news() -> None:
    assert excess([UsualPlace(0, LANTERN)], FLAMES) == [0.0]


def test_a_place_that_never_looked_like_a_hazard_takes_nothing_off() -> None:
    assert excess([UsualPlace(0, WALL)], WALL) == [0.0]


def test_of_several_looks_of_a_place_the_nearest_counts() -> None:
    assert excess([UsualPlace(0, WALL), UsualPlace(0, LANTERN)], LANTERN)[0] > 0


def test_a_false_alarm_of_one_kind_holds_back_no_other() -> None:
    told = [UsualPlace(0, LANTERN, FIRE)]
    assert excess(told, LANTERN, types=FIRE)[0] > 0
    assert excess(told, LANTERN, types=FLOOD) == [0.0]


def test_without_places_nothing_is_taken_off() -> None:
    assert excess([], LANTERN, WALL) == [0.0, 0.0]


def test_a_row_is_nearly_itself_when_it_comes_back() -> None:
    row = unit(np.random.default_rng(0).normal(size=(1, 1280)).astype(np.float32))[0]
    assert len(pack_row(row)) == 1280
    assert float(unpack_row(pack_row(row)) @ row) > 0.999


def test_a_calibration_gives_the_score_back() -> None:
    calibration = TwoSlopeCalibration(0.4, 1.0, 2.0)
    assert [calibration.probability(calibration.score_of(p)) for p in (0.05, 0.5, 0.9)] == pytest.approx(
        [0.05, 0.5, 0.9]
    )


def test_views_lie_in_the_order_in_which_they_are_taken() -> None:
    places = view_places(PLANS[FRAME])
    assert len(places) == 1 + 16 + 4
    assert (places[0].width, places[1].x1, places[-1].x2) == (1, 0, pytest.approx(1))


# With real weights


@pytest.fixture(scope="module")
def detector() -> HeadAnomalyDetector:
    return build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))


def scene_of(suspects: tuple[Suspect, ...]) -> UsualScene:
    return UsualScene([UsualPlace(suspect.view, suspect.row) for suspect in suspects])


def shaken(image: Image, *, pixels: int, light: int = 0) -> Image:
    return np.clip(np.roll(image, pixels, axis=1).astype(np.int16) + light, 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_what_was_there_yesterday_is_no_news_and_what_begins_beside_it_is(detector: HeadAnomalyDetector) -> None:
    """Fires stand for whatever looks like one; the second of each pair begins in the picture of the first."""
    photos = [open_photo(path) for path in sorted((evaluation_data("hazards_outdoor") / "fire").iterdir())[::15]]
    alerting = [photo for photo in photos if any(one.reaches_alert for one in detector.detect(photo, FIRE))]
    assert len(alerting) >= 5
    for photo, other in itertools.pairwise(alerting):
        looks = [detector.examine(shaken(photo, pixels=pixels), FIRE).suspects for pixels in (-3, 0, 3)]
        yesterday = scene_of(looks[0] + looks[1] + looks[2])
        again = detector.examine(shaken(photo, pixels=2, light=-10), FIRE, yesterday)
        assert not any(one.reaches_alert for one in again.anomalies)
        assert again.held_back
        assert any(one.reaches_alert for one in detector.examine(other, FIRE, yesterday).anomalies)

"""Linear heads: scores, pooling, calibration, activation maps, and their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.core.activation import hot_region
from app.core.features import Features
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration, pool_scores
from app.core.views import Views
from app.errors import ConfigurationError
from app.ml_models.heads import HEADS_DIR, load_heads, read_head, read_head_file, write_head
from app.types import FloatArray

LEVEL = TwoSlopeCalibration(midpoint=0.0, slope_below=1.0, slope_above=1.0)


def features_of(feature_map: FloatArray) -> Features:
    return Features(pooled=feature_map.mean((1, 2)), logits=np.zeros(1000, np.float32), feature_map=feature_map)


def random_features(seed: int = 0) -> Features:
    return features_of(np.random.default_rng(seed).uniform(0, 1, (6, 4, 5)).astype(np.float32))


def head(*, pooling: Pooling = Pooling.MEAN, name: str = "test", bias: float = 0.3) -> LinearHead:
    weights = np.array([1, -2, 0.5, 0, 3, -1], np.float32)
    return LinearHead(name=name, weights=weights, bias=bias, pooling=pooling, calibrations={"quick": LEVEL})


def test_score_does_not_depend_on_the_features_length() -> None:
    plain, longer = random_features(), features_of(random_features().feature_map * 7)
    assert head().scores([plain]) == pytest.approx(head().scores([longer]), abs=1e-5)


def test_activation_averages_to_the_score() -> None:
    features = random_features()
    activation = head().activation(features)
    assert activation.shape == (4, 5)
    assert float(activation.mean()) == pytest.approx(float(head().scores([features])[0]), abs=1e-5)


@pytest.mark.parametrize(("pooling", "expected"), [(Pooling.MEAN, (2 + 2.5) / 2), (Pooling.PEAK, (2 + 2 * 5) / 3)])
def test_pooling(pooling: Pooling, expected: float) -> None:
    wholes, tiles = np.array([1, 3], np.float32), np.array([2, 6, 0, 4, 1, 2], np.float32)
    assert pool_scores(wholes, tiles, pooling=pooling) == pytest.approx(expected)


def test_without_tiles_the_whole_views_decide() -> None:
    assert pool_scores(np.array([1, 3], np.float32), None, pooling=Pooling.PEAK) == pytest.approx(2)


def test_head_scores_all_views_of_a_picture() -> None:
    views = Views(wholes=(random_features(1),), tiles=(random_features(2), random_features(3)), tile_boxes=())
    whole, *tiles = (float(head().scores([item])[0]) for item in views.all)
    assert head().score(views) == pytest.approx((whole + np.mean(tiles)) / 2)


def test_tiles_are_scored_by_weights_of_their_own() -> None:
    views = Views(wholes=(random_features(1),), tiles=(random_features(2), random_features(3)), tile_boxes=())
    apart = replace(head(), tile_weights=head().weights[::-1].copy())
    turned = replace(head(), weights=head().weights[::-1].copy())
    whole, tiles = float(head().scores(views.wholes)[0]), turned.scores(views.tiles)
    assert apart.score(views) == pytest.approx((whole + float(tiles.mean())) / 2)


def test_calibration_is_half_at_its_midpoint_and_has_two_slopes() -> None:
    calibration = TwoSlopeCalibration(midpoint=1.0, slope_below=1.0, slope_above=4.0)
    assert calibration.probability(1.0) == pytest.approx(0.5)
    assert 1 - calibration.probability(0.0) == pytest.approx(calibration.probability(1.25))
    assert calibration.probability(1e9) == pytest.approx(1.0)
    assert calibration.probability(-1e9) == pytest.approx(0.0, abs=1e-12)


def test_hot_region_surrounds_the_part_around_the_peak() -> None:
    heat = np.zeros((10, 10), np.float32)
    heat[2:4, 5:8] = 1.0
    heat[9, 0] = 0.9  # another part, not connected
    box = hot_region(heat, width=200, height=100, min_share_of_peak=0.5)
    assert box is not None
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((100, 20, 160, 40))


def test_no_evidence_has_no_region() -> None:
    assert hot_region(np.full((3, 3), -0.1, np.float32), width=9, height=9, min_share_of_peak=0.5) is None


def test_head_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    write_head(path, head(), model_id="backbone-1", facts={"photos": 7})
    found = read_head(path, model_id="backbone-1")
    assert np.array_equal(found.weights, head().weights)
    assert (found.bias, found.pooling, found.calibrations) == (head().bias, Pooling.MEAN, {"quick": LEVEL})
    assert read_head_file(path).facts["photos"] == 7
    assert [file.name for file in tmp_path.iterdir()] == ["test.json"]


def test_weights_of_tiles_survive_the_file_and_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    write_head(path, head(), model_id="backbone-1", facts={})
    assert read_head(path, model_id="backbone-1").tile_weights is None
    apart = replace(head(), tile_weights=np.arange(6, dtype=np.float32))
    write_head(path, apart, model_id="backbone-1", facts={})
    found = read_head(path, model_id="backbone-1").tile_weights
    assert found is not None
    assert found.tolist() == [0, 1, 2, 3, 4, 5]
    document = json.loads(path.read_text()) | {"tile_weights_float32": "?"}
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="is damaged"):
        read_head(path, model_id="backbone-1")


def test_head_of_another_backbone_is_refused(tmp_path: Path) -> None:
    write_head(tmp_path / "test.json", head(), model_id="backbone-1", facts={})
    with pytest.raises(ConfigurationError, match=r"backbone-1.*cv heads train"):
        read_head(tmp_path / "test.json", model_id="backbone-2")


def damaged(text: str, change: dict[str, object]) -> str:
    return json.dumps(json.loads(text) | change)


@pytest.mark.parametrize(
    "change",
    [{"weights_float32": "####"}, {"weights_float32": ""}, {"weights_float32": "AAA="}, {"schema": 2}, {"bias": None}],
)
def test_damaged_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "test.json"
    write_head(path, head(), model_id="backbone-1", facts={})
    path.write_text(damaged(path.read_text(), change))
    with pytest.raises(ConfigurationError):
        read_head(path, model_id="backbone-1")


@pytest.mark.parametrize("content", ["", "not json", "[1]"])
def test_file_that_is_no_head_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "test.json").write_text(content)
    with pytest.raises(ConfigurationError):
        read_head_file(tmp_path / "test.json")


def test_missing_head_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no_such_head\.json"):
        load_heads("no_such_head", model_id="any")


def test_own_head_wins_over_the_shipped_one(tmp_path: Path) -> None:
    model_id = read_head_file(HEADS_DIR / "room_messy.json").model_id
    own = head(name="room_messy", bias=-4.0)
    write_head(tmp_path / "room_messy.json", own, model_id=model_id, facts={})
    found = load_heads("room_messy", "bed_unmade", model_id=model_id, own_dir=tmp_path)
    assert found["room_messy"].bias == -4.0
    assert found["bed_unmade"].weights.shape == (1280,)

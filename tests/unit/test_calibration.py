"""Public scores: thresholds fall where they should, galleries count, and nothing overflows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.calibration import MatchCalibration, ScoreCalibration

SHIPPED = MatchCalibration(slope=30.33, intercept=-9.29)


def test_the_raw_threshold_falls_on_the_public_one() -> None:
    calibration = ScoreCalibration(raw_threshold=0.62, public_threshold=0.9)
    assert calibration.public(0.62) == pytest.approx(0.9)
    assert calibration.raw(0.9) == pytest.approx(0.62)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_public_scores_keep_the_order_of_raw_ones(a: float, b: float) -> None:
    calibration = ScoreCalibration(raw_threshold=0.8, public_threshold=0.5)
    low, high = sorted((a, b))
    assert calibration.public(low) <= calibration.public(high)


@pytest.mark.parametrize("raw", [0.0, 1.0])
def test_certain_scores_stay_certain(raw: float) -> None:
    assert ScoreCalibration(raw_threshold=0.3, public_threshold=0.9).public(raw) == pytest.approx(raw, abs=1e-4)


def test_a_pair_at_the_measured_cosine_has_confidence_0_7() -> None:
    assert SHIPPED.confidence(0.3342) == pytest.approx(0.7, abs=0.001)


def test_a_search_among_more_people_is_less_sure() -> None:
    confidences = [SHIPPED.confidence(0.45, people=people) for people in (10, 30, 100, 300, 3000)]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] - confidences[-1] > 0.3


@pytest.mark.parametrize("people", [0, 1, 10])
def test_a_small_gallery_counts_like_a_pair(people: int) -> None:
    assert SHIPPED.confidence(0.4, people=people) == SHIPPED.confidence(0.4)


def test_ten_times_the_people_take_their_logarithm_off_the_logit() -> None:
    def logit(p: float) -> float:
        return math.log(p / (1 - p))

    difference = logit(SHIPPED.confidence(0.4, people=100)) - logit(SHIPPED.confidence(0.4, people=1000))
    assert difference == pytest.approx(math.log(10))


@given(st.floats(0.02, 0.98), st.integers(0, 100_000))
def test_cosine_is_the_inverse_of_confidence(confidence: float, people: int) -> None:
    assert SHIPPED.confidence(SHIPPED.cosine(confidence, people), people) == pytest.approx(confidence)


def test_extreme_cosines_do_not_overflow() -> None:
    steep = MatchCalibration(slope=2000.0, intercept=0.0)
    assert steep.confidence(-1.0) == pytest.approx(0.0)
    assert steep.confidence(1.0) == pytest.approx(1.0)

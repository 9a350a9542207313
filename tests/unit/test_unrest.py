"""What burns changes from frame to frame; lamps and pictures of a fire do not."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from app.core.anomalies import BURNING, Anomaly, AnomalyType
from app.types import Box, Image
from app.workflows.cameras.unrest import Unrest
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.rules import CameraRules
from tests.photos import coffee

SCENE: Image = np.asarray(cv2.resize(coffee(), (640, 480)), dtype=np.uint8)
SIZE = (640, 480)
PLACE = Box(300, 200, 360, 280)


def steady(number: int) -> Image:
    """The scene with noise and light that flickers, for a lens that does not move."""
    noise = np.random.default_rng(number).normal(0, 5, SCENE.shape)
    shown: Image = np.clip(SCENE * (1 + 0.05 * np.sin(1.7 * number)) + noise, 0, 255).astype(np.uint8)
    return shown


def burning(number: int) -> Image:
    """The scene with a flame that leaps in ``PLACE``."""
    image = steady(number)
    top = 215 + 15 * (number % 3)
    cv2.ellipse(image, (330, (top + 275) // 2), (22, (275 - top) // 2), 0, 0, 360, (60, 170, 255), -1)
    return image


def smoking(number: int) -> Image:
    """The scene behind smoke that grows slowly."""
    veil = np.zeros(SCENE.shape[:2], np.float32)
    cv2.circle(veil, (320, 240), 20 + 4 * number, 1.0, -1)
    thick = 0.6 * cv2.GaussianBlur(veil, (0, 0), 12)[..., None]
    shown: Image = (steady(number) * (1 - thick) + 190 * thick).astype(np.uint8)
    return shown


@pytest.mark.parametrize("place", [PLACE, None])
def test_noise_and_light_that_flickers_are_no_unrest(place: Box | None) -> None:
    unrest = Unrest()
    for number in range(12):
        unrest.see(steady(number), number / 2)
        assert not unrest.is_alive(place, SIZE), number


@pytest.mark.parametrize("place", [PLACE, None])
def test_flames_are(place: Box | None) -> None:
    unrest = Unrest()
    unrest.see(burning(0), 0.0)
    assert not unrest.is_alive(place, SIZE), "one frame shows no change"
    unrest.see(burning(1), 0.5)
    assert unrest.is_alive(place, SIZE)
    assert not unrest.is_alive(Box(20, 20, 120, 120), SIZE), "elsewhere all is quiet"


def test_smoke_that_spreads_slowly_is_seen_against_earlier_frames() -> None:
    unrest = Unrest()
    for number in range(8):
        unrest.see(smoking(number), number / 2)
    assert unrest.is_alive(None, SIZE)


def test_what_was_long_ago_or_of_another_size_is_not_compared() -> None:
    unrest = Unrest()
    unrest.see(burning(0), 0.0)
    unrest.see(burning(1), 100.0)
    assert unrest.share(PLACE, SIZE) == 0.0
    unrest.see(np.asarray(cv2.resize(burning(2), (320, 180)), dtype=np.uint8), 100.5)
    assert unrest.share(None, (320, 180)) == 0.0


@pytest.mark.parametrize("edge", [Box(-50, -50, 40, 40), Box(620, 470, 700, 500), Box(639, 479, 640, 480)])
def test_places_at_the_edge_are_judged_as_far_as_they_reach(edge: Box) -> None:
    unrest = Unrest()
    for number in range(2):
        unrest.see(steady(number), number / 2)
    assert unrest.share(edge, SIZE) < 0.03


@pytest.mark.parametrize(("shown", "incidents"), [(steady, 0), (burning, 1)])
def test_a_camera_asks_for_change_before_it_believes_in_a_fire(shown: object, incidents: int) -> None:
    watch, unrest = AnomalyWatch(CameraRules(), interval_s=0.5), Unrest()
    assert callable(shown)
    seen = Anomaly(AnomalyType.FIRE, 0.9, PLACE, reaches_alert=True)
    found = 0
    for number in range(10):
        unrest.see(shown(number), number / 2)
        moment = datetime.now(UTC)
        found += len(watch.see([seen], BURNING, staff=[], size=SIZE, moment=moment, now_s=number / 2, unrest=unrest))
    assert found == incidents


def test_water_is_asked_for_no_change() -> None:
    watch, unrest = AnomalyWatch(CameraRules(), interval_s=0.5), Unrest()
    seen = Anomaly(AnomalyType.FLOOD, 0.9, None, reaches_alert=True)
    found = 0
    for number in range(10):
        unrest.see(steady(number), number / 2)
        types = frozenset({AnomalyType.FLOOD})
        moment = datetime.now(UTC)
        found += len(watch.see([seen], types, staff=[], size=SIZE, moment=moment, now_s=number / 2, unrest=unrest))
    assert found == 1

"""A camera whose pictures are of no use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from app.services.streams.types import Fault
from app.types import FloatArray, Image
from app.workflows.cameras.condition import Condition, ConditionWatch
from app.workflows.cameras.health import CameraHealth, HealthKind, health_of
from app.workflows.cameras.reader import ReaderState, ReaderStatus
from tests.photos import coffee

_STEP_S = 0.5
SCENE: Image = cv2.resize(coffee(), (320, 240)).astype(np.uint8)
BLURRED: Image = cv2.GaussianBlur(SCENE, (0, 0), 9).astype(np.uint8)
UPSIDE_DOWN: Image = cv2.flip(SCENE, 0).astype(np.uint8)
INFRARED: Image = cv2.merge([cv2.equalizeHist(cv2.cvtColor(SCENE, cv2.COLOR_BGR2GRAY))] * 3).astype(np.uint8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


_NOISE: FloatArray = np.random.default_rng(0).standard_normal(
    (16, *SCENE.shape), np.float32
)  # another one for each next picture


def noisy(image: Image, seed: int, deviation: float = 3.0) -> Image:
    shown: Image = np.clip(image + deviation * _NOISE[seed % len(_NOISE)], 0, 255).astype(np.uint8)
    return shown


def filled(image: Image, colour: tuple[int, int, int]) -> Image:
    """The lower half as a decoder leaves what it lacks."""
    damaged = image.copy()
    damaged[image.shape[0] // 2 :] = colour
    return damaged


def with_a_person(image: Image) -> Image:
    shown = image.copy()
    cv2.rectangle(shown, (40, 60), (110, 230), (40, 60, 90), -1)
    return shown


class Watched:
    """A camera that has shown the scene for a while."""

    def __init__(self) -> None:
        self.watch = ConditionWatch()
        self.now_s = 100.0
        self.show(lambda seed: noisy(SCENE, seed), for_s=10)
        assert self.watch.condition is Condition.OK

    def show(self, picture: Callable[[int], Image], *, for_s: float, step_s: float = _STEP_S) -> Condition:
        for turn in range(round(for_s / step_s)):
            self.watch.see(picture(turn), self.now_s)
            self.now_s += step_s
        return self.watch.condition


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (lambda seed: noisy(np.full_like(SCENE, 70), seed), Condition.COVERED),
        (lambda seed: noisy(BLURRED, seed), Condition.COVERED),
        (lambda seed: noisy(np.full_like(SCENE, 250), seed), Condition.COVERED),
        (lambda seed: noisy(np.roll(SCENE, 90, axis=1), seed), Condition.MOVED),
        (lambda seed: noisy(UPSIDE_DOWN, seed), Condition.MOVED),
        (lambda _: np.zeros_like(SCENE), Condition.DARK),
        (lambda _: np.full_like(SCENE, 128), Condition.CORRUPT),
        (lambda seed: filled(noisy(SCENE, seed), (0, 135, 0)), Condition.CORRUPT),
        (lambda _: noisy(SCENE, 7), Condition.FROZEN),
    ],
)
def test_a_useless_picture_is_noticed_and_a_good_one_believed_again(
    picture: Callable[[int], Image], expected: Condition
) -> None:
    camera = Watched()
    assert camera.show(picture, for_s=35) is expected
    assert camera.show(lambda seed: noisy(SCENE, seed), for_s=8) is Condition.OK


@pytest.mark.parametrize(
    "picture",
    [
        lambda seed: noisy(SCENE, seed),
        lambda seed: noisy(with_a_person(SCENE), seed),
        lambda seed: noisy(INFRARED, seed, 5),
        lambda seed: noisy((SCENE * 0.15).astype(np.uint8), seed, 4),  # the lights went off
        lambda seed: noisy(np.clip(SCENE * 1.5, 0, 255).astype(np.uint8), seed),
    ],
)
def test_people_and_light_are_no_tampering(picture: Callable[[int], Image]) -> None:
    assert Watched().show(picture, for_s=60) is Condition.OK


def test_a_moment_is_not_believed() -> None:
    camera = Watched()
    assert camera.show(lambda seed: noisy(np.full_like(SCENE, 70), seed), for_s=5) is Condition.OK
    assert camera.show(lambda seed: noisy(SCENE, seed), for_s=5) is Condition.OK


def test_a_camera_that_stays_turned_has_a_new_scene() -> None:
    camera = Watched()
    turned = np.roll(SCENE, 90, axis=1)
    assert camera.show(lambda seed: noisy(turned, seed), for_s=60) is Condition.MOVED
    assert camera.show(lambda seed: noisy(turned, seed), for_s=600, step_s=5) is Condition.OK
    assert camera.show(lambda seed: noisy(SCENE, seed), for_s=20) is Condition.MOVED


STREAMING = ReaderState(ReaderStatus.STREAMING, since=NOW)
FAILING = ReaderState(ReaderStatus.FAILING, Fault.STALLED, "…", NOW - timedelta(seconds=30))


@pytest.mark.parametrize(
    ("state", "condition", "health"),
    [
        (STREAMING, Condition.OK, CameraHealth(HealthKind.ONLINE, None)),
        (STREAMING, Condition.FROZEN, CameraHealth(HealthKind.OFFLINE, "frozen")),
        (STREAMING, Condition.COVERED, CameraHealth(HealthKind.TAMPERED, "covered")),
        (STREAMING, Condition.DARK, None),
        (FAILING, Condition.OK, CameraHealth(HealthKind.OFFLINE, "stalled")),
        (ReaderState(ReaderStatus.FAILING, Fault.STALLED, "…", NOW), Condition.OK, None),
        (ReaderState(since=NOW - timedelta(hours=1)), Condition.OK, None),
    ],
)
def test_what_is_reported(state: ReaderState, condition: Condition, health: CameraHealth | None) -> None:
    assert health_of(state, condition, NOW) == health

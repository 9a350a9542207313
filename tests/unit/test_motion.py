"""Which frames are worth a look."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.types import Image
from app.workflows.cameras.motion import MotionDetector
from tests.photos import coffee

pytestmark = pytest.mark.slow


def noisy(image: Image, seed: int, *, sigma: float = 4.0, gain: float = 1.0) -> Image:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image * gain + noise, 0, 255).astype(np.uint8)


def with_person(image: Image, x: int) -> Image:
    changed = image.copy()
    cv2.rectangle(changed, (x, 120), (x + 40, 260), (60, 40, 200), -1)
    return changed


def settled(image: Image) -> MotionDetector:
    motion = MotionDetector()
    for seed in range(5):
        motion.sees_motion(noisy(image, seed))
    return motion


def test_the_first_frame_counts_as_motion() -> None:
    assert MotionDetector().sees_motion(coffee())


def test_sensor_noise_is_no_motion() -> None:
    motion = settled(coffee())
    assert [motion.sees_motion(noisy(coffee(), seed)) for seed in range(20, 40)] == [False] * 20


def test_a_change_of_light_is_no_motion() -> None:
    motion = settled(coffee())
    assert not motion.sees_motion(noisy(np.clip(coffee().astype(np.int16) + 25, 0, 255).astype(np.uint8), 9))


def test_somebody_who_walks_is_motion_in_every_frame() -> None:
    motion = settled(coffee())
    assert [motion.sees_motion(noisy(with_person(coffee(), 40 * step), step)) for step in range(8)] == [True] * 8


def test_what_stays_becomes_background() -> None:
    motion = settled(coffee())
    frames = [motion.sees_motion(noisy(with_person(coffee(), 100), seed)) for seed in range(150)]
    assert frames[0]
    assert not frames[-1]


def test_another_resolution_is_a_new_scene() -> None:
    motion = settled(coffee())
    assert motion.sees_motion(coffee()[:200])
    assert not motion.sees_motion(coffee()[:200])

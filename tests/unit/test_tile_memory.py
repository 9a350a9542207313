"""Of one camera's frames, which tiles are looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.features import Features, tile_boxes
from app.core.tile_memory import KEEP_S, TileMemory
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Box, Image
from tests.photos import coffee

HAZARDS = frozenset(AnomalyType) - {AnomalyType.INTRUSION}
BOXES = tile_boxes(width=640, height=360, rows=2, columns=2)


class Camera:
    """Shows frames to a memory, and notes which of four tiles were looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.memory = TileMemory(clock=lambda: self.now_s)
        self._rng = np.random.default_rng(3)

    def looks_at(self, frame: Image, boxes: Sequence[Box] = BOXES) -> list[int]:
        looked: list[int] = []

        def extract(some: Sequence[Box]) -> list[Features]:
            looked.extend(boxes.index(box) for box in some)
            return [feature(frame, box) for box in some]

        told = self.memory.extract(frame, boxes, extract)
        assert len(told) == len(boxes)
        assert all(told[one].pooled == pytest.approx(feature(frame, boxes[one]).pooled) for one in looked)
        return looked

    def frame(self, *, level: float = 100.0, noise: float = 8.0) -> Image:
        pixels = level + self._rng.normal(0, noise, (360, 640, 3))
        return np.clip(pixels, 0, 255).astype(np.uint8)


def feature(frame: Image, box: Box) -> Features:
    mean = frame[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)].mean()
    return Features(np.full(3, mean, np.float32), np.zeros(2, np.float32), np.zeros((3, 2, 2), np.float32))


def test_a_sensors_noise_changes_no_tile() -> None:
    camera = Camera()
    assert camera.looks_at(camera.frame()) == [0, 1, 2, 3]
    assert camera.looks_at(camera.frame()) == []


def test_only_the_tile_in_which_something_moves_is_looked_at() -> None:
    camera = Camera()
    camera.looks_at(camera.frame())
    moved = camera.frame()
    moved[220:240, 400:420] = 200
    assert camera.looks_at(moved) == [3]
    assert camera.looks_at(moved) == []
    assert camera.looks_at(camera.frame()) == [3]


def test_what_was_not_looked_at_is_told_as_before() -> None:
    camera = Camera()
    first = camera.frame()
    told = camera.memory.extract(first, BOXES, lambda some: [feature(first, box) for box in some])
    again = camera.memory.extract(camera.frame(), BOXES, lambda _some: [])
    assert [one.pooled.tolist() for one in again] == [one.pooled.tolist() for one in told]


def test_haze_that_comes_slowly_adds_up() -> None:
    camera = Camera()
    camera.looks_at(camera.frame())
    looked = [camera.looks_at(camera.frame(level=100.0 + 0.7 * step)) for step in range(1, 9)]
    assert looked[:2] == [[], []]
    assert [0, 1, 2, 3] in looked


def test_a_still_tile_is_looked_at_again_after_ten_seconds() -> None:
    camera = Camera()
    camera.looks_at(camera.frame())
    camera.now_s = KEEP_S - 0.1
    assert camera.looks_at(camera.frame()) == []
    camera.now_s = KEEP_S
    assert camera.looks_at(camera.frame()) == [0, 1, 2, 3]


def test_what_is_to_be_forgotten_is_looked_at_again() -> None:
    camera = Camera()
    camera.looks_at(camera.frame())
    camera.memory.forget([BOXES[1]])
    assert camera.looks_at(camera.frame()) == [1]


def test_a_picture_of_another_size_is_looked_at_as_a_whole() -> None:
    camera = Camera()
    camera.looks_at(camera.frame())
    other = np.full((180, 320, 3), 100, np.uint8)
    assert camera.looks_at(other, tile_boxes(width=320, height=180, rows=2, columns=2)) == [0, 1, 2, 3]


@pytest.fixture(scope="module")
def detector() -> HeadAnomalyDetector:
    return build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))


def burning(frame: Image) -> Image:
    """With a fire in the lower left, in the colours of flames and their texture."""
    fire = frame.copy()
    rng = np.random.default_rng(5)
    for _ in range(120):
        x, y = rng.integers(40, 180), rng.integers(180, 360)
        size = int(rng.integers(6, 26))
        fire[y : y + size * 2, x : x + size] = (rng.integers(0, 80), rng.integers(120, 220), 255)
    return fire


@pytest.mark.slow
def test_what_begins_in_a_still_scene_is_seen_as_by_a_fresh_look(detector: HeadAnomalyDetector) -> None:
    camera, quiet = detector.for_one_camera(), coffee()
    before, after = (detector.examine(frame, HAZARDS).scores for frame in (quiet, burning(quiet)))
    assert after["hazard_fire_or_smoke"] > before["hazard_fire_or_smoke"] + 0.01
    for frame, wanted in ((quiet, before), (quiet, before), (burning(quiet), after), (quiet, before)):
        assert camera.examine(frame, HAZARDS).scores == pytest.approx(wanted, abs=0.001)


@pytest.mark.slow
def test_what_looks_like_a_hazard_is_looked_at_in_every_frame(
    detector: HeadAnomalyDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one is found: each of the frames that have to agree counts by itself."""
    heads = detector._heads
    wary = replace(heads, fire_or_smoke=replace(heads.fire_or_smoke, threshold=0.03))
    camera = HeadAnomalyDetector(detector._extractor, heads=wary, persons=detector._persons).for_one_camera()
    frame = burning(coffee())
    suspects = [one for one in camera.examine(frame, HAZARDS).suspects if one.view > 0]
    assert 0 < len(suspects) < 20
    looked: list[int] = []
    real = TileMemory.extract

    def counted(self: TileMemory, image: Image, boxes: Sequence[Box], extract: object) -> list[Features]:
        def count(some: Sequence[Box]) -> Sequence[Features]:
            looked.append(len(some))
            return extract(some)  # type: ignore[operator,no-any-return]  # as the real one takes it

        return real(self, image, boxes, count)

    monkeypatch.setattr(TileMemory, "extract", counted)
    for _ in range(2):
        camera.examine(frame, HAZARDS)
    harmless = detector.for_one_camera()
    for _ in range(2):
        harmless.examine(frame, HAZARDS)
    assert looked == [len(suspects)] * 2 + [20]

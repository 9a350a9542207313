"""The YOLOv8 reader: geometry, decoding, suppression, and real networks where their weights are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.object_detection import Candidates, letterbox, pairwise_iou, suppress
from app.core.yolo import YoloDetector, decode
from app.types import FloatArray, Image


class FixedOutput:
    """A session that always answers with the same candidates: rows of cx, cy, w, h, probabilities."""

    provider = "test:cpu:f32"

    def __init__(self, *rows: tuple[float, ...]) -> None:
        self._output = np.array(rows, np.float32).T[None]
        self.fed: list[FloatArray] = []

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        self.fed.append(np.asarray(feed["images"], dtype=np.float32))
        return [self._output]


def grey(*, width: int, height: int) -> Image:
    return np.full((height, width, 3), 200, np.uint8)


def candidates(boxes: list[tuple[float, ...]], *, classes: list[int] | None = None) -> Candidates:
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
        np.array(classes or [0] * len(boxes), np.intp),
    )


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1920, 1080), (33, 7), (1, 900)])
def test_letterbox_maps_the_picture_back_onto_itself(width: int, height: int) -> None:
    square, placement = letterbox(grey(width=width, height=height), side_px=320)
    inside = np.argwhere((square == 200).all(axis=2))
    top, left = inside.min(axis=0)
    bottom, right = inside.max(axis=0) + 1
    corners = placement.to_image(np.array([[left, top, right, bottom]], np.float32))
    tolerance_px = 1.0 / placement.scale
    assert corners[0] == pytest.approx([0, 0, width, height], abs=tolerance_px)
    assert square.shape == (320, 320, 3)


def test_decode_keeps_the_best_class_and_sorts_by_score() -> None:
    output = np.array([(50, 50, 20, 10, 0.3, 0.6), (10, 10, 4, 4, 0.9, 0.1), (5, 5, 2, 2, 0.2, 0.1)], np.float32).T
    found = decode(output, min_score=0.25)
    assert found.scores == pytest.approx([0.9, 0.6])
    assert found.classes.tolist() == [0, 1]
    assert found.boxes[1] == pytest.approx([40, 45, 60, 55])


def test_overlapping_boxes_of_a_class_leave_the_surest() -> None:
    boxes = candidates([(0, 0, 10, 10), (1, 1, 11, 11), (40, 40, 50, 50)])
    assert suppress(boxes, max_iou=0.5).tolist() == [0, 2]


def test_overlapping_boxes_of_two_classes_both_stay() -> None:
    boxes = candidates([(0, 0, 10, 10), (1, 1, 11, 11)], classes=[0, 1])
    assert suppress(boxes, max_iou=0.5).tolist() == [0, 1]


def test_a_suppressed_box_suppresses_nothing() -> None:
    chain = candidates([(0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10)])
    assert suppress(chain, max_iou=0.3).tolist() == [0, 2]


def test_nothing_found_is_an_empty_list() -> None:
    detector = YoloDetector(FixedOutput((320, 320, 40, 40, 0.1)), labels=["person"], min_score=0.5)
    assert detector.detect([grey(width=640, height=640)]) == [[]]


def test_boxes_without_area_overlap_nothing() -> None:
    assert pairwise_iou(np.array([[3, 3, 3, 3], [3, 3, 3, 3]], np.float32)).max() == 0.0


def test_classes_that_share_a_label_compete() -> None:
    session = FixedOutput((320, 320, 100, 100, 0.8, 0.1), (322, 320, 100, 100, 0.1, 0.9))
    detector = YoloDetector(session, labels=["person", "person"], min_score=0.5)
    [[person]] = detector.detect([grey(width=640, height=640)])
    assert (person.label, person.score) == ("person", pytest.approx(0.9))


def test_classes_without_a_label_are_dropped() -> None:
    session = FixedOutput((320, 320, 100, 100, 0.8, 0.1), (100, 100, 50, 50, 0.1, 0.7))
    detector = YoloDetector(session, labels=["", "bottle"], min_score=0.5)
    [found] = detector.detect([grey(width=640, height=640)])
    assert [item.label for item in found] == ["bottle"]


def test_boxes_come_back_in_pixels_of_the_picture_and_clipped() -> None:
    # 1280×640 shrinks by half onto the square and is padded 160 px above and below.
    session = FixedOutput((320, 320, 100, 50, 0.9), (0, 320, 40, 40, 0.8))
    [[middle, edge]] = YoloDetector(session, labels=["person"], min_score=0.5).detect([grey(width=1280, height=640)])
    assert (middle.box.x1, middle.box.y1, middle.box.x2, middle.box.y2) == pytest.approx((540, 270, 740, 370))
    assert (edge.box.x1, edge.box.x2) == pytest.approx((0, 40))


def test_network_is_fed_rgb_between_0_and_1() -> None:
    session = FixedOutput((320, 320, 10, 10, 0.1))
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 255
    YoloDetector(session, labels=["person"], min_score=0.5, side_px=64).detect([image])
    assert session.fed[0].shape == (1, 3, 64, 64)
    assert session.fed[0][0, :, 30, 30] == pytest.approx([0.0, 0.0, 1.0])


def test_a_frame_full_of_noise_is_bounded() -> None:
    rng = np.random.default_rng(0)
    output = np.concatenate([rng.uniform(0, 640, (4, 8400)), rng.uniform(0.5, 1, (1, 8400))]).astype(np.float32)
    assert len(decode(output, min_score=0.5).scores) == 1000

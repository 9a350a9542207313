"""CenterNet's maps become boxes in pixels of the picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.centernet import CenterNetDetector
from app.types import Box, Detection, FloatArray

SIDE_PX, CELLS = 64, 16


class Maps:
    """A network that answers with peaks: class, row, column, probability and how far the box reaches."""

    provider = "test"

    def __init__(self, *peaks: tuple[int, int, int, float, tuple[float, float, float, float]]) -> None:
        self._heat = np.zeros((1, 2, CELLS, CELLS), np.float32)
        self._reach = np.zeros((1, 4, CELLS, CELLS), np.float32)
        for number, row, column, score, sides in peaks:
            self._heat[0, number, row, column] = score
            self._reach[0, :, row, column] = sides
        self.seen: NDArray[np.generic] | None = None

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        self.seen = feed["images"]
        return [self._heat, self._reach]


def detect(network: Maps, *, width: int = SIDE_PX, height: int = SIDE_PX) -> list[Detection]:
    detector = CenterNetDetector(
        network, labels=["person"], min_score=0.3, max_iou=0.5, input_name="images", side_px=SIDE_PX
    )
    [found] = detector.detect([np.full((height, width, 3), (1, 2, 3), np.uint8)])
    return found


def test_a_peak_is_a_box_around_its_middle() -> None:
    [found] = detect(Maps((0, 8, 4, 0.9, (8, 16, 4, 12))))
    assert (found.box, found.label) == (Box(8, 16, 20, 44), "person")
    assert found.score == pytest.approx(0.9)


def test_boxes_of_a_wide_picture_leave_the_grey_bars_out() -> None:
    [found] = detect(Maps((0, 8, 8, 0.9, (8, 12, 8, 40))), width=128, height=64)
    assert found.box == Box(48, 8, 80, 64)  # scaled by two, sixteen rows of grey above, cut at the edge


def test_pictures_are_given_as_rgb_from_0_to_255_with_grey_around_them() -> None:
    network = Maps()
    assert detect(network, width=64, height=32) == []
    assert network.seen is not None
    assert network.seen[0, :, 32, 32].tolist() == [3, 2, 1]
    assert network.seen[0, :, 0, 0].tolist() == [114, 114, 114]


def test_lower_neighbours_other_classes_and_unsure_ones_are_none() -> None:
    sides = (8.0, 8.0, 8.0, 8.0)
    network = Maps((0, 8, 8, 0.9, sides), (0, 8, 9, 0.8, sides), (1, 2, 2, 0.9, sides), (0, 13, 13, 0.29, sides))
    assert [found.box for found in detect(network)] == [Box(24, 24, 40, 40)]


def test_of_boxes_that_overlap_the_surer_stays() -> None:
    sides = (16.0, 16.0, 16.0, 16.0)
    found = detect(Maps((0, 8, 8, 0.5, sides), (0, 8, 10, 0.8, sides), (0, 2, 2, 0.4, (4, 4, 4, 4))))
    assert [round(one.score, 1) for one in found] == [0.8, 0.4]

"""Landmarks, poses and crops: geometry that can be checked on paper, and against insightface's own."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from app.core.crops import Square, cut_square, resize_fast, spread_tones
from app.core.face_alignment import ARCFACE_TEMPLATE, align, five_points, pose, similarity_to
from app.types import FloatArray, Image
from tests.photos import astronaut

LEVEL = np.array([[30, 40], [70, 40], [50, 62], [35, 82], [65, 82]], np.float32)


def checkered(width: int, height: int) -> Image:
    """Every pixel different from its neighbours in a known way."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)


def turned(points: FloatArray, *, angle_deg: float, scale: float, shift: tuple[float, float]) -> FloatArray:
    angle = math.radians(angle_deg)
    matrix = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved: FloatArray = (points @ matrix.T + np.array(shift)).astype(np.float32)
    return moved


@pytest.mark.parametrize(("angle_deg", "scale"), [(0, 1.0), (25, 0.3), (-90, 4.0), (170, 1.7)])
def test_a_turned_face_is_laid_back_on_the_template(angle_deg: float, scale: float) -> None:
    points = turned(ARCFACE_TEMPLATE, angle_deg=angle_deg, scale=scale, shift=(210, -35))
    matrix = similarity_to(ARCFACE_TEMPLATE, points)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], ARCFACE_TEMPLATE, atol=1e-2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_template_and_crops_are_those_of_insightface() -> None:
    face_align = pytest.importorskip("insightface.utils.face_align")
    np.testing.assert_array_equal(face_align.arcface_dst, ARCFACE_TEMPLATE)
    landmarks = np.array([[205, 110], [243, 109], [226, 135], [208, 152], [240, 152]], np.float32)
    ours, theirs = align(astronaut(), landmarks), face_align.norm_crop(astronaut(), landmarks)
    assert np.abs(ours.astype(int) - theirs.astype(int)).mean() < 1.0


def test_a_large_face_is_averaged_down_rather_than_sampled() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), np.uint8)
    crop = align(noise, turned(ARCFACE_TEMPLATE, angle_deg=0, scale=8.0, shift=(100, 100)))
    assert crop.std() < 30  # single samples of the noise would keep its spread of 74


def test_five_points_of_sixty_eight() -> None:
    landmarks = np.zeros((1, 68, 2), np.float32)
    landmarks[0, [37, 38, 40, 41]] = (10, 20)
    landmarks[0, [43, 44, 46, 47]] = (30, 20)
    landmarks[0, 30] = (20, 30)
    landmarks[0, [48, 60]] = [(12, 40), (14, 40)]
    landmarks[0, [54, 64]] = [(28, 40), (26, 40)]
    np.testing.assert_array_equal(five_points(landmarks)[0], [[10, 20], [30, 20], [20, 30], [13, 40], [27, 40]])


def test_a_level_head_has_no_yaw() -> None:
    assert pose(LEVEL).yaw == pytest.approx(0.0, abs=0.1)
    assert pose(LEVEL).pitch == pytest.approx(0.0, abs=3.0)


def test_yaw_grows_with_the_nose_and_flips_with_the_picture() -> None:
    nose_right = LEVEL.copy()
    nose_right[2, 0] += 12
    mirrored = nose_right[[1, 0, 2, 4, 3]] * [-1, 1] + [100, 0]
    assert pose(nose_right).yaw > 15
    assert pose(mirrored.astype(np.float32)).yaw == pytest.approx(-pose(nose_right).yaw, abs=1e-3)


def test_pose_does_not_depend_on_size_and_roll() -> None:
    nose_right = LEVEL.copy()
    nose_right[2] += (9, -4)
    rolled = turned(nose_right, angle_deg=35, scale=5.0, shift=(-40, 900))
    assert pose(rolled).yaw == pytest.approx(pose(nose_right).yaw, abs=1e-2)
    assert pose(rolled).pitch == pytest.approx(pose(nose_right).pitch, abs=1e-2)
    assert pose(nose_right).pitch > 0  # the nose stands higher: the head looks up


def test_eyes_in_one_place_are_a_profile() -> None:
    assert abs(pose(np.zeros((5, 2), np.float32)).yaw) == 90.0


def test_a_square_inside_is_cut_as_it_is() -> None:
    image = checkered(60, 50)
    np.testing.assert_array_equal(cut_square(image, Square(7, 9, 20), side_px=20), image[9:29, 7:27])


@pytest.mark.parametrize(
    "square", [Square(-5, -8, 20), Square(50, 40, 20), Square(-10, -10, 200), Square(500, 500, 10)]
)
def test_a_square_over_the_edge_repeats_the_outermost_pixels(square: Square) -> None:
    image = checkered(60, 50)
    margin = 600
    framed = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    top, left = square.top + margin, square.left + margin
    expected = framed[top : top + square.side, left : left + square.side]
    np.testing.assert_array_equal(cut_square(image, square, side_px=square.side), expected)


def test_points_of_a_square_go_back_to_the_image() -> None:
    corners = np.array([[0, 0], [1, 1], [0.5, 0.25]], np.float32)
    np.testing.assert_allclose(Square(10, 20, 40).to_image(corners), [[10, 20], [50, 60], [30, 30]])


def test_shrinking_a_large_picture_comes_close_to_averaging_it() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (720, 960, 3), np.uint8)
    sampled = cv2.resize(noise, (120, 90), interpolation=cv2.INTER_LINEAR)
    assert resize_fast(noise, width=120, height=90).std() < 0.6 * sampled.std()


def test_dull_tones_are_spread_and_lively_ones_left_alone() -> None:
    dull = (astronaut() // 6 + 20).astype(np.uint8)
    spread = spread_tones(dull)
    assert spread is not None
    assert float(spread.std()) > 3 * float(dull.std())
    assert spread_tones(astronaut()) is None


def test_a_picture_of_one_tone_can_be_spread() -> None:
    spread = spread_tones(np.full((40, 40, 3), 90, np.uint8))
    assert spread is not None
    assert int(spread.min()) == int(spread.max())

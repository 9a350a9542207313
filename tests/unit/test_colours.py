"""Colour vectors: what looks alike is near, and colour words point at it."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.colours import ColourSpace
from app.types import Image

SPACE = ColourSpace(64, softness=16.0, power=0.25)
RED, DARK_RED, BLUE, WHITE = (30, 30, 200), (25, 25, 150), (200, 60, 30), (255, 255, 255)  # BGR


def thing_on(background: tuple[int, int, int], colour: tuple[int, int, int], *, side: int = 200) -> Image:
    image = np.full((side, side, 3), background, np.uint8)
    image[side // 3 : -side // 3, side // 3 : -side // 3] = colour
    return image


def test_vectors_have_unit_norm_and_one_row_a_picture() -> None:
    vectors = SPACE.vectors([thing_on(WHITE, RED), np.zeros((3, 900, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
    assert vectors.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_a_colour_is_nearer_to_its_shade_than_to_another_colour() -> None:
    red, dark_red, blue = SPACE.vectors([thing_on(WHITE, colour) for colour in (RED, DARK_RED, BLUE)])
    assert red @ dark_red > red @ blue + 0.1


def test_a_plain_background_does_not_count() -> None:
    on_white, on_grey = SPACE.vectors([thing_on(WHITE, RED), thing_on((128, 128, 128), RED)])
    only_grey = SPACE.vectors([np.full((200, 200, 3), 128, np.uint8)])[0]
    assert on_white @ on_grey > 0.95
    assert on_grey @ only_grey < 0.7


def test_a_picture_of_one_colour_has_that_colour() -> None:
    plain = SPACE.vectors([np.full((50, 50, 3), RED, np.uint8)])[0]
    assert plain @ SPACE.vectors([thing_on(WHITE, RED)])[0] > 0.95


@pytest.mark.parametrize("samples", [["#e02020"], ["#c81e1e", "#961919"]])
def test_a_colour_word_points_at_pictures_of_the_colour(samples: list[str]) -> None:
    direction = SPACE.direction(samples)
    red, blue, white = SPACE.vectors([thing_on(WHITE, RED), thing_on(WHITE, BLUE), np.full((9, 9, 3), 255, np.uint8)])
    assert direction @ red > 0.2
    assert direction @ red > direction @ blue + 0.2
    assert direction @ red > direction @ white + 0.2


def test_the_palette_is_the_same_every_time() -> None:
    again = ColourSpace(64, softness=16.0, power=0.25)
    picture = [thing_on(WHITE, BLUE)]
    np.testing.assert_array_equal(SPACE.vectors(picture), again.vectors(picture))

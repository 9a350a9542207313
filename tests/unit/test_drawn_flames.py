"""Flames that are cut out of one picture and set into another."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.types import Image
from scripts.hazards.drawn_flames import CutFlames, cut_flames, set_in

ORANGE, PALE = (30, 120, 250), (150, 180, 230)


def burning(colour: tuple[int, int, int] = ORANGE, *, radius_px: int = 40) -> Image:
    """200 by 300, dark, with a disc of that colour around x 150, y 100."""
    frame = np.full((200, 300, 3), 20, np.uint8)
    return np.asarray(cv2.circle(frame, (150, 100), radius_px, colour, -1), np.uint8)


def flames() -> CutFlames:
    cut = cut_flames(burning())
    assert cut is not None
    return cut


def test_a_flame_is_cut_out_with_its_edge() -> None:
    cut = flames()
    assert cut.pixels.shape[:2] == cut.alpha.shape == (89, 89)
    assert cut.alpha.sum() == pytest.approx(np.pi * 40**2, rel=0.05)
    assert cut.alpha[44, 44] == pytest.approx(1.0)
    assert cut.alpha[0, 0] < 0.01
    assert tuple(cut.pixels[44, 44]) == ORANGE


@pytest.mark.parametrize("picture", [burning(PALE), burning(radius_px=8), burning(radius_px=95), burning((20, 20, 20))])
def test_lit_walls_sparks_and_what_fills_the_picture_are_not_cut_out(picture: Image) -> None:
    assert cut_flames(picture) is None


@pytest.mark.parametrize("share", [0.003, 0.02, 0.06])
def test_flames_cover_the_share_that_is_asked_for(share: float) -> None:
    scene = np.full((240, 320, 3), 128, np.uint8)
    shown = set_in(scene, flames(), share=share, at=(0.5, 0.5), rng=np.random.default_rng(0))
    changed = np.abs(shown[..., 0].astype(int) - 128) > 60  # of blue, which the glow hardly touches
    assert changed.mean() == pytest.approx(share, rel=0.4)


def test_the_scene_stays_as_it_is_elsewhere_and_is_not_written_to() -> None:
    scene = np.full((240, 320, 3), 128, np.uint8)
    shown = set_in(scene, flames(), share=0.01, at=(0.0, 0.5), rng=np.random.default_rng(0))
    assert np.abs(shown[:, 200:].astype(int) - 128).max() <= 1
    assert (scene == 128).all()


def test_flames_flicker_and_the_same_seed_gives_the_same() -> None:
    scene = np.full((240, 320, 3), 128, np.uint8)
    rng = np.random.default_rng(3)
    first, second = (set_in(scene, flames(), share=0.02, at=(0.5, 0.5), rng=rng) for _ in range(2))
    again = set_in(scene, flames(), share=0.02, at=(0.5, 0.5), rng=np.random.default_rng(3))
    assert (first != second).any()
    assert (first == again).all()

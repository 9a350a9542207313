"""Cues of a picture of a picture, by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.attack_cues import spectrum
from app.types import Box, Image

SIDE = 128
RINGS, HIGH_RINGS = 12, 4


def striped(cycles: int) -> Image:
    """Noise, and so many stripes across it."""
    noise = np.random.default_rng(3).normal(128, 10, (SIDE, SIDE))
    stripes = 30 * np.sin(2 * np.pi * cycles * np.arange(SIDE) / SIDE)
    return np.repeat(np.clip(noise + stripes, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize(("cycles", "ring"), [(22, 0), (34, 1), (46, 2), (58, 3)])
def test_what_repeats_itself_stands_out_where_its_frequency_lies(cycles: int, ring: int) -> None:
    at_one_size = spectrum(striped(cycles), Box(0.0, 0.0, SIDE, SIDE))[: RINGS + HIGH_RINGS]
    assert int(np.argmax(at_one_size[RINGS:])) == ring


def test_the_energy_of_a_frequency_is_in_its_ring() -> None:
    box = Box(0.0, 0.0, SIDE, SIDE)
    more = spectrum(striped(34), box)[:RINGS] - spectrum(striped(0), box)[:RINGS]
    assert int(np.argmax(more)) == int((34 - 1) / ((SIDE / 2 - 1) / RINGS))

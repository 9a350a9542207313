"""Cues of a picture of a picture, by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.attack_cues import colours, spectrum
from app.core.liveness import surroundings
from app.types import Box, Image
from tests import photos

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


def plain(tone: int) -> Image:
    return np.full((300, 400, 3), tone, np.uint8)


PICTURES: Mapping[str, tuple[Image, Box]] = {
    "portrait": (photos.astronaut(), Box(170.0, 60.0, 280.0, 190.0)),
    "portrait at an edge": (photos.astronaut()[60:, 170:], Box(-4.0, -3.0, 110.0, 130.0)),
    "noise": (np.random.default_rng(5).integers(0, 256, (300, 400, 3), np.uint8), Box(100.0, 80.0, 260.0, 270.0)),
    "dark noise": (np.random.default_rng(6).integers(0, 6, (90, 70, 3), np.uint8), Box(10.0, 12.0, 51.0, 63.0)),
    "black": (plain(0), Box(100.0, 80.0, 260.0, 270.0)),
    "white": (plain(255), Box(100.0, 80.0, 260.0, 270.0)),
}


def spectrum_by_definition(image: Image, box: Box) -> NDArray[np.float64]:
    """Ring by ring, from the Fourier transform."""
    half, cues = int(box.height * 0.5), []
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    face = image[max(int(y - half), 0) : int(y + half), max(int(x - half), 0) : int(x + half)]
    for side in (128, 256):
        grey = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        tones = grey.astype(np.float64)
        fading = np.hanning(side)
        power = np.abs(np.fft.rfft2((tones - tones.mean()) * fading[:, None] * fading)) ** 2
        radius = np.hypot((np.fft.fftfreq(side) * side)[:, None], np.arange(side // 2 + 1))
        low, high = (
            [power[(radius >= inner) & (radius < outer)] for inner, outer in pairwise(np.linspace(first, side / 2, n))]
            for first, n in ((1, RINGS + 1), (side // 8, HIGH_RINGS + 1))
        )
        profile = np.log([ring.mean() + 1 for ring in low])
        cues += [profile - profile.mean(), np.log([ring.max() / (ring.mean() + 1e-6) + 1 for ring in high])]
    return np.concatenate(cues)


def colours_by_definition(image: Image, box: Box) -> NDArray[np.float64]:
    """From the pixels themselves."""
    statistics = []
    for context, side_px in ((0.8, 64), (3.0, 96)):
        part = surroundings(image, box, context=context, side_px=side_px)
        for space in (cv2.COLOR_BGR2HSV, cv2.COLOR_BGR2YCrCb):
            pixels = cv2.cvtColor(part, space).reshape(-1, 3).astype(np.float64)
            low, high = np.percentile(pixels, [5, 95], axis=0)
            statistics += [pixels.mean(axis=0) / 255, pixels.std(axis=0) / 64, low / 255, high / 255]
    return np.concatenate(statistics)


@pytest.mark.parametrize("name", PICTURES)
def test_colours_are_those_of_the_pixels(name: str) -> None:
    image, box = PICTURES[name]
    np.testing.assert_allclose(colours(image, box), colours_by_definition(image, box), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", PICTURES)
def test_the_spectrum_is_that_of_the_whole_transform(name: str) -> None:
    image, box = PICTURES[name]
    np.testing.assert_allclose(spectrum(image, box), spectrum_by_definition(image, box), rtol=0, atol=1e-5)

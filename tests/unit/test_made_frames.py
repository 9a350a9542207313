"""Frames that are made to teach: another light, and what each is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.features import FeatureExtractor
from app.types import FloatArray
from scripts.hazards.camera_light import under_camera_light
from scripts.hazards.made import make_frames
from scripts.hazards.photos import HazardPhoto
from tests.unit.test_drawn_flames import burning


class MeanColourSession:
    """A backbone whose features are the mean colours of the picture."""

    provider = "test"

    def run(self, feed: Mapping[str, NDArray[Any]]) -> list[FloatArray]:
        [blob] = feed.values()
        pooled = blob.mean(axis=(2, 3)) + 2
        return [pooled[..., None, None], pooled, np.zeros((len(blob), 1000), np.float32)]


@pytest.fixture
def photos(tmp_path: Path) -> list[HazardPhoto]:
    """A fire, a scene, a look-alike that shows a fire, and smoke."""
    found = []
    for name, folder, kind, burns, flames in (
        ("fire", "fire_indoor", "room", True, True),
        ("wall", "cctv_normal", "corridor", False, None),
        ("screen", "lookalikes", "fire_picture", False, None),
        ("smoke", "hazards_cctv", "smoke", True, False),
    ):
        picture = burning() if flames else np.full((120, 160, 3), 128, np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        found.append(HazardPhoto(tmp_path / f"{name}.png", folder, name, name, kind, "", burns, flames))
    return found


def test_flames_are_set_into_harmless_scenes_and_each_frame_says_of_what_it_is_made(
    photos: list[HazardPhoto], tmp_path: Path
) -> None:
    extractor = FeatureExtractor(MeanColourSession(), model_id="mean colours")
    made = make_frames(photos, extractor, cache_dir=tmp_path / "kept")
    sources = [tuple(photo.source for photo in of) for of in made.made_of]
    assert ("wall", "fire") in sources
    assert {of for of in sources if len(of) == 2} == {("wall", "fire")}, "a fire on a screen is no harmless scene"
    assert {of for of in sources if len(of) == 1} == {("fire",), ("wall",), ("screen",)}
    burns = {of: bool(target) for of, target in zip(sources, made.targets, strict=True)}
    assert burns == {("wall", "fire"): True, ("fire",): True, ("wall",): False, ("screen",): False}
    assert made.rows.wholes.shape == (len(sources), 3)
    again = make_frames(photos, extractor, cache_dir=tmp_path / "kept")
    assert again.rows.tiles == pytest.approx(made.rows.tiles, abs=1e-2)


def test_each_light_changes_the_picture_and_the_same_seed_gives_the_same() -> None:
    picture = np.random.default_rng(0).integers(30, 200, (60, 80, 3)).astype(np.uint8)
    shown = [under_camera_light(picture, np.random.default_rng(seed)) for seed in range(40)]
    assert all((one != picture).any() for one in shown)
    assert all((one == under_camera_light(picture, np.random.default_rng(n))).all() for n, one in enumerate(shown))
    grey = [one for one in shown if (one[..., 0] == one[..., 2]).all()]
    brightness = [float(one.mean()) for one in shown]
    assert 0 < len(grey) < 20, "infrared, now and then"
    assert min(brightness) < picture.mean() - 30
    assert max(brightness) > picture.mean() + 30

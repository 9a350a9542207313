"""A fire that begins at a place where nothing burnt is found within seconds, by a camera that is used to it."""

from __future__ import annotations

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from evaluation.safety.steady_camera import held_still
from evaluation.stillness import STILL_FRAMES, frames_until_told, starts
from scripts.hazards.photos import read_photos
from scripts.heads.photos import open_photo
from tests.photos import evaluation_data

pytestmark = [pytest.mark.slow, pytest.mark.any_server]

MOST_FRAMES = 6  # three seconds at two a second


def test_a_fire_that_begins_in_a_still_scene_is_found_within_seconds() -> None:
    photos = read_photos(evaluation_data("hazards_cctv").parent)
    still, burning = next(
        (still, sequence) for still, sequence in starts(photos) if sequence[0].path.parent.name == "fire"
    )
    detector = build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))
    before = held_still(open_photo(still.path), np.random.default_rng(0), frames=STILL_FRAMES)
    frames = frames_until_told(detector, before, [open_photo(photo.path) for photo in burning])
    assert frames is not None
    assert frames <= MOST_FRAMES


def test_a_still_scene_raises_nothing() -> None:
    photos = read_photos(evaluation_data("hazards_cctv").parent)
    still, _ = starts(photos)[0]
    detector = build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))
    before = held_still(open_photo(still.path), np.random.default_rng(0), frames=STILL_FRAMES)
    assert frames_until_told(detector, before[:1], before[1:]) is None

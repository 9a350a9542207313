"""Every pack's manifest holds what the face engines need, and a wrong one is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.liveness import Liveness, Uncertainty
from app.errors import ConfigurationError
from app.ml_models.factories.face import build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.specs import Pack
from app.types import Box, Face, FloatArray
from tests.packs import Change, write_changed_pack
from tests.photos import astronaut, group


class Answering:
    """A session with the outputs of one role, for networks that are not at hand."""

    provider = "test"

    def __init__(self, role: str) -> None:
        self._role = role

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        [pictures] = feed.values()
        count, side = len(pictures), pictures.shape[2]
        if self._role == "face_detection":
            anchors = [2 * (side // stride) ** 2 for stride in (8, 16, 32)]
            return [np.zeros((number, width), np.float32) for width in (1, 4, 10) for number in anchors]
        if self._role == "image_features":
            return [np.ones(shape, np.float32) for shape in ((count, 1280, 4, 4), (count, 1280), (count, 1000))]
        width = 512 if self._role == "face_embedding" else 3
        return [np.ones((count, width), np.float32)]


class Loader(ModelLoader):
    """A loader whose sessions open no file."""

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack, Path())
        self._pack = pack
        self.opened: list[str] = []

    def session(self, role: str) -> Answering:
        self.opened.append(role)
        return Answering(role)


def test_the_full_pack_builds_scrfd_arcface_and_two_networks_for_liveness() -> None:
    loader = Loader(load_pack("full"))
    engines = build_face_engines(loader)
    engines.warm_up()
    assert sorted(loader.opened) == [
        "face_detection",
        "face_embedding",
        "face_liveness",
        "face_liveness_wide",
        "image_features",
    ]
    assert engines.recognition.model_id == load_pack("full").spec("face_embedding").model_id
    assert engines.recognition.detect_faces(astronaut()) == []


def test_without_liveness_from_pictures_nobody_is_judged_and_no_network_is_opened() -> None:
    loader = Loader(load_pack("compact"))
    engines = build_face_engines(loader, min_liveness=None)
    engines.liveness.warm_up()
    assert "face_liveness" not in loader.opened
    [verdict] = engines.liveness.assess(astronaut(), [Face(Box(180, 60, 280, 190), 0.99, np.zeros((5, 2), np.float32))])
    assert verdict == Liveness(None, is_live=False, uncertain=Uncertainty.NOT_JUDGED)


def test_the_compact_pack_opens_each_network_once() -> None:
    loader = Loader(load_pack("compact"))
    build_face_engines(loader)
    assert sorted(loader.opened) == [
        "face_detection",
        "face_detection_last",
        "face_embedding",
        "face_landmarks",
        "face_liveness",
        "image_features",
    ]


def test_the_settings_thresholds_are_bounds_on_public_scores(model_loader: ModelLoader) -> None:
    lenient = build_face_engines(model_loader, min_detection_score=0.5, min_liveness=0.0)
    strict = build_face_engines(model_loader, min_detection_score=0.9999, min_liveness=1.0)
    faces = lenient.recognition.detect_faces(group())
    assert len(strict.recognition.detect_faces(group())) < len(faces)
    assert sum(verdict.is_live for verdict in lenient.liveness.assess(group(), faces)) >= 6
    assert not any(verdict.is_live for verdict in strict.liveness.assess(group(), faces))


def refused(folder: Path, role: str, change: Change) -> str:
    """What is said of the compact pack with one role changed."""
    write_changed_pack(folder, {role: change})
    with pytest.raises(ConfigurationError) as caught:
        load_pack("changed", folder)
    return caught.value.message


@pytest.mark.parametrize("role", ["face_detection", "face_embedding", "face_liveness"])
def test_an_unknown_kind_is_refused(role: str, tmp_path: Path) -> None:
    said = refused(tmp_path, role, lambda model: model.update(kind="sonar"))
    assert f"{role}: no engine reads the kind sonar" in said


def test_a_missing_figure_names_its_place(tmp_path: Path) -> None:
    said = refused(tmp_path, "face_embedding", lambda model: model["calibration"].pop("slope"))
    assert "face_embedding.calibration.slope is missing" in said


def test_an_unknown_outline_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "face_liveness", lambda model: model["params"].update(outline="round"))
    assert "outline must be square or box" in said


def test_a_mean_for_each_channel_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "face_liveness", lambda model: model["input"].update(mean=[1.0, 2.0, 3.0]))
    assert "one mean" in said

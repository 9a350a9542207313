"""Every pack's manifest holds what the face engines need, and a wrong one is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import ConfigurationError
from app.ml_models.factories.face import build_face_engines, build_liveness_detector
from app.ml_models.manifest import ModelSpec, Pack, load_pack
from app.ml_models.tables import Table
from app.types import FloatArray
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
        width = 512 if self._role == "face_embedding" else 3
        return [np.ones((count, width), np.float32)]


class Loader:
    """As much of a ``ModelLoader`` as factories ask for."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.opened: list[str] = []

    def spec(self, role: str) -> ModelSpec:
        return self._pack.spec(role)

    def has(self, role: str) -> bool:
        return role in self._pack.models

    def session(self, role: str) -> Answering:
        self.opened.append(role)
        return Answering(role)


def compact_with(role: str, **changes: object) -> Loader:
    """The compact pack with another spec for one role."""
    pack = load_pack("compact")
    return Loader(replace(pack, models={**pack.models, role: replace(pack.spec(role), **changes)}))


def test_the_full_pack_builds_scrfd_arcface_and_two_networks_for_liveness() -> None:
    loader = Loader(load_pack("full"))
    engines = build_face_engines(loader)
    engines.warm_up()
    assert sorted(loader.opened) == ["face_detection", "face_embedding", "face_liveness", "face_liveness_wide"]
    assert engines.recognition.model_id == load_pack("full").spec("face_embedding").model_id
    assert engines.recognition.detect_faces(astronaut()) == []


def test_the_compact_pack_opens_each_network_once() -> None:
    loader = Loader(load_pack("compact"))
    build_face_engines(loader)
    assert sorted(loader.opened) == ["face_detection", "face_embedding", "face_landmarks", "face_liveness"]


def test_the_settings_thresholds_are_bounds_on_public_scores(model_loader: object) -> None:
    lenient = build_face_engines(model_loader, min_detection_score=0.5, min_liveness=0.0)
    strict = build_face_engines(model_loader, min_detection_score=0.9999, min_liveness=1.0)
    faces = lenient.recognition.detect_faces(group())
    assert len(strict.recognition.detect_faces(group())) < len(faces)
    assert sum(verdict.is_live for verdict in lenient.liveness.assess(group(), faces)) >= 6
    assert not any(verdict.is_live for verdict in strict.liveness.assess(group(), faces))


@pytest.mark.parametrize("role", ["face_detection", "face_embedding", "face_liveness"])
def test_an_unknown_kind_is_refused(role: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{role}: no engine reads the kind sonar"):
        build_face_engines(compact_with(role, kind="sonar"))


def test_a_missing_figure_names_its_place() -> None:
    nothing = Table({}, place="Model pack compact, face_embedding.calibration")
    with pytest.raises(ConfigurationError, match=r"face_embedding\.calibration: slope"):
        build_face_engines(compact_with("face_embedding", calibration=nothing))


def test_an_unknown_outline_is_refused() -> None:
    params = load_pack("compact").spec("face_liveness").params
    with pytest.raises(ConfigurationError, match="outline must be square or box"):
        build_liveness_detector(
            compact_with("face_liveness", params=Table({**params, "outline": "round"}, place="here")), min_score=0.5
        )


def test_a_mean_for_each_channel_is_refused() -> None:
    wanted = load_pack("compact").spec("face_liveness").input
    with pytest.raises(ConfigurationError, match="one mean"):
        build_face_engines(compact_with("face_liveness", image_input=replace(wanted, mean=(1.0, 2.0, 3.0))))

"""The full pack's face roles, installed from a folder in insightface's layout and run by the same engines.

The networks are stand-ins of the same kinds (tests/full_pack.py). What they answer is not judged,
only that files of these kinds are installed, loaded and read.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.ml_models.devices import RuntimeOptions
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Image
from scripts.download_models import main
from tests.full_pack import FACE_ROLES, unpinned_manifests, write_compact_files, write_face_sources

pytestmark = pytest.mark.slow


def install(root: Path, *options: str) -> int:
    places = {"--packs-dir": root / "packs", "--weights-dir": root / "weights", "--from": root / "sources"}
    only = [argument for role in (*FACE_ROLES, "image_features") for argument in ("--only", role)]
    return main(["--pack", "full", *(str(part) for place in places.items() for part in place), *only, *options])


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def engines(
    request: pytest.FixtureRequest, third_party_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> FaceEngines:
    root = tmp_path_factory.mktemp("full")
    write_face_sources(root / "sources", third_party_models)
    write_compact_files(root / "sources")  # what covers a face is seen in the features that both packs share
    packs = unpinned_manifests(root / "packs")
    assert install(root) == 1, "the weights of insightface ask for consent"
    assert not list((root / "weights").rglob("w600k_r50.onnx"))
    assert install(root, "--accept-licence") == 0
    options = RuntimeOptions(runtime=request.param, device="cpu", precision="f32")
    return build_face_engines(ModelLoader(load_pack("full", packs), root / "weights", options))


@pytest.fixture(scope="module")
def group() -> Image:
    """Six people; a photo that travels inside insightface."""
    package = importlib.util.find_spec("insightface")
    assert package is not None
    assert package.origin is not None
    photo = cv2.imread(str(Path(package.origin).parent / "data" / "images" / "t1.jpg"))
    assert photo is not None
    return photo.astype(np.uint8)


def test_every_face_of_a_group_is_found_with_its_points_inside_its_box(engines: FaceEngines, group: Image) -> None:
    faces = engines.recognition.detect_faces(group)
    assert len(faces) == 6
    for face in faces:
        assert face.score >= 0.9
        assert np.all(face.landmarks >= (face.box.x1, face.box.y1))
        assert np.all(face.landmarks <= (face.box.x2, face.box.y2))


def test_embeddings_carry_the_packs_own_model_id(engines: FaceEngines, group: Image) -> None:
    faces = engines.recognition.detect_faces(group)[:2]
    embeddings = engines.recognition.embed_probes(group, faces)
    assert {embedding.model_id for embedding in embeddings} == {"arcface-w600k-r50-buffalo_l"}
    np.testing.assert_allclose([np.linalg.norm(embedding.vector) for embedding in embeddings], 1.0, rtol=1e-5)


@pytest.mark.parametrize(("colour", "is_live"), [((0, 250, 0), True), ((250, 0, 0), False)])
def test_both_liveness_networks_are_asked_for_class_one(
    colour: tuple[int, int, int], is_live: bool, engines: FaceEngines
) -> None:
    plain = np.full((300, 300, 3), colour, np.uint8)
    score = engines.liveness.check_liveness(plain, [100, 100, 200, 200])[1]
    assert (score > 0.5) is is_live

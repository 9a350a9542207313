"""The full pack's face roles, installed from a folder in insightface's layout and run by the same engines.

The networks are stand-ins of the same kinds: a small SCRFD of CV_TEST_MODELS, the compact pack's embedder, and liveness
networks made here. What they answer is not judged, only that files of these kinds are installed, loaded and read.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app.config import Settings
from app.core.types import Image
from app.ml_models.devices import RuntimeOptions
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.manifest import PACKS_DIR, load_pack
from app.ml_models.model_loader import ModelLoader
from scripts.download_models import main

ROLES = ("face_detection", "face_embedding", "face_liveness", "face_liveness_wide")


def unpinned_manifests(folder: Path) -> Path:
    """The shipped manifests without the sha256 of the full pack's files, which stand-ins can't have."""
    folder.mkdir()
    shutil.copy(PACKS_DIR / "compact.toml", folder)
    manifest = (PACKS_DIR / "full.toml").read_text(encoding="utf-8")
    (folder / "full.toml").write_text(re.sub(r', sha256 = "\w{64}"', "", manifest), encoding="utf-8")
    return folder


def liveness_network() -> onnx.ModelProto:
    """``input`` (n, 3, 80, 80) → three logits, the mean of each channel; class 1 wins on green pictures."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["input"], ["means"]),
            helper.make_node("Flatten", ["means"], ["logits"], axis=1),
        ],
        "liveness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 80, 80])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def embedder_named_as_insightface_names_it() -> onnx.ModelProto:
    path = Path(Settings.model_fields["MODEL_WEIGHTS_DIR"].default) / "compact" / "face_embedding.onnx"
    if not path.exists():
        pytest.skip("the compact pack is not installed: python scripts/download_models.py --pack compact")
    model = onnx.load(path)
    old_name = model.graph.input[0].name
    model.graph.input[0].name = "input.1"
    for node in model.graph.node:
        node.input[:] = ["input.1" if name == old_name else name for name in node.input]
    return model


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def engines(
    request: pytest.FixtureRequest, third_party_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> FaceEngines:
    root = tmp_path_factory.mktemp("full")
    buffalo = root / "sources" / "buffalo_l"
    buffalo.mkdir(parents=True)
    shutil.copy(third_party_models / "scrfd_500m_bnkps.onnx", buffalo / "det_10g.onnx")
    onnx.save(embedder_named_as_insightface_names_it(), buffalo / "w600k_r50.onnx")
    for name in ("MiniFASNetV2.onnx", "MiniFASNetV1SE.onnx"):
        onnx.save(liveness_network(), root / "sources" / name)
    packs = unpinned_manifests(root / "packs")
    places = ["--packs-dir", str(packs), "--weights-dir", str(root / "weights"), "--from", str(root / "sources")]
    only = [argument for role in ROLES for argument in ("--only", role)]
    assert main(["--pack", "full", *places, *only, "--accept-licence"]) == 0
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
    return photo


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

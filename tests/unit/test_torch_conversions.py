"""Networks out of PyTorch are accepted only where they answer as the original did.

What needs the conversion environment runs where it was made: ``make model-tools``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from rich.console import Console

from app.ml_models.factories.image import build_image_embedder
from app.ml_models.manifest import load_pack
from app.ml_models.runtimes import OnnxRuntimeSession
from scripts.models.errors import PreparationError
from scripts.models.prepare import InstallOptions, PackInstaller
from scripts.models.progress import Progress
from scripts.models.torch_conversions import check_parity, write_half
from scripts.models.torch_tools import ConversionTools
from tests.full_pack import CLIP_ROLES, YOLO_ROLES
from tests.photos import coffee
from tests.tiny_models import FEATURES, tiny_network
from tests.unit.conftest import PreparedPacks

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(2, FEATURES)).astype(np.float32)
ASKING = ("face_detection", "face_embedding", "person_detection", "fire_smoke_detection")
PROGRESS = Progress(Console(quiet=True), roles=1)
ANSWERS = {"in_x": X, "out_scaled": 2 * X, "out_total": (2 * X).sum(axis=1, keepdims=True)}


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    path.write_bytes(tiny_network())
    return path


def tools_in(folder: Path) -> ConversionTools:
    return ConversionTools(folder, torch_index=None, progress=PROGRESS)


def test_a_network_that_answers_as_the_original_is_accepted(network: Path) -> None:
    check_parity(network, ANSWERS)


def test_a_network_that_answers_otherwise_is_refused(network: Path) -> None:
    with pytest.raises(PreparationError, match=r"does not answer as the original: scaled is off by up to 0\.01"):
        check_parity(network, ANSWERS | {"out_scaled": 2 * X + np.float32(0.01)})


def test_the_half_precision_twin_is_smaller_and_takes_and_gives_float32(network: Path, tmp_path: Path) -> None:
    write_half(network, tmp_path / "network.fp16.onnx", ANSWERS)
    half = onnx.load(tmp_path / "network.fp16.onnx")
    assert {tensor.data_type for tensor in half.graph.initializer} >= {onnx.TensorProto.FLOAT16}
    scaled = OnnxRuntimeSession(tmp_path / "network.fp16.onnx").run({"x": X})[0]
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, 2 * X, rtol=2e-3)


def test_a_half_precision_twin_that_points_elsewhere_is_refused(network: Path, tmp_path: Path) -> None:
    turned = ANSWERS | {"out_scaled": -2 * X}
    with pytest.raises(PreparationError, match="has a cosine of -1"):
        write_half(network, tmp_path / "network.fp16.onnx", turned)


def test_what_an_exporter_fails_with_is_told_in_one_line(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'KeyError: head' >&2\nexit 1\n")
    python.chmod(0o755)
    tools = tools_in(tmp_path)
    tools.mark_complete()
    with pytest.raises(PreparationError, match=r"^the exporter clip failed: KeyError: head$"):
        tools.export("clip", [])


def test_the_environment_can_be_removed(tmp_path: Path) -> None:
    tools = tools_in(tmp_path / "tools")
    (tmp_path / "tools").mkdir()
    tools.remove()
    tools.remove()
    assert not (tmp_path / "tools").exists()


class Tampering(ConversionTools):
    """An exporter that gets the biases wrong."""

    def export(self, exporter: str, arguments: Sequence[str | Path]) -> None:
        super().export(exporter, arguments)
        network = next(Path(argument) for argument in arguments if str(argument).endswith(".onnx"))
        model = onnx.load(network)
        for tensor in model.graph.initializer:
            if tensor.name.endswith("bias"):
                wrong = numpy_helper.to_array(tensor) + np.float32(0.5)
                tensor.CopyFrom(numpy_helper.from_array(wrong, tensor.name))
        onnx.save(model, network)


@pytest.mark.parametrize("role", ["image_text_embedding", "person_detection"])
def test_a_wrong_export_is_refused_and_nothing_installed(
    role: str, prepared_packs: PreparedPacks, conversion_tools: ConversionTools, tmp_path: Path
) -> None:
    installer = PackInstaller(
        load_pack("full", prepared_packs.packs_dir),
        tmp_path,
        options=InstallOptions(local_dir=prepared_packs.sources, accept_licences=True),
        tools=Tampering(conversion_tools._tools_dir, torch_index=None, progress=PROGRESS),
        progress=PROGRESS,
    )
    [failure] = installer.install([role])
    assert "does not answer as the original" in failure.reason
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize("pack", ["full", "full-siglip2"])
def test_clip_and_siglip_of_transformers_embed_pictures_and_words_alike(
    pack: str, prepared_packs: PreparedPacks
) -> None:
    embedder = build_image_embedder(prepared_packs.loader(pack))
    for rows in (1, 3):
        vectors = [
            e.vector for e in (*embedder.embed_images([coffee()] * rows), *embedder.embed_texts(["keys"] * rows))
        ]
        assert np.shape(vectors) == (2 * rows, 768)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-4)


@pytest.mark.parametrize(("role", "classes"), [("person_detection", 80), ("fire_smoke_detection", 2)])
def test_a_yolov8_of_ultralytics_takes_a_batch_and_keeps_its_licence(
    role: str, classes: int, prepared_packs: PreparedPacks
) -> None:
    network = prepared_packs.loader("full").path(role)
    [output] = OnnxRuntimeSession(network).run({"images": np.zeros((3, 3, 640, 640), np.float32)})
    assert output.shape == (3, 4 + classes, 8400)
    assert "AGPL" in {entry.key: entry.value for entry in onnx.load(network).metadata_props}["license"]


def test_every_converted_network_has_its_half_precision_twin(prepared_packs: PreparedPacks) -> None:
    folder = prepared_packs.weights_dir / "full"
    for name in ("clip/vision", "clip/text", "yolov8s", "fire_smoke"):
        whole, half = (folder / f"{name}{ending}.onnx" for ending in ("", ".fp16"))
        assert half.stat().st_size < 0.7 * whole.stat().st_size


def test_a_second_run_converts_nothing(prepared_packs: PreparedPacks, tmp_path: Path) -> None:
    missing = tmp_path / "no-tools"
    options = ["--accept-licence", "--tools-dir", str(missing)]
    assert prepared_packs.install("full", *options, roles=CLIP_ROLES + YOLO_ROLES) == 0
    assert not missing.exists()


def test_models_that_ask_for_consent_are_left_out_without_it(
    prepared_packs: PreparedPacks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepared_packs.install("full", roles=ASKING, weights_dir=tmp_path) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told] == list(ASKING)
    assert all("--accept-licence" in line for line in told)
    assert not list(tmp_path.rglob("*.onnx"))

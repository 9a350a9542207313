"""Networks out of PyTorch are accepted only where they answer as the original did.

What needs the conversion environment runs where CV_MODEL_TOOLS names one, as ``scripts/download_models.py`` made it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.console import Console

from app.ml_models.runtimes import OnnxRuntimeSession
from app.ml_models.tables import Table
from scripts.models.conversions import Conversion, convert
from scripts.models.errors import PreparationError
from scripts.models.progress import Progress
from scripts.models.torch_conversions import check_parity, write_half
from scripts.models.torch_tools import ConversionTools
from tests.tiny_models import FEATURES, tiny_network

X = np.random.default_rng(0).normal(size=(2, FEATURES)).astype(np.float32)
ANSWERS = {"in_x": X, "out_scaled": 2 * X, "out_total": (2 * X).sum(axis=1, keepdims=True)}


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    path.write_bytes(tiny_network())
    return path


def tools_in(folder: Path) -> ConversionTools:
    return ConversionTools(folder, torch_index=None, progress=Progress(Console(quiet=True), roles=1))


@pytest.fixture
def tools() -> ConversionTools:
    folder = os.environ.get("CV_MODEL_TOOLS")
    if not folder:
        pytest.skip("CV_MODEL_TOOLS names no conversion environment")
    return tools_in(Path(folder))


def run_in(tools: ConversionTools, program: str, *arguments: Path, python_path: Path | str = "") -> None:
    """Run a program in the conversion environment."""
    environment = os.environ | {"PYTHONPATH": str(python_path), "YOLO_CONFIG_DIR": str(tools._tools_dir)}
    subprocess.run([tools._python, "-c", program, *arguments], check=True, capture_output=True, env=environment)


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


MAKE_CLIP = """
import sys, torch
from transformers import CLIPConfig, CLIPModel
torch.manual_seed(0)
size = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, projection_dim=24)
text = size | dict(vocab_size=300, bos_token_id=298, eos_token_id=299, pad_token_id=299)
vision = size | dict(image_size=64, patch_size=16)
CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).save_pretrained(sys.argv[1])
"""


@pytest.mark.parametrize(("tower", "feed_shape", "dtype"), [("vision", (3, 64, 64), "f4"), ("text", (77,), "i8")])
def test_a_clip_of_transformers_becomes_a_network_that_answers_alike(
    tower: str, feed_shape: tuple[int, ...], dtype: str, tools: ConversionTools, tmp_path: Path
) -> None:
    run_in(tools, MAKE_CLIP, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    sources = tuple(tmp_path / name for name in ("config.json", "model.safetensors", "tokenizer.json"))
    targets = tuple(tmp_path / "out" / name for name in ("tower.onnx", "tokenizer.json", "tower.fp16.onnx"))
    convert("clip", Conversion(sources, targets, options=Table({"tower": tower}, place="test"), tools=tools))
    assert all(target.is_file() for target in targets)
    session = OnnxRuntimeSession(targets[0])
    name = "pixel_values" if tower == "vision" else "input_ids"
    for rows in (1, 3):
        [embedding] = session.run({name: np.ones((rows, *feed_shape), dtype)})
        assert embedding.shape == (rows, 24)


MAKE_YOLO = """
import sys
from ultralytics import YOLO
YOLO("yolov8n.yaml").save(sys.argv[1])
"""


def test_a_yolov8_of_ultralytics_becomes_a_network_that_answers_alike(tools: ConversionTools, tmp_path: Path) -> None:
    checkpoint, network = tmp_path / "yolov8n.pt", tmp_path / "out" / "yolov8n.onnx"
    run_in(tools, MAKE_YOLO, checkpoint, python_path=tools._detectors_dir)
    convert("yolo", Conversion((checkpoint,), (network,), options=Table({}, place="test"), tools=tools))
    [output] = OnnxRuntimeSession(network).run({"images": np.zeros((3, 3, 640, 640), np.float32)})
    assert output.shape == (3, 84, 8400)
    assert "AGPL" in {entry.key: entry.value for entry in onnx.load(network).metadata_props}["license"]

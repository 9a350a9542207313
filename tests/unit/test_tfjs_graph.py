"""TensorFlow.js graph models become ONNX that computes the same."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from scripts.models.tfjs_graph import read_graph

Weights = dict[str, NDArray[Any]]


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def node(name: str, operation: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": operation, "input": list(inputs), "attr": attributes}


def convolution(
    name: str, operation: str, *inputs: str, stride: int = 1, fused: tuple[str, ...] = ()
) -> dict[str, Any]:
    return node(
        name,
        operation,
        *inputs,
        strides={"list": {"i": ["1", str(stride), str(stride), "1"]}},
        padding={"s": text("SAME")},
        fused_ops={"list": {"s": [text(one) for one in fused]}},
    )


def write_model(folder: Path, nodes: list[dict[str, Any]], weights: Weights) -> tuple[Path, Path]:
    """Weights are stored as halves, as such packages have them."""
    named = []
    for name, values in weights.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        if values.dtype == np.float32:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        named.append(entry)
    constants = [node(name, "Const") for name in weights]
    graph = {"modelTopology": {"node": constants + nodes}, "weightsManifest": [{"weights": named}]}
    (folder / "model.json").write_text(json.dumps(graph))
    halves = [values.astype(np.float16) if values.dtype == np.float32 else values for values in weights.values()]
    (folder / "model.bin").write_bytes(b"".join(values.tobytes() for values in halves))
    return folder / "model.json", folder / "model.bin"


def run(model: onnx.ModelProto, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    onnx.checker.check_model(model, full_check=True)
    return list(ort.InferenceSession(model.SerializeToString()).run(None, {"picture": picture}))


def test_a_network_of_every_operation_says_the_same(tmp_path: Path) -> None:
    """Kernels of one pixel, so that the expected values are sums over channels; the strided one takes every second."""
    weights: Weights = {
        "mix": np.array([[[[1, 0.5], [2, 0], [0, 1]]]], np.float32),  # 1x1, three channels to two
        "bias": np.array([0.5, -100], np.float32),
        "own": np.array([[[[2.0], [3.0]]]], np.float32),  # 1x1, for each channel
        "half": np.array(0.5, np.float32),
        "axes": np.array([1, 2], np.int32),
        "last": np.array(3, np.int32),
        "size": np.array([4, 4], np.int32),
    }
    nodes = [
        node("image", "Placeholder"),
        convolution("mixed", "_FusedConv2D", "image", "mix", "bias", fused=("BiasAdd", "Relu"), stride=2),
        convolution("deep", "DepthwiseConv2dNative", "mixed", "own"),
        node("halved", "Mul", "half", "deep"),
        node("cut", "Relu6", "halved"),
        node("mean", "Mean", "cut", "axes"),
        node("sure", "Sigmoid", "mean"),
        node("scaled", "Mul", "cut", "sure"),
        node(
            "large",
            "ResizeBilinear",
            "scaled",
            "size",
            align_corners={"b": False},
            half_pixel_centers={"b": False},
        ),
        node("both", "ConcatV2", "large", "image", "last"),
        node("out", "Identity", "both"),
    ]
    model = read_graph(*write_model(tmp_path, nodes, weights), outputs=["out"], input_name="picture", side_px=4)
    picture = np.random.default_rng(0).uniform(0, 9, (1, 3, 4, 4)).astype(np.float32)
    [found] = run(model, picture)
    strided = picture[0, :, ::2, ::2]
    mixed = np.maximum(np.einsum("chw,cd->dhw", strided, weights["mix"][0, 0]) + weights["bias"][:, None, None], 0)
    cut = np.clip(mixed * np.array([2, 3], np.float32)[:, None, None] * 0.5, 0, 6)
    scaled = cut / (1 + np.exp(-cut.mean(axis=(1, 2), keepdims=True)))
    assert found.shape == (1, 5, 4, 4)
    assert found[0, :2, ::2, ::2] == pytest.approx(scaled, abs=1e-4)
    assert found[0, :2, 0, 1] == pytest.approx(scaled[:, 0].mean(axis=1), abs=1e-4)
    assert found[0, 2:] == pytest.approx(picture[0])


def test_only_what_the_outputs_need_is_read(tmp_path: Path) -> None:
    nodes = [node("image", "Placeholder"), node("out", "Relu", "image"), node("strange", "Sort", "out")]
    model = read_graph(*write_model(tmp_path, nodes, {}), outputs=["out"], input_name="picture", side_px=4)
    assert [one.op_type for one in model.graph.node] == ["Relu"]


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    nodes = [node("image", "Placeholder"), node("out", "Sort", "image")]
    files = write_model(tmp_path, nodes, {"left over": np.ones(3, np.float32)})
    with pytest.raises(ValueError, match="Sort of out"):
        read_graph(*files, outputs=["out"], input_name="picture", side_px=4)
    files[1].write_bytes(files[1].read_bytes() + b"\x00\x00")
    with pytest.raises(ValueError, match="8 bytes long, and should be 6"):
        read_graph(*files, outputs=["out"], input_name="picture", side_px=4)

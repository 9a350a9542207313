"""Changing the input side of an exported YOLOv8 network."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from scripts.models.yolo_side import set_side

STRIDES = (8, 16, 32)


def export(side: int) -> onnx.ModelProto:
    """A network with the constants of an export: it answers each cell's centre in pixels, and two scores of zero."""
    counts = [(side // stride) ** 2 for stride in STRIDES]
    centres = []
    for stride in STRIDES:
        cells = np.arange(side // stride, dtype=np.float32) + 0.5
        x, y = np.meshgrid(cells, cells)
        centres.append(np.stack([x.ravel(), y.ravel()]))
    anchors = np.concatenate(centres, axis=1)[None]
    strides = np.repeat(np.array(STRIDES, np.float32), counts)[None]
    n = sum(counts)
    tensors = [
        numpy_helper.from_array(anchors, "anchors"),
        numpy_helper.from_array(strides, "strides"),
        numpy_helper.from_array(np.array([1, 2, n], np.int64), "shape_a"),
        numpy_helper.from_array(np.array([1, 2, n], np.int64), "shape_b"),
        numpy_helper.from_array(np.array([7, 8], np.int64), "other"),
    ]
    nodes = [
        helper.make_node("Mul", ["anchors", "strides"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "shape_a"], ["first"]),
        helper.make_node("Reshape", ["first", "shape_b"], ["second"]),
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Add", ["second", "mean"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "export",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 2, n])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("side", [320, 448, 640, 960])
def test_network_works_as_one_exported_at_that_side(side: int) -> None:
    feed = {"images": np.zeros((1, 3, side, side), np.float32)}
    changed, native = (
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
        for model in (set_side(export(640), side), export(side))
    )
    assert np.array_equal(changed, native)


def test_the_given_network_stays_as_it_is() -> None:
    model = export(640)
    before = model.SerializeToString()
    set_side(model, 320)
    assert model.SerializeToString() == before


def test_side_must_fit_the_strides() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        set_side(export(640), 300)


def test_another_network_is_refused() -> None:
    model = export(640)
    del model.graph.initializer[2:]
    with pytest.raises(ValueError, match="no YOLOv8 export"):
        set_side(model, 320)

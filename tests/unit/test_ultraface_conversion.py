"""The face detector is freed of its one input size without changing what it says."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from app.ml_models.model_loader import ModelLoader
from scripts.models.ultraface import free_size


def exported(*, heads: int = 2) -> ModelProto:
    """A detector as exporters leave it: ``heads`` scales, decoded with anchors of an 8×8 picture."""
    rng = np.random.default_rng(4)
    nodes, tensors = [], [numpy_helper.from_array(np.array([1, -1, 2], np.int64), "two")]
    tensors.append(numpy_helper.from_array(np.array([1, -1, 4], np.int64), "four"))
    for head in range(heads):
        for name, width in (("score", 2), ("box", 4)):
            weight = rng.normal(size=(width, 3, 1, 1)).astype(np.float32)
            tensors.append(numpy_helper.from_array(weight, f"{name}_weight{head}"))
            stride = [2**head] * 2
            nodes += [
                helper.make_node("Conv", ["input", f"{name}_weight{head}"], [f"{name}_map{head}"], strides=stride),
                helper.make_node("Transpose", [f"{name}_map{head}"], [f"{name}_last{head}"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last{head}", "two" if width == 2 else "four"], [f"{name}{head}"]),
            ]
    anchors = sum((8 // 2**head) ** 2 for head in range(heads))
    tensors.append(numpy_helper.from_array(np.full((1, anchors, 4), 0.5, np.float32), "anchors"))
    nodes += [
        helper.make_node("Concat", [f"score{head}" for head in range(heads)], ["all_scores"], axis=1),
        helper.make_node("Concat", [f"box{head}" for head in range(heads)], ["all_boxes"], axis=1),
        helper.make_node("Softmax", ["all_scores"], ["scores"], axis=2),
        helper.make_node("Mul", ["all_boxes", "anchors"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, anchors, 2]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, anchors, 4]),
        ],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run(model: ModelProto, picture: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(None, {"input": picture})
    return outputs


def test_scores_stay_and_offsets_come_out_undecoded() -> None:
    picture = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    scores, boxes = run(exported(), picture)
    freed = free_size(exported())
    onnx.checker.check_model(freed)
    free_scores, offsets = run(freed, picture)
    np.testing.assert_allclose(free_scores, scores, atol=1e-6)
    np.testing.assert_allclose(offsets * 0.5, boxes, atol=1e-6)


def test_other_sizes_are_accepted() -> None:
    scores, offsets = run(free_size(exported()), np.zeros((1, 3, 16, 24), np.float32))
    assert scores.shape == (1, 16 * 24 + 8 * 12, 2)
    assert offsets.shape == (1, 16 * 24 + 8 * 12, 4)


def test_a_graph_of_another_kind_is_refused() -> None:
    other = exported()
    del other.graph.node[-2]
    with pytest.raises(ValueError, match="Softmax"):
        free_size(other)


def test_the_installed_detector_takes_any_size_and_batch(model_loader: ModelLoader) -> None:
    session = model_loader.session("face_detection")
    scores, offsets = session.run({"input": np.zeros((1, 3, 240, 320), np.float32)})
    assert scores.shape == (1, 4420, 2)
    assert offsets.shape == (1, 4420, 4)
    scores, _ = session.run({"input": np.zeros((3, 3, 96, 96), np.float32)})
    np.testing.assert_allclose(scores.sum(axis=2), 1.0, atol=1e-5)

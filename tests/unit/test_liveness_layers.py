"""The liveness network's second output says what its layers saw, and leaves its verdict alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from app.ml_models.runtimes import OnnxRuntimeSession
from scripts.models import liveness_layers


def network(*layers: str) -> ModelProto:
    """Each layer is the one before, doubled; the verdict is the mean of the last."""
    names = ["input", *layers]
    nodes = [helper.make_node("Mul", [before, "two"], [after]) for before, after in zip(names, layers, strict=False)]
    nodes.append(helper.make_node("GlobalAveragePool", [layers[-1]], ["output"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 2, 4, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 2, 1, 1])],
        [numpy_helper.from_array(np.array(2.0, np.float32), "two")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_inner_layers_are_told_by_mean_and_spread_of_their_channels() -> None:
    model = network("440", "505", "564")
    liveness_layers.expose(model)
    onnx.checker.check_model(model)
    pictures = np.random.default_rng(0).normal(size=(3, 2, 4, 4)).astype(np.float32)
    verdict, inner = OnnxRuntimeSession(model.SerializeToString()).run({"input": pictures})
    mean, spread = pictures.mean(axis=(2, 3)), pictures.std(axis=(2, 3))
    np.testing.assert_allclose(verdict.reshape(3, 2), 8 * mean, rtol=1e-4, atol=1e-5)
    wanted = np.concatenate([factor * part for factor in (2, 4, 8) for part in (mean, spread)], axis=1)
    np.testing.assert_allclose(inner, wanted, rtol=1e-4, atol=1e-5)


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer 564"):
        liveness_layers.expose(network("440", "505"))

"""Small repairs of ONNX graphs, made once when a pack is prepared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

NEGLIGIBLE_WEIGHT = 1e-12
"""Weights below this are denormals or nearly so: they change no output digit and slow every multiplication."""


def free_batch(model: ModelProto) -> None:
    """Let the first dimension of every input and output vary.

    Exporters that traced one picture also froze the batch in a ``Reshape(x, [1, -1, …])``; ``0`` there means
    "as the input", so the graph gives the same answer at a batch of one and serves any other.
    """
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    frozen_shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for initializer in model.graph.initializer:
        shape = numpy_helper.to_array(initializer).tolist() if initializer.name in frozen_shapes else []
        if shape[:2] == [1, -1]:
            initializer.CopyFrom(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), initializer.name))
    del model.graph.value_info[:]


def free_sides(model: ModelProto) -> None:
    """Let height and width of a fully convolutional network's pictures vary, and with them its outputs' second
    dimension, the places."""
    for value, names in [
        *((value, {2: "h", 3: "w"}) for value in model.graph.input),
        *((value, {1: f"{value.name}_places"}) for value in model.graph.output),
    ]:
        for index, name in names.items():
            value.type.tensor_type.shape.dim[index].dim_param = name
    del model.graph.value_info[:]


def drop_denormals(model: ModelProto) -> None:
    """Set float weights that are almost zero to zero."""
    for initializer in model.graph.initializer:
        if initializer.data_type != onnx.TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(initializer).copy()
        negligible = (np.abs(weights) < NEGLIGIBLE_WEIGHT) & (weights != 0)
        if negligible.any():
            weights[negligible] = 0.0
            initializer.CopyFrom(numpy_helper.from_array(weights, initializer.name))


def save(model: ModelProto, path: Path) -> None:
    """Check and write; the bytes depend on the graph alone, so that their sha256 can stand in a manifest."""
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))

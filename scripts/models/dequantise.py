"""Fold block-quantised weights into plain float32.

OpenCV Zoo's block-quantised networks keep each weight as int8 blocks beside their scales, and restore it in front of
every use: on a CPU that costs more time at each call than the network itself. Folded once, the graph computes the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper


def fold_weights(model: ModelProto) -> ModelProto:
    """The same network with float32 weights and no other inputs than its pictures.

    Raises:
        ValueError: something else than a weight is dequantised.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            constants[node.output[0]] = _restored(node, constants)
        elif node.op_type == "Reshape" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].reshape(constants[node.input[1]])
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    weights = [
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items() if name in used
    ]
    # These exports list restored weights among the inputs, where nobody could feed them.
    pictures = [value for value in model.graph.input if value.name in used and value.name not in constants]
    graph = helper.make_graph(kept, model.graph.name, pictures, list(model.graph.output), weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _restored(node: NodeProto, constants: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    """``(weight - zero point) · scale``, with a scale and a zero point for each block along ``axis``."""
    if any(name not in constants for name in node.input):
        raise ValueError(f"{node.output[0]} is no weight, so it cannot be dequantised beforehand")
    quantised, scales, *zeros = (constants[name] for name in node.input)
    settings = {attribute.name: attribute.i for attribute in node.attribute}
    axis, block = settings.get("axis", 1), settings.get("block_size", 0)
    zero_points = zeros[0] if zeros else np.zeros_like(quantised, shape=scales.shape)
    spread = [
        _spread(values.astype(np.float32), like=quantised.shape, axis=axis, block=block)
        for values in (scales, zero_points)
    ]
    restored: NDArray[np.generic] = ((quantised.astype(np.float32) - spread[1]) * spread[0]).astype(np.float32)
    return restored


def _spread(values: NDArray[np.float32], *, like: tuple[int, ...], axis: int, block: int) -> NDArray[np.float32]:
    """One value for each element, or a shape that broadcasts to it."""
    if block:
        return np.take(np.repeat(values, block, axis=axis), range(like[axis]), axis=axis)
    if values.ndim == 1 and values.size > 1:
        return values.reshape([-1 if index == axis else 1 for index in range(len(like))])
    return values

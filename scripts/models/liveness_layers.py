"""Let the liveness network say what its layers saw, beside its verdict; see ``app/core/attack_cues.py``."""

from __future__ import annotations

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

_LAYERS = ("440", "505", "564")
"""Outputs of blocks at a quarter, an eighth and a sixteenth of the crop: texture, parts, the whole."""
INNER = "inner"


def expose(model: ModelProto) -> None:
    """Add the output ``inner``, (n, d): mean and spread of each channel of each layer."""
    known = {name for node in model.graph.node for name in node.output}
    missing = sorted(set(_LAYERS) - known)
    if missing:
        raise ValueError(f"the network has no layer {missing[0]}")
    statistics: list[str] = []
    for layer in _LAYERS:
        mean, spread, nodes = _moments(layer)
        model.graph.node.extend(nodes)
        statistics += [mean, spread]
    model.graph.node.append(helper.make_node("Concat", statistics, ["inner_maps"], axis=1))
    model.graph.node.append(helper.make_node("Flatten", ["inner_maps"], [INNER], axis=1))
    model.graph.output.append(helper.make_tensor_value_info(INNER, TensorProto.FLOAT, ["n", None]))
    onnx.checker.check_model(model)


def _moments(layer: str) -> tuple[str, str, list[NodeProto]]:
    mean, apart, squared, variance, spread = (
        f"inner_{layer}_{part}" for part in ("mean", "apart", "squared", "variance", "spread")
    )
    nodes = [
        helper.make_node("GlobalAveragePool", [layer], [mean]),
        helper.make_node("Sub", [layer, mean], [apart]),
        helper.make_node("Mul", [apart, apart], [squared]),
        helper.make_node("GlobalAveragePool", [squared], [variance]),
        helper.make_node("Sqrt", [variance], [spread]),
    ]
    return mean, spread, nodes

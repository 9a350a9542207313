"""From a TensorFlow.js graph model to ONNX: the operations of convolutional networks, pictures in n×3×h×w.

Such a model is a JSON file with the graph and the names of its weights, and a binary file with their values one after
the other. TensorFlow has the channels last, ONNX first: weights are turned once, here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 13
_CHANNELS_LAST_TO_FIRST = {0: 0, 1: 2, 2: 3, 3: 1}
_PLAIN = {"Mul": "Mul", "Add": "Add", "AddV2": "Add", "Relu": "Relu", "Sigmoid": "Sigmoid", "Identity": "Identity"}
_DEPTHWISE = {"DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"}
_FUSED = {"BiasAdd": None, "Relu": "Relu", "Relu6": "Relu6"}

Node = Mapping[str, Any]  # JSON


def read_graph(
    model_json: Path, weights: Path, *, outputs: Sequence[str], input_name: str, side_px: int
) -> onnx.ModelProto:
    """The part of the graph that ``outputs`` need.

    Args:
        outputs: names of nodes, which are those of the ONNX outputs too.
        input_name: of the ONNX input; the model's own has another.
        side_px: of its square pictures.

    Raises:
        ValueError: an operation, or how it is used, is not known here.
    """
    model = json.loads(model_json.read_text(encoding="utf-8"))
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    builder = _Builder(nodes, _read_weights(model["weightsManifest"], weights.read_bytes()), input_name)
    for output in outputs:
        builder.add(output)
    used = {value for node in builder.nodes for value in node.input}
    shape: list[str | int | None] = ["n", 3, side_px, side_px]
    graph = helper.make_graph(
        builder.nodes,
        "network",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", None, None, None]) for output in outputs],
        [weight for weight in builder.initializers if weight.name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def _read_weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, NDArray[Any]]:
    """Arrays by name; halves become single precision."""
    found, at = {}, 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        stored = np.dtype(weight.get("quantization", {}).get("dtype", weight["dtype"]))
        if stored.kind not in "fi" or "scale" in weight.get("quantization", {}):
            raise ValueError(f"Weights of {weight['name']} are stored as {stored}, which is not known here.")
        count = int(np.prod(weight["shape"], dtype=np.int64))
        values = np.frombuffer(data, stored, count, at).reshape(weight["shape"])
        found[weight["name"]] = values.astype(weight["dtype"])
        at += count * stored.itemsize
    if at != len(data):
        raise ValueError(f"The weights are {len(data)} bytes long, and should be {at}.")
    return found


class _Builder:
    """Nodes and weights of the ONNX graph, in order."""

    def __init__(self, nodes: Mapping[str, Node], weights: Mapping[str, NDArray[Any]], input_name: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._known = nodes
        self._weights = weights
        self._input_name = input_name
        self._done: dict[str, str] = {}
        self._operations: Mapping[str, Callable[[Node], None]] = {
            **dict.fromkeys(_PLAIN, self._plain),
            **dict.fromkeys(("Conv2D", "_FusedConv2D", *_DEPTHWISE), self._convolution),
            "Relu6": lambda node: self._relu6(self._value(node["input"][0]), node["name"]),
            "Mean": self._mean,
            "ConcatV2": self._concat,
            "ResizeBilinear": self._double,
        }

    def add(self, name: str) -> str:
        """The node of that name and all that it needs; the name of its value in the ONNX graph."""
        waiting = [name]
        while waiting:
            node = self._known[waiting[-1]]
            missing = [one for one in node.get("input", ()) if self._place(one) is None]
            if self._place(node["name"]) is not None or not missing:
                waiting.pop()
                self._emit(node)
            else:
                waiting += missing
        return name

    def _place(self, name: str) -> str | None:
        if name not in self._done and self._known[name]["op"] == "Const":
            self._done[name] = self._constant(name, self._weights[name])
        return self._done.get(name)

    def _value(self, name: str) -> str:
        return self._done[name]

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _emit(self, node: Node) -> None:
        name, operation = node["name"], node["op"]
        if name in self._done:
            return
        if operation == "Placeholder":
            self._done[name] = self._input_name
            return
        if operation not in self._operations:
            raise ValueError(f"The operation {operation} of {name} is not known here.")
        self._operations[operation](node)
        self._done[name] = name

    def _plain(self, node: Node) -> None:
        inputs = [self._value(one) for one in node["input"]]
        if any(self._weights[one].ndim for one in node["input"] if one in self._weights):
            raise ValueError(f"{node['name']} combines with an array, which is not known here.")
        self.nodes.append(helper.make_node(_PLAIN[node["op"]], inputs, [node["name"]], node["name"]))

    def _relu6(self, value: str, name: str) -> None:
        bounds = [self._constant(f"{name}/{bound}", np.array(bound, np.float32)) for bound in (0, 6)]
        self.nodes.append(helper.make_node("Clip", [value, *bounds], [name], name))

    def _convolution(self, node: Node) -> None:
        name, inputs, attributes = node["name"], node["input"], node["attr"]
        kernel = self._weights[inputs[1]]
        depthwise = node["op"] in _DEPTHWISE
        height, width, channels, _ = kernel.shape
        # Depthwise kernels are height, width, channels, multiplier; plain ones height, width, inputs, outputs.
        turned = kernel.reshape(height, width, 1, -1) if depthwise else kernel
        values = [self._value(inputs[0]), self._constant(f"{name}/kernel", turned.transpose(3, 2, 0, 1))]
        values += [self._value(one) for one in inputs[2:]]
        activations = [_FUSED[_text(one)] for one in attributes.get("fused_ops", {}).get("list", {}).get("s", ())]
        activation = next((one for one in activations if one), None)
        result = f"{name}/linear" if activation else name
        strides = [int(one) for one in attributes["strides"]["list"]["i"][1:3]]
        padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}[_text(attributes["padding"]["s"])]
        groups = channels if depthwise else 1
        self.nodes.append(
            helper.make_node("Conv", values, [result], result, strides=strides, auto_pad=padding, group=groups)
        )
        if activation == "Relu6":
            self._relu6(result, name)
        elif activation:
            self.nodes.append(helper.make_node(activation, [result], [name], name))

    def _mean(self, node: Node) -> None:
        axes = [_CHANNELS_LAST_TO_FIRST[int(axis)] for axis in self._weights[node["input"][1]].ravel()]
        value = self._value(node["input"][0])
        self.nodes.append(helper.make_node("ReduceMean", [value], [node["name"]], node["name"], axes=axes, keepdims=1))

    def _concat(self, node: Node) -> None:
        *values, axis = node["input"]
        places = [self._value(value) for value in values]
        turned = _CHANNELS_LAST_TO_FIRST[int(self._weights[axis]) % 4]
        self.nodes.append(helper.make_node("Concat", places, [node["name"]], node["name"], axis=turned))

    def _double(self, node: Node) -> None:
        """To twice the size, which is what networks with a pyramid of features do."""
        if any(node["attr"][name]["b"] for name in ("align_corners", "half_pixel_centers")):
            raise ValueError(f"How {node['name']} places its pixels is not known here.")
        scales = self._constant(f"{node['name']}/scales", np.array([1, 1, 2, 2], np.float32))
        self.nodes.append(
            helper.make_node(
                "Resize",
                [self._value(node["input"][0]), "", scales],
                [node["name"]],
                node["name"],
                mode="linear",
                coordinate_transformation_mode="asymmetric",
            )
        )


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()

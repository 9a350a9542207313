"""EfficientNet-lite0 as an ONNX graph, written node by node from its published tensors.

Architecture: Tan and Le, "EfficientNet" (arXiv:1905.11946), in the lite variant: no squeeze-and-excitation,
ReLU6, stem and head not scaled. Batch normalisation is folded into the convolutions in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8
NORM_EPSILON = 1e-3
FEATURES = 1280
CLASSES = 1000

Array = NDArray[np.generic]
_Attribute = int | str | list[int]


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one resolution; only the first has the stride, and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(blocks=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(blocks=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(blocks=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(blocks=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=320),
)


class _GraphWriter:
    """Collects nodes and weights; each method returns the name of what it computes."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._tensors = tensors
        self.nodes: list[NodeProto] = []
        self.weights = [
            numpy_helper.from_array(np.array(0.0, np.float32), "relu6_low"),
            numpy_helper.from_array(np.array(6.0, np.float32), "relu6_high"),
        ]

    def node(self, operation: str, inputs: list[str], output: str, **attributes: _Attribute) -> str:
        node = helper.make_node(operation, inputs, [output], name=output)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in sorted(attributes.items()))
        self.nodes.append(node)
        return output

    def constant(self, name: str, values: Array) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, source: str, *, weight: str, norm: str, stride: int = 1) -> str:
        """A convolution with its batch normalisation folded in.

        ``SAME_UPPER`` pads as the network was trained, at any height and width.
        """
        kernel, bias = _fold_norm(self._tensors, weight=weight, norm=norm)
        depthwise = kernel.shape[1] == 1
        inputs = [source, self.constant(f"{weight}.weight", kernel), self.constant(f"{weight}.bias", bias)]
        return self.node(
            "Conv",
            inputs,
            f"{weight}.out",
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            group=kernel.shape[0] if depthwise else 1,
            auto_pad="SAME_UPPER",
        )

    def relu6(self, source: str) -> str:
        return self.node("Clip", [source, "relu6_low", "relu6_high"], f"{source}.relu6")

    def block(self, source: str, *, name: str, stage: Stage, stride: int, residual: bool) -> str:
        """Mobile inverted bottleneck: expand, depthwise convolution, project, and a shortcut where shapes agree."""
        hidden = source
        if stage.expansion != 1:
            hidden = self.relu6(self.convolution(hidden, weight=f"{name}._expand_conv", norm=f"{name}._bn0"))
        hidden = self.convolution(hidden, weight=f"{name}._depthwise_conv", norm=f"{name}._bn1", stride=stride)
        hidden = self.relu6(hidden)
        hidden = self.convolution(hidden, weight=f"{name}._project_conv", norm=f"{name}._bn2")
        return self.node("Add", [hidden, source], f"{name}.out") if residual else hidden


def _fold_norm(tensors: Mapping[str, Array], *, weight: str, norm: str) -> tuple[Array, Array]:
    """float32 kernel and bias that do what the convolution and its batch normalisation did one after the other."""
    kernel = tensors[f"{weight}.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        tensors[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + NORM_EPSILON)
    return (kernel * scale[:, None, None, None]).astype(np.float32), (beta - mean * scale).astype(np.float32)


def _write_body(graph: _GraphWriter) -> str:
    hidden = graph.relu6(graph.convolution("images", weight="_conv_stem", norm="_bn0", stride=2))
    index, channels = 0, 32
    for stage in STAGES:
        for position in range(stage.blocks):
            stride = stage.stride if position == 0 else 1
            residual = stride == 1 and channels == stage.channels
            hidden = graph.block(hidden, name=f"_blocks.{index}", stage=stage, stride=stride, residual=residual)
            index, channels = index + 1, stage.channels
    return graph.convolution(hidden, weight="_conv_head", norm="_bn1")


def build_graph(tensors: Mapping[str, Array]) -> ModelProto:
    """The network with three outputs.

    Input ``images`` n x 3 x h x w float32, (RGB - 127) / 128. Outputs ``feature_map`` n x 1280 x h/32 x w/32,
    ``pooled`` n x 1280 (its mean over positions), ``logits`` n x 1000 (ImageNet, before softmax).
    """
    graph = _GraphWriter(tensors)
    features = graph.node("Clip", [_write_body(graph), "relu6_low", "relu6_high"], "feature_map")
    graph.node("Flatten", [graph.node("GlobalAveragePool", [features], "pooled_map")], "pooled", axis=1)
    head = [graph.constant("_fc.weight", tensors["_fc.weight"]), graph.constant("_fc.bias", tensors["_fc.bias"])]
    graph.node("Gemm", ["pooled", *head], "logits", transB=1)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(_typed(graph), opset_imports=[opset], ir_version=IR_VERSION)


def _typed(graph: _GraphWriter) -> GraphProto:
    def value(name: str, *shape: int | str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    return helper.make_graph(
        graph.nodes,
        "efficientnet_lite0",
        [value("images", "n", 3, "height", "width")],
        [
            value("feature_map", "n", FEATURES, "map_height", "map_width"),
            value("pooled", "n", FEATURES),
            value("logits", "n", CLASSES),
        ],
        initializer=graph.weights,
    )

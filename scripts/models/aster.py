"""Make a PaddleOCR recogniser of the published AsterNet graph (Vietnamese and English text lines).

The published graph takes RGB in 0 to 1, gives time-major log-probabilities and stops at lines wider than 1024 px.
PaddleOCR's ``TextRecognition`` feeds BGR in -1 to 1, wants batch-major probabilities and sends lines of any width.
The surgery changes the ends only; no weight is touched, so every character read stays what the network reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper, numpy_helper

POSITIONS = 2048
"""Rows of the position table: lines of up to 8192 px at a height of 32 px."""

INPUT_HEIGHT_PX = 32
BLANK = "<blank>"
PADDLE_SLOT = "latin_PP-OCRv5_mobile_rec"
"""PaddleOCR only loads model names that it knows. This one has a Latin reader's pre- and post-processing."""


def adapt_aster(source: Path, vocabulary: Path, target_dir: Path) -> None:
    """Write ``inference.onnx`` and ``inference.yml`` into ``target_dir``, ready for ``paddleocr.TextRecognition``.

    Args:
        source: the published ``asternet.onnx``.
        vocabulary: its ``vocab.json``; ``chars[0]`` is the CTC blank.
        target_dir: created when missing.

    Raises:
        ValueError: the graph or the vocabulary is not the published one's shape.
    """
    characters = _read_characters(vocabulary)
    model = onnx.load(source)
    adapt_graph(model.graph, classes=len(characters) + 1)
    onnx.checker.check_model(model)
    target_dir.mkdir(parents=True, exist_ok=True)
    onnx.save(model, target_dir / "inference.onnx")
    (target_dir / "inference.yml").write_text(inference_yaml(characters), encoding="utf-8")


def adapt_graph(graph: GraphProto, *, classes: int) -> None:
    """Change ``graph`` in place: PaddleOCR's input and output conventions and a longer position table.

    Raises:
        ValueError: the graph lacks an input, output or table that the published one has.
    """
    _inline_constant_branches(graph)
    _extend_positions(graph, POSITIONS)
    _put_bgr_input_before(graph)
    _give_batch_major_probabilities(graph, classes)


def inference_yaml(characters: Sequence[str]) -> str:
    """PaddleOCR's description of the model. A minimal width of 8 px keeps lines unpadded: padding with grey adds
    7 to 11 points of character error rate to this network."""
    description = {
        "Global": {"model_name": PADDLE_SLOT},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, INPUT_HEIGHT_PX, 8]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list(characters)},
    }
    return yaml.safe_dump(description, allow_unicode=True, sort_keys=False)


def _read_characters(vocabulary: Path) -> list[str]:
    characters: list[str] = json.loads(vocabulary.read_text(encoding="utf-8"))["chars"]
    if not characters or characters[0] != BLANK or any(len(character) != 1 for character in characters[1:]):
        raise ValueError(f"{vocabulary.name} is not AsterNet's vocabulary: a blank, then single characters")
    return characters[1:]


def _inline_constant_branches(graph: GraphProto) -> None:
    """Replace each ``If`` by its ``then`` branch.

    The exporter left three of them, "squeeze the axis if it is 1 long". Those axes always are 1 long (the height
    after pooling, and the axis that packs query, key and value), and without branches the graph can be optimised.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type != "If":
            nodes.append(node)
            continue
        branch = next(attribute.g for attribute in node.attribute if attribute.name == "then_branch")
        renamed = {branch.output[0].name: node.output[0]}
        for inner in branch.node:
            inner.output[:] = [renamed.get(name, name) for name in inner.output]
            nodes.append(inner)
    _replace_nodes(graph, nodes)


def _extend_positions(graph: GraphProto, rows: int) -> None:
    """Continue the sinusoidal table (Vaswani et al. 2017, §3.5); the published rows stay as they are."""
    table = next((tensor for tensor in graph.initializer if tensor.name.endswith("pos_encoder.pe")), None)
    if table is None:
        raise ValueError("the graph has no position table; is it AsterNet?")
    published: NDArray[np.float32] = numpy_helper.to_array(table)  # (256, 1, d)
    known, _, depth = published.shape
    # Decimal powers are rounded alike on every machine, so the file's sha256 is the same on all of them.
    frequencies = [float(Decimal(10000) ** (Decimal(-pair) / depth)) for pair in range(0, depth, 2)]
    angles = np.arange(known, rows)[:, None] * np.array(frequencies)
    added = np.empty((rows - known, 1, depth), np.float32)
    added[:, 0, 0::2] = np.sin(angles)
    added[:, 0, 1::2] = np.cos(angles)
    table.CopyFrom(numpy_helper.from_array(np.concatenate([published, added]), table.name))


def _put_bgr_input_before(graph: GraphProto) -> None:
    if len(graph.input) != 1:
        raise ValueError(f"the graph has {len(graph.input)} inputs; AsterNet has one")
    inner = graph.input[0].name
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(0.5, np.float32), "half"),
            numpy_helper.from_array(np.array([2, 1, 0], np.int64), "rgb_of_bgr"),
        ]
    )
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["x_halved"]),
        helper.make_node("Add", ["x_halved", "half"], ["x_0_to_1"]),
        helper.make_node("Gather", ["x_0_to_1", "rgb_of_bgr"], [inner], axis=1),
    ]
    _replace_nodes(graph, [*nodes, *graph.node])
    shape: list[str | int | None] = ["batch", 3, INPUT_HEIGHT_PX, "width"]
    graph.input[0].CopyFrom(helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape))


def _give_batch_major_probabilities(graph: GraphProto, classes: int) -> None:
    last = graph.node[-1]
    if last.op_type != "LogSoftmax" or last.output[0] != graph.output[0].name:
        raise ValueError("the graph does not end in log-probabilities; is it AsterNet?")
    nodes = [
        *list(graph.node)[:-1],
        helper.make_node("Transpose", [last.input[0]], ["logits_batch_major"], perm=[1, 0, 2]),
        helper.make_node("Softmax", ["logits_batch_major"], ["probabilities"], axis=2),
    ]
    _replace_nodes(graph, nodes)
    shape: list[str | int | None] = ["batch", "time", classes]
    graph.output[0].CopyFrom(helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, shape))


def _replace_nodes(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)

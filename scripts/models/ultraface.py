"""Free an UltraFace detector of its one input size.

The export decodes boxes with anchors of a 320×240 picture frozen into the graph. The convolutions before that take
any size, so the decoding is cut off; ``app/core/face_detection.py`` does it with anchors of the size at hand.
"""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper

SCORES, OFFSETS = "scores", "offsets"


def free_size(model: ModelProto) -> ModelProto:
    """The same network with free batch, height and width.

    Returns:
        Input n×3×h×w. Outputs ``scores`` n×anchors×2 (background, face; they sum to one) and ``offsets`` n×anchors×4:
        centre and logarithmic size relative to each anchor, before the variances.

    Raises:
        ValueError: the graph has no such head.
    """
    nodes = list(model.graph.node)
    softmax = _only([node for node in nodes if node.op_type == "Softmax"], "Softmax")
    reshaped = {node.output[0] for node in nodes if node.op_type == "Reshape"}
    joins = [node for node in nodes if node.op_type == "Concat" and reshaped.issuperset(node.input)]
    offsets = _only([node for node in joins if node.output[0] != softmax.input[0]], "joined box regression")
    offsets.output[0] = OFFSETS
    softmax.output[0] = SCORES

    needed, kept = {SCORES, OFFSETS}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    picture = model.graph.input[0]
    graph = helper.make_graph(
        kept[::-1],
        model.graph.name,
        [helper.make_tensor_value_info(picture.name, TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", "anchors", 2]),
            helper.make_tensor_value_info(OFFSETS, TensorProto.FLOAT, ["n", "anchors", 4]),
        ],
        [initializer for initializer in model.graph.initializer if initializer.name in needed],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _only(nodes: list[NodeProto], what: str) -> NodeProto:
    if len(nodes) != 1:
        raise ValueError(f"expected one {what} in the face detector, found {len(nodes)}")
    return nodes[0]

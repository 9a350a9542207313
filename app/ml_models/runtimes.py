"""The two runtimes that execute networks, behind ``core.types.Session``.

OpenVINO is the default on CPUs, ONNX Runtime serves CUDA, and the CPU where it was measured to be faster.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
import openvino as ov
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from app.ml_models.start_cache import StartCache
from app.types import FloatArray, Session
from app.utils.logging import logger

Precision = Literal["f32", "bf16"]

_ORT_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class UnreadableModel(ValueError):
    """The runtime cannot load this network."""


class OnnxRuntimeSession:
    """A network on ONNX Runtime.

    ``run`` computes in the calling thread (with ``threads`` > 1 also in threads of its own), so concurrent callers
    need no streams.

    Args:
        model: a path, or the file's bytes.
        threads: cores that one forward pass may use.
        providers: as ONNX Runtime takes them, the preferred first; the CPU when omitted.
        precision: of the weights, for ``provider``.

    Raises:
        UnreadableModel: the file is no network, or uses what this version lacks.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        threads: int = 1,
        providers: Sequence[tuple[str, Mapping[str, str]]] = (),
        precision: str = "f32",
    ) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would take the cores from the pool's other threads.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = [name for name, _ in providers] or ["CPUExecutionProvider"]
        try:
            self._session = ort.InferenceSession(
                model if isinstance(model, bytes) else os.fspath(model),
                options,
                providers=wanted,
                provider_options=[dict(settings) for _, settings in providers] or None,
            )
        except _ORT_LOAD_ERRORS as error:
            raise UnreadableModel(str(error)) from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._provider = f"onnxruntime:{self._device(providers)}:{precision}"

    @property
    def provider(self) -> str:
        """Runtime, the device that was really got, and precision."""
        return self._provider

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes. ONNX Runtime falls back to the CPU silently when CUDA cannot be loaded."""
        return str(self._session.get_providers()[0]) == "CUDAExecutionProvider"

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        """One forward pass; outputs in the graph's order."""
        outputs: list[FloatArray] = self._session.run(self._outputs, dict(feed))
        return outputs

    def _device(self, providers: Sequence[tuple[str, Mapping[str, str]]]) -> str:
        return f"cuda:{providers[0][1].get('device_id', '0')}" if self.on_gpu else "cpu"


class BucketedSession:
    """Keeps another session to few batch sizes: 1, 2, 4, 8 and so on.

    CUDA plans again for each size that it meets, which takes longer than the rows that fill a batch up.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def provider(self) -> str:
        return self._session.provider

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        """One forward pass over the next larger size, filled up with the last row; the outputs have the rows given."""
        row_count = len(next(iter(feed.values())))
        missing = (1 << (row_count - 1).bit_length()) - row_count
        if missing == 0:
            return self._session.run(feed)
        filled = {name: np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) for name, rows in feed.items()}
        return [output[:row_count] for output in self._session.run(filled)]


class OpenVinoSession:
    """A network on OpenVINO's CPU device.

    The compiled network is shared, a request for inference is not: each thread gets its own on first use. OpenVINO
    computes in threads of its own, one for each stream.

    Args:
        model: a path, or the file's bytes.
        streams: forward passes that may run at the same time; the number of threads that call ``run``.
        threads: cores that one forward pass may use.
        precision: ``bf16`` only where ``cpu_has_bf16()``.
        row_by_row: compile for a batch of one, which lets OpenVINO choose faster kernels, and run larger batches row
            after row. Only for networks whose rows do not depend on each other.
        core: shared by the sessions of a process; a new one when omitted.
        cache: where the compiled network is looked for and kept; ``sha256`` then says which network it is.
        sha256: of the file, once it is verified.

    Raises:
        UnreadableModel: the file is no network, or uses what this version lacks.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        streams: int = 1,
        threads: int = 1,
        precision: Precision = "f32",
        row_by_row: bool = False,
        core: ov.Core | None = None,
        cache: StartCache | None = None,
        sha256: str | None = None,
    ) -> None:
        core = core or ov.Core()
        settings: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * threads,
            # Pinned, the streams of several networks would all sit on the same first cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": precision,
        }
        try:
            if cache is not None and sha256 is not None and isinstance(model, Path):
                key = f"{sha256} {row_by_row} {sorted(settings.items())} {_machine(core)}"
                self._compiled = _compile_once(core, model, settings, row_by_row=row_by_row, cache=cache, key=key)
            else:
                self._compiled = _compile(core, model, settings, row_by_row=row_by_row)
        except RuntimeError as error:
            raise UnreadableModel(str(error)) from error
        self._output_count = len(self._compiled.outputs)
        self._row_by_row = row_by_row
        self._provider = f"openvino:cpu:{_precision_in_use(self._compiled)}"
        self._requests = threading.local()

    @property
    def provider(self) -> str:
        """Runtime, device and the precision that OpenVINO reports."""
        return self._provider

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        """One forward pass, or one for each row; outputs in the graph's order, in memory of their own."""
        if not self._row_by_row:
            return self._infer(dict(feed))
        row_count = len(next(iter(feed.values())))
        rows = [self._infer({name: batch[row : row + 1] for name, batch in feed.items()}) for row in range(row_count)]
        return rows[0] if row_count == 1 else [np.concatenate(outputs) for outputs in zip(*rows, strict=True)]

    def _infer(self, feed: dict[str, NDArray[np.generic]]) -> list[FloatArray]:
        request = self._request()
        request.infer(feed, share_inputs=True, share_outputs=True)
        # The request's own memory is overwritten by its next use.
        return [request.get_output_tensor(index).data.copy() for index in range(self._output_count)]

    def _request(self) -> ov.InferRequest:
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._compiled.create_infer_request()
        return request


def cpu_has_bf16(core: ov.Core) -> bool:
    """Whether this CPU multiplies bfloat16 natively (AMX, AVX512-BF16); elsewhere it would only be emulated."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def cuda_is_offered() -> bool:
    """Whether this build of ONNX Runtime has CUDA; whether it can be loaded shows only when a session opens."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def load_cuda_libraries() -> None:
    """Load CUDA and cuDNN out of the packages of requirements-gpu.txt, where no loader of the system looks. Libraries
    of the system's own are taken where those packages are not installed."""
    ort.preload_dlls()


def _compile(
    core: ov.Core, model: Path | bytes, settings: Mapping[str, object], *, row_by_row: bool
) -> ov.CompiledModel:
    graph = core.read_model(model if isinstance(model, bytes) else os.fspath(model))
    if row_by_row:
        graph.reshape({port.any_name: _with_one_row(port.partial_shape) for port in graph.inputs})
    return core.compile_model(graph, "CPU", dict(settings))


def _compile_once(
    core: ov.Core,
    model: Path,
    settings: Mapping[str, object],
    *,
    row_by_row: bool,
    cache: StartCache,
    key: str,
) -> ov.CompiledModel:
    """The network as an earlier start compiled it; else compiled now, and kept for the next one."""
    found = cache.find(model.stem, key=key)
    if found is not None:
        try:
            return core.import_model(found, "CPU", dict(settings))
        except RuntimeError as error:  # whole, and yet not to be read
            logger.warning("start_cache_refused", network=model.stem, reason=str(error))
    network = _compile(core, model, settings, row_by_row=row_by_row)
    exported = network.export_model()
    cache.keep(model.stem, exported if isinstance(exported, bytes) else exported.getvalue(), key=key)
    return network


def _machine(core: ov.Core) -> str:
    """What a compiled network was made by and for: another version or processor compiles again."""
    capabilities = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return f"{ov.__version__} {core.get_property('CPU', 'FULL_DEVICE_NAME')} {capabilities}"


def _with_one_row(shape: ov.PartialShape) -> ov.PartialShape:
    return ov.PartialShape([ov.Dimension(1), *list(shape)[1:]])


def _precision_in_use(compiled: ov.CompiledModel) -> str:
    name = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    return name if name == "bf16" else "f32"

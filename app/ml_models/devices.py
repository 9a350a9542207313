"""Which runtime, device and precision a network gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import openvino as ov

from app.errors import ConfigurationError
from app.ml_models.runtimes import (
    BucketedSession,
    OnnxRuntimeSession,
    OpenVinoSession,
    cpu_has_bf16,
    cuda_is_offered,
    load_cuda_libraries,
)
from app.ml_models.specs import RuntimeSpec
from app.ml_models.start_cache import StartCache
from app.types import Session
from app.utils.logging import logger


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How the networks of a process run.

    Attributes:
        runtime: on the CPU; ``auto`` takes what the manifest says is the faster one.
        precision: ``auto`` takes bf16 or fp16 where the manifest allows it and the device has it.
        streams: forward passes that may run at the same time: the threads of the ``InferencePool``.
        threads: cores for each of them.
        device: ``auto`` takes a GPU where one is offered, ``cuda`` also warns where none can be had.
        gpu_device_id: which GPU.
        gpu_memory_limit_bytes: cap on the arena of each network; None leaves it open.
        require_gpu: refuse to run on the CPU.
    """

    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "f32"] = "auto"
    streams: int = 1
    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpu_device_id: int = 0
    gpu_memory_limit_bytes: int | None = None
    require_gpu: bool = False


class SessionOpener:
    """Opens sessions as the options and a model's manifest entry ask.

    Args:
        cache: keeps compiled networks from one start to the next.

    Raises:
        ConfigurationError: a GPU is required, and this ONNX Runtime was built without CUDA.
    """

    def __init__(self, options: RuntimeOptions, *, cache: StartCache | None = None) -> None:
        self._options = options
        self._core = ov.Core()
        self._cache = cache
        self._use_cuda = options.device != "cpu" and cuda_is_offered()
        self._gpu_missing = False
        if options.require_gpu and options.device == "cpu":
            raise ConfigurationError("A GPU is required, and the device is set to cpu: choose one of the two.")
        if self._use_cuda:
            load_cuda_libraries()
        else:
            self._miss_gpu("this installation of onnxruntime has no CUDA (requirements-gpu.txt has)")

    @property
    def gpu_missing(self) -> bool:
        """Whether a GPU was asked for and could not be had."""
        return self._gpu_missing

    def open(
        self, path: Path, runtime: RuntimeSpec, *, fp16_path: Path | None = None, sha256: str | None = None
    ) -> Session:
        """Load a network.

        Args:
            path: the verified f32 network.
            runtime: the manifest's say.
            fp16_path: its verified half-precision twin for CUDA, with float32 inputs and outputs.
            sha256: of ``path``; without it the compiled network is not kept.

        Raises:
            UnreadableModel: no network, or one that the runtime cannot load.
            ConfigurationError: a GPU is required and CUDA did not load.
        """
        if self._use_cuda:
            session = self._open_on_cuda(path, fp16_path)
            if session.on_gpu:
                return BucketedSession(session)
            self._use_cuda = False
            self._miss_gpu("CUDA could not be loaded; see the lines of onnxruntime above")
        return self._open_on_cpu(path, runtime, sha256)

    def _open_on_cuda(self, path: Path, fp16_path: Path | None) -> OnnxRuntimeSession:
        options = self._options
        settings = {
            "device_id": str(options.gpu_device_id),
            # Doubling the arena at each growth would take memory that the other networks need.
            "arena_extend_strategy": "kSameAsRequested",
            # An exhaustive search would run again for each new batch size.
            "cudnn_conv_algo_search": "HEURISTIC",
        }
        if options.gpu_memory_limit_bytes is not None:
            settings["gpu_mem_limit"] = str(options.gpu_memory_limit_bytes)
        half = fp16_path is not None and options.precision == "auto"
        return OnnxRuntimeSession(
            fp16_path if fp16_path is not None and half else path,
            threads=options.threads,
            providers=[("CUDAExecutionProvider", settings), ("CPUExecutionProvider", {})],
            precision="fp16" if half else "f32",
        )

    def _open_on_cpu(self, path: Path, spec: RuntimeSpec, sha256: str | None) -> Session:
        options = self._options
        bf16 = spec.bf16 and options.precision == "auto" and cpu_has_bf16(self._core)
        # With bf16 OpenVINO is ahead even on the networks that ONNX Runtime runs faster in f32.
        preferred = "openvino" if bf16 else spec.cpu
        if (preferred if options.runtime == "auto" else options.runtime) == "onnxruntime":
            return OnnxRuntimeSession(path, threads=options.threads)
        return OpenVinoSession(
            path,
            streams=options.streams,
            threads=options.threads,
            precision="bf16" if bf16 else "f32",
            row_by_row=spec.row_by_row,
            core=self._core,
            cache=self._cache,
            sha256=sha256,
        )

    def _miss_gpu(self, reason: str) -> None:
        if self._options.require_gpu:
            raise ConfigurationError(f"A GPU is required, and {reason}.")
        if self._options.device == "cuda":
            self._gpu_missing = True
            logger.warning("gpu_missing_running_on_cpu", reason=reason)

"""What the graphics card says of itself, through NVIDIA's management library where it is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GpuState:
    """Memory is that of the whole device, whoever uses it."""

    name: str
    memory_used_bytes: int
    memory_total_bytes: int


def gpu_state(device_id: int) -> GpuState | None:
    """The state of one card; None without the library, the driver or the card."""
    try:
        import pynvml
    except ImportError:  # requirements-gpu.txt brings it
        return None
    nvml: Any = pynvml  # the library has no types
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(device_id)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        name = nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError:
        return None
    return GpuState(str(name), int(memory.used), int(memory.total))

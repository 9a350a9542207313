"""What the health and model endpoints answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from app.ml_models.gpu import GpuState
from app.models.common import Moment, Response
from app.workflows.health import BackendState


class BackendCheck(Response):
    """One backend; `error` means that it did not answer a ping in time, or cannot be used for the reason given."""

    status: Literal["ok", "error"]
    latency_ms: float
    reason: str | None = None

    @classmethod
    def of(cls, state: BackendState) -> BackendCheck:
        return cls(status="ok" if state.ok else "error", latency_ms=round(state.latency_ms, 1), reason=state.reason)


class GpuCheck(Response):
    """The graphics card, where one is used; memory is that of the whole device."""

    status: Literal["ok", "not_used", "error"]
    name: str | None = None
    memory_used_mb: int | None = None
    memory_total_mb: int | None = None

    @classmethod
    def of(cls, device: GpuState | None) -> GpuCheck:
        if device is None:
            return cls(status="not_used")
        return cls(
            status="ok",
            name=device.name,
            memory_used_mb=device.memory_used_bytes // 2**20,
            memory_total_mb=device.memory_total_bytes // 2**20,
        )


class Checks(Response):
    """Every backend, the device and the engines."""

    database: BackendCheck
    vector_db: BackendCheck
    redis: BackendCheck
    storage: BackendCheck
    message_queue: BackendCheck | None = None
    mqtt: BackendCheck | None = None
    gpu: GpuCheck
    models: dict[str, Literal["loaded", "not_loaded"]]


class HealthResponse(Response):
    """`degraded`: we serve, but a backend is down. `unhealthy` (503): `reason` says why a restart is needed.
    `warnings` name what works less well than the settings ask for: `ocr_fallback_missing`."""

    status: Literal["healthy", "degraded", "unhealthy"]
    reason: str | None = None
    timestamp: Moment
    version: str
    checks: Checks
    warnings: list[str]
    providers: dict[str, str]


class ProbeResponse(Response):
    """For Kubernetes' probes."""

    status: Literal["live", "stuck", "ready", "not_ready"]
    reason: str | None = None


class ModelInfo(Response):
    """One loaded network."""

    role: str
    id: str
    kind: str
    file: str
    sha256: str | None
    verified: bool = Field(description="Held against a known checksum, not only against the first download's")
    licence: str
    source: str
    provider: str | None
    calibration: dict[str, Any]  # whatever the manifest says


class ModelsResponse(Response):
    """The loaded pack."""

    pack: str
    models: list[ModelInfo]

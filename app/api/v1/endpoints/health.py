"""Health, probes, metrics and the loaded models. None of these touches the inference pool."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.api.security import may_read_metrics, require
from app.dependencies import Everything
from app.models.health import (
    BackendCheck,
    Checks,
    GpuCheck,
    HealthResponse,
    ModelInfo,
    ModelsResponse,
    ProbeResponse,
)
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(resources: Everything) -> HealthResponse:
    """The state of every backend and engine. 200 also when degraded: a database outage must not restart the pods."""
    engines = {name: "loaded" if loaded else "not_loaded" for name, loaded in resources.engines.items()}
    states = await resources.health.check()
    backends = {name: BackendCheck.of(state) for name, state in states.items()}
    return HealthResponse(
        status="healthy" if all(state.ok for state in states.values()) else "degraded",
        timestamp=clock.now(),
        version=resources.settings.VERSION,
        checks=Checks.model_validate({**backends, "gpu": GpuCheck.of(resources.gpu()), "models": engines}),
        providers=resources.providers(),
    )


@router.get("/health/live")
async def live() -> ProbeResponse:
    """Whether the process answers at all."""
    return ProbeResponse(status="live")


@router.get("/health/ready", responses={503: {"model": ProbeResponse}})
async def ready(request: Request) -> Response:
    """Whether to send requests here: not while loading and not while stopping."""
    if request.app.state.ready:
        return JSONResponse(ProbeResponse(status="ready").model_dump())
    return JSONResponse(ProbeResponse(status="not_ready").model_dump(), status_code=503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
    dependencies=[Depends(may_read_metrics)],
)
async def prometheus_metrics() -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/models")
async def models(_: Annotated[Caller, Depends(require(Scope.ADMIN))], resources: Everything) -> ModelsResponse:
    """What is loaded: licence, checksum, what runs it, and how its scores were calibrated."""
    listed = [ModelInfo.like(entry) for entry in resources.loader.listing()]
    return ModelsResponse(pack=resources.settings.MODEL_PACK, models=listed)

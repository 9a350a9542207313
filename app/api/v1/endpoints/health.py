"""Health, probes, metrics and the loaded models. None of these touches the inference pool."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

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
from app.workflows.health import BackendState

router = APIRouter(tags=["health"])


@router.get("/health", responses={503: {"model": HealthResponse}})
async def get_health(resources: Everything, response: Response) -> HealthResponse:
    """The state of every backend and engine.

    200 also when degraded: a database outage must not restart the pods. 503 where only a restart helps.
    """
    states = await resources.health.check()
    reason = _stuck(resources)
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
    return HealthResponse(
        status="unhealthy" if reason else _status(states),
        reason=reason,
        timestamp=clock.now(),
        version=resources.settings.VERSION,
        checks=_checks(resources, states),
        warnings=list(resources.warnings),
        providers=resources.providers(),
    )


def _checks(resources: Everything, states: Mapping[str, BackendState]) -> Checks:
    engines = {name: "loaded" if loaded else "not_loaded" for name, loaded in resources.engines.items()}
    backends = {name: BackendCheck.of(state) for name, state in states.items()}
    return Checks.model_validate({**backends, "gpu": GpuCheck.of(resources.gpu()), "models": engines})


def _status(states: Mapping[str, BackendState]) -> Literal["healthy", "degraded"]:
    return "healthy" if all(state.ok for state in states.values()) else "degraded"


def _stuck(resources: Everything) -> str | None:
    """Why only a restart helps; None where nothing is wrong."""
    stuck = resources.pool.stuck_threads
    return f"inference_stuck: {stuck} of {resources.pool.thread_count} threads do not come back" if stuck else None


@router.get("/health/live", response_model_exclude_none=True, responses={503: {"model": ProbeResponse}})
async def get_live_probe(resources: Everything, response: Response) -> ProbeResponse:
    """Whether the process answers and can still work; 503 asks for a restart."""
    reason = _stuck(resources)
    if reason is None:
        return ProbeResponse(status="live")
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return ProbeResponse(status="stuck", reason=reason)


@router.get("/health/ready", responses={200: {"model": ProbeResponse}, 503: {"model": ProbeResponse}})
async def get_ready_probe(request: Request) -> Response:
    """Whether to send requests here: not while loading and not while stopping."""
    if request.app.state.ready:
        return JSONResponse(ProbeResponse(status="ready").model_dump(exclude_none=True))
    return JSONResponse(ProbeResponse(status="not_ready").model_dump(exclude_none=True), status_code=503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
    dependencies=[Depends(may_read_metrics)],
)
async def get_metrics() -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/models")
async def list_models(_: Annotated[Caller, Depends(require(Scope.ADMIN))], resources: Everything) -> ModelsResponse:
    """What is loaded: licence, checksum, what runs it, and how its scores were calibrated."""
    listed = [ModelInfo.like(entry) for entry in resources.loader.listing()]
    return ModelsResponse(pack=resources.settings.MODEL_PACK, models=listed)

"""What every backend adapter shares: a time limit, metrics, and one place where "it is down" becomes our error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import BackendUnavailable
from app.utils import metrics, tracing
from app.utils.logging import logger


@asynccontextmanager
async def backend_call(backend: str, *, timeout_s: float, failures: tuple[type[Exception], ...]) -> AsyncIterator[None]:
    """Bound and observe a call to ``backend``.

    Args:
        backend: its name in /health.
        timeout_s: after this the call is abandoned and counts as a failure.
        failures: exceptions of the client that mean "does not answer"; all others pass through as they are.

    Raises:
        BackendUnavailable: the call failed in one of those ways or did not end in time.
    """
    started_at = time.perf_counter()
    try:
        async with bounded_call(backend, timeout_s=timeout_s, failures=failures):
            with tracing.span(backend, kind="client"):  # within, to see the client's own error
                yield
    finally:
        metrics.backend_duration.labels(backend).observe(time.perf_counter() - started_at)


@asynccontextmanager
async def bounded_call(backend: str, *, timeout_s: float, failures: tuple[type[Exception], ...]) -> AsyncIterator[None]:
    """As ``backend_call``, for what is no call of its own, such as the wait for a connection."""
    expected: tuple[type[Exception], ...] = (*failures, TimeoutError, OSError)
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except expected as error:
        metrics.backend_errors_total.labels(backend).inc()
        # The type alone: client messages carry addresses and, some, credentials.
        logger.warning("backend_failed", backend=backend, error=type(error).__name__)
        raise BackendUnavailable(backend) from error

"""Requests that are sent again where that is safe, as often as allowed, and when the service asks for it."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from cv_service_client.problem import Problem, retry_after_of

STREAM = "text/event-stream"
_KEY = "Idempotency-Key"
_FIRST_WAIT_S = 0.5
# The service has done nothing, so that any request may be sent again.
_REFUSED = frozenset({429, 503})
_GATEWAY = frozenset({502, 504})
_IN_FLIGHT = 409  # with Retry-After: the same idempotency key is being worked on
_REPEATABLE = frozenset({"GET", "POST"})  # a POST has a key, or writes nothing

_Outcome: TypeAlias = httpx.Response | httpx.TransportError


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a client is.

    Attributes:
        retries: further tries after the first.
        timeout_s: of connecting, and of each silence within a request.
        max_wait_s: a ``Retry-After`` beyond this is left to the caller.
    """

    retries: int = 2
    timeout_s: float = 60.0
    max_wait_s: float = 60.0


class _Tries:
    """Those of one request."""

    def __init__(self, request: httpx.Request, limits: Limits) -> None:
        self._repeatable = request.method in _REPEATABLE
        self._limits = limits
        self._failed = 0
        if request.method == "POST" and _KEY not in request.headers:
            request.headers[_KEY] = uuid.uuid4().hex

    def wait_s(self, outcome: _Outcome) -> float | None:
        """How long to wait before the next try; None if this was the last one."""
        if isinstance(outcome, httpx.Response) and outcome.status_code < httpx.codes.BAD_REQUEST:
            return None
        self._failed += 1
        wait_s = _FIRST_WAIT_S * 2.0 ** (self._failed - 1) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        if isinstance(outcome, httpx.Response):
            asked_s = retry_after_of(outcome)
            wait_s = wait_s if asked_s is None else asked_s
            again = self._worth_another(outcome.status_code, asked=asked_s is not None)
        else:  # what could not be connected was never sent
            again = self._repeatable or isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout)
        return wait_s if again and self._failed <= self._limits.retries and wait_s <= self._limits.max_wait_s else None

    def _worth_another(self, status: int, *, asked: bool) -> bool:
        passing = status in _GATEWAY or (status == _IN_FLIGHT and asked)
        return status in _REFUSED or (self._repeatable and passing)


class RetryingTransport(httpx.BaseTransport):
    """Raises Problem for whatever the service refuses in the end."""

    def __init__(self, inner: httpx.BaseTransport, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send."""
        tries = _Tries(request, self._limits)
        while (wait_s := tries.wait_s(outcome := self._try(request))) is not None:
            time.sleep(wait_s)
        return _answer_of(outcome)

    def _try(self, request: httpx.Request) -> _Outcome:
        try:
            response = self._inner.handle_request(request)
            if not _is_open_stream(request, response):
                response.read()  # a body that breaks off is another try
        except httpx.TransportError as error:
            return error
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """As RetryingTransport, for asyncio."""

    def __init__(self, inner: httpx.AsyncBaseTransport, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send."""
        tries = _Tries(request, self._limits)
        while (wait_s := tries.wait_s(outcome := await self._try(request))) is not None:  # noqa: ASYNC110  # a pause
            await asyncio.sleep(wait_s)
        return _answer_of(outcome)

    async def _try(self, request: httpx.Request) -> _Outcome:
        try:
            response = await self._inner.handle_async_request(request)
            if not _is_open_stream(request, response):
                await response.aread()
        except httpx.TransportError as error:
            return error
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _is_open_stream(request: httpx.Request, response: httpx.Response) -> bool:
    return request.headers.get("Accept") == STREAM and response.is_success


def _answer_of(last: _Outcome) -> httpx.Response:
    if isinstance(last, httpx.TransportError):
        raise last
    if last.status_code >= httpx.codes.BAD_REQUEST:
        raise Problem(last)
    return last

"""What happens around every request: id, limits, the guard of an open service, metrics, headers.

Plain ASGI: ``BaseHTTPMiddleware`` would buffer the event stream and cost a task a request.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Collection
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.api.origin import is_foreign, split_address
from app.api.problems import unexpected_problem, vision_problem
from app.utils import metrics, tracing
from app.utils.fair_queue import client_var
from app.utils.logging import key_id_var, logger, request_id_var
from app.workflows.rate_limit import Quota

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_PASSED_ON = ("forwarded", "x-forwarded", "x-real-ip", "via")  # how proxies begin the headers that speak of the client
API_PREFIX = "/api/v1/cv"
_CLIENT_CLOSED_REQUEST = 499  # nginx's number; the standard has none
QUIET = (f"{API_PREFIX}/health", f"{API_PREFIX}/metrics")
"""Probes and metrics, which nothing may keep waiting."""
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Of JSON nothing is to be loaded or framed; the pages of the documentation say for themselves what they need.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestContext:
    """The outermost layer: gives each request an id, times it, and answers what nothing else caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with tracing.request_span(scope["method"], headers=Headers(scope=scope)):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id_var.set(request_id)
        client_var.set(address_of(scope))
        state = scope.setdefault("state", {})
        started_at = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if (quota := state.get("quota")) is not None:
                    _add_quota(headers, quota)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:  # while it was sending: nobody is there to hear, and nothing of ours failed
            status = _CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001  # the last border: a bug becomes a 500 without its details
            await unexpected_problem(error)(scope, receive, send_with_headers)
        finally:
            _observe(scope, status, time.perf_counter() - started_at)
            request_id_var.reset(token)


def _add_quota(headers: MutableHeaders, quota: Quota) -> None:
    """The headers of draft-ietf-httpapi-ratelimit-headers."""
    headers["RateLimit-Policy"] = f'"key";q={quota.limit};w={quota.window_s}'
    headers["RateLimit"] = f'"key";r={quota.left};t={math.ceil(quota.full_in_s)}'


def address_of(scope: Scope) -> str:
    """Who asks without a key: an IPv4 address, or the network that one IPv6 host has all of."""
    client: tuple[str, int] | None = scope.get("client")
    try:
        address = ip_address(client[0] if client else "")
    except ValueError:  # a unix socket
        return "address"
    if isinstance(address, IPv6Address):
        return f"address {address.ipv4_mapped or ip_network((address, 64), strict=False)}"
    return f"address {address}"


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names: keeps ids out of the labels. Whatever matched none shares one."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None:
        return "unmatched"
    # An included router's routes know their own part of the path only.
    return API_PREFIX + path if scope["path"].startswith(API_PREFIX) and not path.startswith(API_PREFIX) else path


@cache
def _expect_failures(method: str, route: str) -> None:
    """Lets the failures of a route begin at 0: Prometheus sees no increase in a series that begins with the first."""
    for status in ("500", "503", "504"):
        metrics.http_requests_total.labels(method, route, status)


def _observe(scope: Scope, status: int, seconds: float) -> None:
    route = _template(scope)
    method = scope["method"] if route != "unmatched" else "-"
    tracing.name_request(method=method, route=route, status=status)
    _expect_failures(method, route)
    metrics.http_requests_total.labels(method, route, str(status)).inc()
    metrics.http_duration.labels(method, route).observe(seconds)
    if not route.startswith(QUIET):
        known = {"code": scope["state"].get("problem_code"), "key_id": key_id_var.get()}
        more = {name: value for name, value in known.items() if value is not None}
        logger.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1), **more)


class BodyLimit:
    """Bounds what bodies cost: the size of each, the memory of all that are here at once, and the time they take.

    Args:
        max_bytes: of one body; refused by its declared length at once, else as soon as it grows past it.
        max_total_bytes: of all requests under way; the one that goes past it is asked to come again.
            One client may hold half of it.
        timeout_s: from the request's start to the end of its body, so that slow senders can't hold the memory.
        grace_s: after which a body has to come at ``min_bytes_per_s`` on the whole.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_total_bytes: int,
        timeout_s: float,
        grace_s: float = 10.0,
        min_bytes_per_s: float = 16_384.0,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._timeout_s = timeout_s
        self._grace_s = grace_s
        self._min_bytes_per_s = min_bytes_per_s
        self._held_bytes = 0
        self._held_by: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._max_bytes:
            await vision_problem(self._too_large())(scope, receive, send)
            return
        received, complete, client = 0, False, ""
        started_at = asyncio.get_running_loop().time()

        async def bounded_receive() -> Message:
            nonlocal received, complete, client
            if complete:  # what follows is the news that the client went away, whenever that is
                return await receive()
            allowed_s = min(self._timeout_s, self._grace_s + received / self._min_bytes_per_s)
            message = await self._receive_before(started_at + allowed_s, receive)
            complete = not message.get("more_body", False)
            length = len(message.get("body", b""))
            received += length
            self._held_bytes += length
            client = client or client_var.get()  # a body is read after its key
            self._held_by[client] += length
            if received > self._max_bytes:
                raise self._too_large()
            is_over = self._held_bytes > self._max_total_bytes
            if is_over or (self._held_by[client] > max(self._max_total_bytes // 2, self._max_bytes)):
                raise errors.Overloaded("Too many large requests at once; try again shortly.", code="bodies_overloaded")
            return message

        try:
            await self._app(scope, bounded_receive, send)
        finally:
            self._held_bytes -= received
            self._held_by[client] -= received
            if not self._held_by[client]:
                del self._held_by[client]

    def _too_large(self) -> errors.TooLarge:
        return errors.TooLarge(f"The body is over {self._max_bytes} bytes; send less.", code="body_too_large")

    async def _receive_before(self, ends_at: float, receive: Receive) -> Message:
        try:
            async with asyncio.timeout_at(ends_at):
                return await receive()
        except TimeoutError as error:
            raise errors.TooSlow(
                "The body came too slowly; send a smaller picture, or over a better line.", code="body_too_slow"
            ) from error


class Turnstile:
    """Lets a few requests in at each turn of the event loop; probes and metrics pass by it.

    A request is read, checked and admitted in one go. A hundred that come at once, as clients do whose requests were
    refused, would keep the answer to a probe waiting for the last of them.
    """

    def __init__(self, app: ASGIApp, *, per_turn: int = 2) -> None:
        self._app = app
        self._per_turn = per_turn
        self._let_in = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(QUIET):
            if self._let_in < self._per_turn:
                self._count()
            else:
                turn = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
                await turn
        await self._app(scope, receive, send)

    def _count(self) -> None:
        if self._let_in == 0:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        self._let_in += 1

    def _begin_turn(self) -> None:
        self._let_in = 0
        while self._waiting and self._let_in < self._per_turn:
            turn = self._waiting.popleft()
            if not turn.done():  # whose client left was cancelled
                turn.set_result(None)
                self._count()


class LocalGuard:
    """Protects a service that asks for no keys: only programs on this machine may use it, and no foreign web page.

    Served are connections from loopback, unless a proxy says that it only passes them on; known Host names (a foreign
    name that resolves to us is DNS rebinding); and no request that a browser says comes from another site.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = _LOOPBACK_HOSTS | set(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = _from_elsewhere(scope) or self._refusal(Headers(scope=scope))
            if refusal is not None:
                await vision_problem(errors.Forbidden(refusal, code="origin_refused"))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> str | None:
        host = split_address(f"//{headers.get('host', '')}")
        if host is None or host.hostname not in self._hosts:
            return "This Host is not served without API keys; add it to ALLOWED_HOSTS or set AUTH_REQUIRED=true."
        if is_foreign(headers):
            return "Requests from other sites are refused while AUTH_REQUIRED is false."
        return None


def _from_elsewhere(scope: Scope) -> str | None:
    """Why the client is not on this machine; what it writes in headers counts only against it."""
    client: tuple[str, int] | None = scope.get("client")
    try:
        address = ip_address(client[0] if client else "")
    except ValueError:
        address = ip_address("::")
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if not address.is_loopback or any(name.startswith(_PASSED_ON) for name in Headers(scope=scope)):
        return "Without API keys only this machine is served; set AUTH_REQUIRED=true."
    return None


class StartFailure:
    """Says in one line why the service cannot start, where the server would print a traceback.

    The lifespan leaves that line in ``app.state.start_failure``; a failure without one is a bug, and keeps its
    traceback.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_plainly(message: Message) -> None:
            reason = getattr(scope["app"].state, "start_failure", None)
            if message["type"] == "lifespan.startup.failed" and reason is not None:
                message = {**message, "message": f"CV Service cannot start. {reason}"}
            await send(message)

        await self._app(scope, receive, send_plainly)

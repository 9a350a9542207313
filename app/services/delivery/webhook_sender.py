"""Posts to addresses that somebody registered: checked before each connection, never redirected, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from app.errors import InvalidInput, Unavailable
from app.utils.network_guard import NetworkGuard

_MAX_CONNECTIONS = 20
_MAX_ANSWER_BYTES = 65_536  # of an answer that nobody reads; past it the connection is not used again
_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    TimeoutError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. ``status`` is None where no answer came; ``detail`` says why, without addresses."""

    status: int | None
    detail: str

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has the message."""
        return self.status is not None and 200 <= self.status < 300


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that the guard has checked, and to no others that the name may have a moment later."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in await asyncio.to_thread(self._guard.addresses, host, port):
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class WebhookSender:
    """Sends messages to receivers.

    Args:
        private: guard of receivers over plain HTTP: inside the networks that the settings name.
        public: guard of receivers over HTTPS, which may be anywhere in the internet too.
        source: of the events, as CloudEvents name it.
        timeout_s: limit of one message, from the connection to the answer's end.
    """

    def __init__(self, *, private: NetworkGuard, public: NetworkGuard, source: str, timeout_s: float) -> None:
        self.source = source
        self._guards = {"http": private, "https": public}
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                network_backend=_GuardedBackend(guard), max_connections=_MAX_CONNECTIONS, keepalive_expiry=15.0
            )
            for scheme, guard in self._guards.items()
        }
        self._timeout_s = timeout_s

    async def check(self, url: str) -> None:
        """May messages be sent there? A name that has no address now passes: each connection checks again.

        Raises:
            InvalidInput: it is no address of ours to send to.
        """
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError as error:
            raise _unreadable() from error
        if scheme not in self._guards or not host or parts.username is not None:
            raise _unreadable()
        guard = self._guards[scheme]
        with contextlib.suppress(Unavailable):
            await asyncio.to_thread(guard.addresses, host, port or (443 if scheme == "https" else 80))

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one message; whatever goes wrong is in the answer."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, headers, body)
        except (InvalidInput, Unavailable) as error:  # the address is not, or no longer, one to send to
            return Answer(None, error.code)
        except _FAILURES as error:
            return Answer(None, type(error).__name__)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        given = {"content-type": "application/json", "user-agent": "cv-service-webhooks", **headers}
        pool = self._pools[urlsplit(url).scheme]
        async with pool.stream("POST", url, headers=list(given.items()), content=body) as response:
            taken = 0
            async for piece in response.aiter_stream():
                taken += len(piece)
                if taken > _MAX_ANSWER_BYTES:
                    break
            return Answer(response.status, f"HTTP {response.status}")

    async def close(self) -> None:
        """End all connections."""
        for pool in self._pools.values():
            await pool.aclose()


def _unreadable() -> InvalidInput:
    return InvalidInput(
        "A webhook's url is https://host[:port]/path, or http:// inside WEBHOOK_ALLOWED_CIDRS, without a login.",
        code="invalid_webhook_url",
    )

"""The program that serves: ``python -m app.server``. uvicorn, with bounds on what connections cost that ask nothing.

A connection is cheap to open and keeps a descriptor. uvicorn keeps one that sends nothing, or half a head, for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import socket
import sys
from collections import OrderedDict
from contextlib import suppress
from typing import ClassVar

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.utils.allocator import give_back

_MAX_CONNECTIONS = 2_000
_HEAD_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 75
"""How long a connection waits for its next request. Longer than usual proxies and clients keep theirs (60 s): whichever
side keeps it for less never asks on a connection that the other one ends at that moment."""
_SPARE_DESCRIPTORS = 256  # for backends, cameras, models and the sandbox


class BoundedProtocol(HttpToolsProtocol):
    """HTTP over one connection that does not wait for ever; ``bounded_protocol`` makes one for a server."""

    max_connections: ClassVar[int]
    head_timeout_s: ClassVar[float]
    idle: ClassVar[OrderedDict[HttpToolsProtocol, None]]
    """Those that wait for a request, longest first."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.idle[self] = None
        self._await_head()
        if len(self.connections) > self.max_connections:
            next(iter(self.idle)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        if self._head_timer is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_wait()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self.idle[self] = None

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self.transport.abort)

    def _end_wait(self) -> None:
        self.idle.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def bounded_protocol(*, max_connections: int, head_timeout_s: float) -> type[BoundedProtocol]:
    """A protocol for one server.

    Args:
        max_connections: one more ends the one that has waited longest without asking, or itself where all are at work.
        head_timeout_s: from a connection's beginning, and from a later request's first byte, to the end of its head.
    """
    bounds = {"max_connections": max_connections, "head_timeout_s": head_timeout_s, "idle": OrderedDict()}
    return type("ServersProtocol", (BoundedProtocol,), bounds)


class FrugalServer(uvicorn.Server):
    """Starts without the collector of garbage, which would look through every module and model again and again; what a
    start leaves stays for good, and is never looked through."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        gc.disable()
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        give_back()  # what loading the models took for a moment
        gc.freeze()
        gc.enable()


def _descriptors() -> int:
    """Take as many descriptors as this process may have; their number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # the whole system's limit may be lower
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def server_config(options: argparse.Namespace) -> uvicorn.Config:
    """What uvicorn is told, by the options of the command line."""
    max_connections = max(64, min(_MAX_CONNECTIONS, _descriptors() - _SPARE_DESCRIPTORS))
    return uvicorn.Config(
        "app.main:create_app_from_env",
        factory=True,
        host=options.host,
        port=options.port,
        log_level=options.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # any client on this machine could write another one's address
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=options.stop_timeout,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
        http=bounded_protocol(max_connections=max_connections, head_timeout_s=_HEAD_TIMEOUT_S),
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m app.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--stop-timeout", type=int, default=20, help="seconds that streams get to end")
    parser.add_argument("--tls-certificate", metavar="FILE", help="PEM; serves HTTPS, together with --tls-key")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument("--log-level", default="info", choices=["info", "warning", "error"])
    server = FrugalServer(server_config(parser.parse_args()))
    server.run()
    if not server.started:
        sys.exit(3)  # uvicorn's own number


if __name__ == "__main__":
    main()

"""What connections cost that ask nothing, on a real socket."""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import uvicorn
from starlette.types import Receive, Scope, Send

from app.server import KEEP_ALIVE_S, bounded_protocol, server_config
from tests.served import served
from tests.waiting import PATIENCE_S


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(*, max_connections: int, head_timeout_s: float) -> Iterator[int]:
    """The port of a server within these bounds."""
    protocol = bounded_protocol(max_connections=max_connections, head_timeout_s=head_timeout_s)
    config = uvicorn.Config(answer, port=0, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=60)
    with served(config) as port:
        yield port


def is_closed(connection: socket.socket, *, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def answered(connection: socket.socket) -> bool:
    """Read one whole answer."""
    connection.settimeout(PATIENCE_S)
    read = b""
    while not read.endswith(b"ok"):
        read += connection.recv(1000)
    return read.startswith(b"HTTP/1.1 200 OK")


def ask(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S).text


def test_a_thousand_idle_connections_keep_nobody_out() -> None:
    with serving(max_connections=50, head_timeout_s=60.0) as port, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(500)]
        assert ask(port) == "ok"
        assert is_closed(idle[0], within_s=PATIENCE_S)  # the longest idle went first
        assert not is_closed(idle[-1], within_s=0.2)


def test_a_connection_that_asks_nothing_or_half_a_question_is_ended() -> None:
    with serving(max_connections=50, head_timeout_s=0.3) as port, ExitStack() as stack:
        kept = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answered(kept)
        silent, half = (stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(2))
        half.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert is_closed(silent, within_s=PATIENCE_S)
        assert is_closed(half, within_s=PATIENCE_S)
        kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")  # its wait for the next request is uvicorn's affair
        assert answered(kept)
        kept.sendall(b"GET / HTTP/1.1\r\n")
        kept.settimeout(PATIENCE_S)
        assert is_closed(kept, within_s=PATIENCE_S)


def test_connections_at_work_are_not_ended_for_others() -> None:
    with serving(max_connections=2, head_timeout_s=60.0) as port, ExitStack() as stack:
        working = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        working.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.2)
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.2)
        working.sendall(b"xx")
        working.settimeout(PATIENCE_S)
        assert working.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_connection_is_kept_for_longer_than_proxies_and_clients_keep_theirs() -> None:
    """Otherwise a request is now and then sent on a connection that the server ends at that moment, and is lost."""
    options = argparse.Namespace(
        host="127.0.0.1", port=0, log_level="info", stop_timeout=1, tls_certificate=None, tls_key=None
    )
    kept_s = server_config(options).timeout_keep_alive
    assert kept_s == KEEP_ALIVE_S
    assert kept_s > max(60, int(httpx.Limits().keepalive_expiry or 0))  # nginx and the clouds' balancers: 60

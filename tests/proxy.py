"""A TCP proxy that tests can cut or stall: how a network fails, on demand."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from scripts.local.ports import LOOPBACK

_CHUNK_BYTES = 65_536


class TcpProxy:
    """Listens on a loopback port of its own and forwards to another, until told otherwise.

    Use it as an async context manager. ``cut`` drops every connection and closes new ones at once; ``stall`` keeps
    connections open and lets nothing through; ``half_open`` loses what is sent, for good, on the connections there are
    and on new ones; ``restore`` undoes all of it for new connections.

    Args:
        target_port: where the backend listens.
        target_host: on which host.
    """

    def __init__(self, target_port: int, *, target_host: str = LOOPBACK) -> None:
        self._target = (target_host, target_port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._delay_s = 0.0
        self._loses = asyncio.Event()  # a new one for each time; connections keep theirs
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where to connect instead of to the backend."""
        if self._server is None:
            raise RuntimeError("The proxy is not open.")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def cut(self) -> None:
        """Drop every connection, and each new one at once."""
        self._is_cut = True
        await self._drop_connections()

    def stall(self) -> None:
        """Keep connections open, accept new ones, and let not a byte through."""
        self._flowing.clear()

    def half_open(self) -> None:
        """Lose every byte of the connections there are, whatever comes after, and of new ones until ``restore``: as
        where the other side has vanished without a word."""
        self._loses.set()

    def delay(self, seconds: float) -> None:
        """Let whatever comes through, either way, that much later."""
        self._delay_s = seconds

    def restore(self) -> None:
        """Forward again; what a stall held back goes through now."""
        self._is_cut = False
        self._delay_s = 0.0
        if self._loses.is_set():
            self._loses = asyncio.Event()
        self._flowing.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._drop_connections()
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._is_cut or task is None:
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._forward(reader, writer)
        except asyncio.CancelledError:
            pass  # cut, or closed: the end that a test asked for
        finally:
            self._connections.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loses = self._loses
        try:
            backend_reader, backend_writer = await asyncio.open_connection(*self._target)
        except OSError:
            return  # the backend is down; our client sees its connection closed
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pump(reader, backend_writer, loses))
                both_ways.create_task(self._pump(backend_reader, writer, loses))
        finally:
            backend_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, loses: asyncio.Event) -> None:
        try:
            while chunk := await source.read(_CHUNK_BYTES):
                await self._flowing.wait()
                await asyncio.sleep(self._delay_s)
                if loses.is_set():
                    continue
                sink.write(chunk)
                await sink.drain()
        except ConnectionError:
            pass  # one end went away; closing the other informs it
        finally:
            sink.close()

    async def _drop_connections(self) -> None:
        dropped = list(self._connections)
        for task in dropped:
            task.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)

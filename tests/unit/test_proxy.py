"""The proxy with which outage tests break a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from scripts.local.ports import LOOPBACK
from tests.proxy import TcpProxy
from tests.waiting import PATIENCE_S


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        finally:
            writer.close()

    server = await asyncio.start_server(echo, LOOPBACK, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(echo_port: int) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(echo_port) as proxy:
        yield proxy


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line)
    return await asyncio.wait_for(reader.readline(), timeout=PATIENCE_S)


async def test_forwards_both_ways(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    assert await ask(reader, writer, b"hello\n") == b"hello\n"
    writer.close()


async def test_cut_drops_old_and_new_connections_until_restored(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    await ask(reader, writer, b"hello\n")
    await proxy.cut()
    assert await asyncio.wait_for(reader.read(), timeout=PATIENCE_S) == b""
    writer.close()

    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    assert await asyncio.wait_for(reader.read(), timeout=PATIENCE_S) == b""
    writer.close()

    proxy.restore()
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    assert await ask(reader, writer, b"again\n") == b"again\n"
    writer.close()


async def test_stall_holds_bytes_back_until_restored(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    proxy.stall()
    writer.write(b"held\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), timeout=0.2)
    proxy.restore()
    assert await asyncio.wait_for(reader.readline(), timeout=PATIENCE_S) == b"held\n"
    writer.close()


async def test_backend_that_is_down_closes_the_connection() -> None:
    async with TcpProxy(1) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        assert await asyncio.wait_for(reader.read(), timeout=PATIENCE_S) == b""
        writer.close()


async def test_half_open_connections_lose_everything_for_good_and_new_ones_work_after_restoring(
    proxy: TcpProxy,
) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    assert await ask(reader, writer, b"hello\n") == b"hello\n"
    proxy.half_open()
    fresh_reader, fresh_writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    for writer_ in (writer, fresh_writer):
        writer_.write(b"lost\n")
    await asyncio.sleep(0.1)  # until the proxy has seen both
    proxy.restore()
    for reader_ in (reader, fresh_reader):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader_.readline(), timeout=0.3)
    new_reader, new_writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    assert await ask(new_reader, new_writer, b"again\n") == b"again\n"
    for each in (writer, fresh_writer, new_writer):
        each.close()

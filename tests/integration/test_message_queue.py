"""The contract of the adapter of RabbitMQ, on a real broker behind a proxy that can fail on demand."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from app.errors import BackendUnavailable
from app.services.message_queue import QUEUED_TYPES, MessageQueue, Unroutable
from tests.proxy import TcpProxy
from tests.waiting import PATIENCE_S, recovers

pytestmark = pytest.mark.any_server

TIMEOUT_S = 1.0


def event(number: int = 0) -> dict[str, object]:
    return {
        "event_id": str(uuid.uuid4()),
        "type": "attendance.events",
        "occurred_at": "2025-01-17T14:30:00.000Z",
        "number": number,
        "name": "Nguyễn",
    }


@pytest.fixture
async def proxy(broker_url: str) -> AsyncIterator[TcpProxy]:
    parts = urlsplit(broker_url)
    async with TcpProxy(parts.port or 5672, target_host=parts.hostname or "127.0.0.1") as proxy:
        yield proxy


@pytest.fixture
async def channel(broker_url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(broker_url) as connection:
        yield await connection.channel()


@pytest.fixture
async def queue(broker_url: str, proxy: TcpProxy, channel: AbstractChannel) -> AsyncIterator[MessageQueue]:
    url = urlsplit(broker_url)
    credentials = url.netloc.rpartition("@")[0]
    through_proxy = url._replace(netloc=f"{credentials}@127.0.0.1:{proxy.port}").geturl()
    exchange = f"test.{uuid.uuid4().hex}"
    queue = MessageQueue(through_proxy, exchange=exchange, queue_prefix="", source="/test", timeout_s=TIMEOUT_S)
    await queue.ping()
    for name in QUEUED_TYPES:
        await (await channel.get_queue(name)).purge()
    yield queue
    proxy.restore()
    await queue.close()
    await channel.exchange_delete(exchange)


async def taken(channel: AbstractChannel, name: str) -> list[AbstractIncomingMessage]:
    """Everything in a queue now."""
    found = []
    while (message := await (await channel.get_queue(name)).get(fail=False)) is not None:
        await message.ack()
        found.append(message)
    return found


async def test_a_published_message_is_in_the_queue_of_its_type_for_good(
    queue: MessageQueue, channel: AbstractChannel
) -> None:
    sent = event()
    await queue.publish("attendance.events", sent)
    [message] = await taken(channel, "attendance.events")
    assert json.loads(message.body) == sent
    assert message.message_id == sent["event_id"]
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.content_type == "application/json"
    assert message.routing_key == message.type == "attendance.events"
    assert await taken(channel, "anomaly.alerts") == []


@pytest.mark.parametrize("name", QUEUED_TYPES)
async def test_queues_and_exchange_survive_the_broker(queue: MessageQueue, channel: AbstractChannel, name: str) -> None:
    # Declaring a thing again with another durability is an error; passively it says that it is there.
    await queue.ping()
    assert (await channel.declare_queue(name, durable=True)).name == name
    await queue.publish(name, event())
    assert len(await taken(channel, name)) == 1


async def test_order_is_kept(queue: MessageQueue, channel: AbstractChannel) -> None:
    for number in range(20):
        await queue.publish("attendance.events", event(number))
    assert [json.loads(m.body)["number"] for m in await taken(channel, "attendance.events")] == list(range(20))


async def test_a_message_that_no_queue_wants_is_told(queue: MessageQueue, channel: AbstractChannel) -> None:
    with pytest.raises(Unroutable):
        await queue.publish("nobody.listens", event())
    await queue.publish("attendance.events", event())  # and the channel still works
    assert len(await taken(channel, "attendance.events")) == 1


@pytest.mark.parametrize("failure", ["cut", "stalled"])
async def test_a_lost_broker_is_told_in_time_and_found_again(
    queue: MessageQueue, proxy: TcpProxy, channel: AbstractChannel, failure: str
) -> None:
    if failure == "cut":
        await proxy.cut()
    else:
        proxy.stall()
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            with pytest.raises(BackendUnavailable):
                await queue.publish("attendance.events", event())
        with pytest.raises(BackendUnavailable):
            await queue.ping()
    proxy.restore()
    sent = event()
    await recovers(lambda: queue.publish("attendance.events", sent))
    assert sent["event_id"] in [message.message_id for message in await taken(channel, "attendance.events")]


async def test_a_broker_that_keeps_its_connections_and_reads_nothing_is_unwell(
    queue: MessageQueue, proxy: TcpProxy, channel: AbstractChannel
) -> None:
    watcher = await channel.declare_queue(exclusive=True)
    await watcher.bind(await channel.get_exchange(queue._exchange_name), routing_key="#")
    await queue.ping()
    proxy.stall()
    with pytest.raises(BackendUnavailable):
        await queue.ping()
    proxy.restore()
    await recovers(queue.ping)
    assert await watcher.get(fail=False) is None  # no consumer ever sees a ping


async def test_a_ping_leaves_a_connection_that_leads_nowhere(queue: MessageQueue, proxy: TcpProxy) -> None:
    proxy.half_open()
    with pytest.raises(TimeoutError):  # as /health does, sooner than the queue's own limit
        await asyncio.wait_for(queue.ping(), TIMEOUT_S / 2)
    proxy.restore()
    await recovers(queue.ping)


async def test_a_connection_whose_farewell_failed_counts_as_closed(queue: MessageQueue, proxy: TcpProxy) -> None:
    # An open one that is collected closes itself: on a thread without a loop that only leaves a warning.
    connection = queue._connection
    assert connection is not None
    proxy.stall()
    with pytest.raises(BackendUnavailable):
        await queue.publish("attendance.events", event())
    assert connection.is_closed


async def test_nothing_listens_there() -> None:
    queue = MessageQueue(
        "amqp://guest:guest@127.0.0.1:1/", exchange="x", queue_prefix="", source="/test", timeout_s=TIMEOUT_S
    )
    with pytest.raises(BackendUnavailable):
        await queue.ping()
    await queue.close()

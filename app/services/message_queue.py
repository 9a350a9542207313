"""RabbitMQ: carries events of the outbox to their consumers, each confirmed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPException, ChannelClosed, DeliveryError, PublishError
from yarl import URL

from app.services.calls import backend_call
from app.services.cloud_events import cloud_attributes
from app.utils.tasks import is_being_cancelled

BACKEND = "message_queue"

# Types with a durable queue of their own name, behind the prefix; declared here so that no event is lost before a
# consumer exists.
QUEUED_TYPES = ("attendance.events", "anomaly.alerts")

# aiormq reports a channel that went away by a RuntimeError; lost connections are OSErrors.
_FAILURES = (AMQPException, RuntimeError)


class Unroutable(Exception):
    """The broker has no queue for this routing key."""


class MessageQueue:
    """One confirmed channel to a durable topic exchange; opened on first use and again after a failure.

    Args:
        url: ``amqp://…``.
        exchange: its name.
        queue_prefix: before the names of the queues that are declared here; two hotels may share a broker.
        source: of the events, as CloudEvents name it.
        timeout_s: limit of one call.
    """

    def __init__(self, url: str, *, exchange: str, queue_prefix: str, source: str, timeout_s: float) -> None:
        self._url = url
        self._exchange_name = exchange
        self._queue_prefix = queue_prefix
        self._source = source
        self._timeout_s = timeout_s
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._in_doubt = False
        self._opening = asyncio.Lock()

    async def _open(self) -> AbstractExchange:
        async with self._opening:  # the relay and a health check may come at once
            if self._in_doubt or self._exchange is None or self._channel is None or self._channel.is_closed:
                self._exchange = await self._connect()
            return self._exchange

    async def _connect(self) -> AbstractExchange:
        await self._drop()
        # Ours before it is open: one that fails is closed here too, and not when it is collected, on whichever thread.
        self._connection = aio_pika.Connection(URL(self._url))
        await self._connection.connect(timeout=self._timeout_s)
        self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await self._channel.declare_exchange(self._exchange_name, aio_pika.ExchangeType.TOPIC, durable=True)
        for name in QUEUED_TYPES:
            queue = await self._channel.declare_queue(self._queue_prefix + name, durable=True)
            await queue.bind(exchange, routing_key=name)
        return exchange

    async def publish(self, event_type: str, payload: Mapping[str, object]) -> None:
        """Send one message and wait until the broker has it on disk.

        Raises:
            Unroutable: no queue is bound for this type; the message is not kept anywhere.
            BackendUnavailable: not confirmed in time; it may or may not have arrived.
        """
        message = aio_pika.Message(
            json.dumps(payload, ensure_ascii=False).encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(payload["event_id"]),
            type=event_type,
            headers=dict(cloud_attributes(payload, source=self._source, prefix="cloudEvents:")),
        )
        try:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
                exchange = await self._open()
                try:
                    await exchange.publish(message, routing_key=event_type, mandatory=True)
                except PublishError as error:
                    raise Unroutable(event_type) from error
                except DeliveryError as error:  # the broker refused it (nack): full disk, dead queue
                    raise ConnectionError("negative acknowledgement") from error
                except asyncio.CancelledError as error:
                    # aiormq cancels what waits on a connection that breaks; passed on, it would end the caller's task.
                    if is_being_cancelled():
                        raise
                    raise ConnectionError("the connection broke") from error
        except Unroutable:
            raise
        except BaseException:
            await self._drop()
            raise

    async def ping(self) -> None:
        """Raises BackendUnavailable unless the broker answers a message: one that is out of memory or of disk keeps
        its connections, and reads nothing from them."""
        try:
            await self._ask()
        except BaseException:  # whoever asks may have less patience, and cancels
            # Who only stands by publishes nothing, and would keep a connection to nowhere until its heartbeat ends.
            self._in_doubt = True
            raise

    async def _ask(self) -> None:
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            await self._open()
            if self._connection is None:
                raise ConnectionError("the connection was dropped")
            # A channel of its own: a refusal closes a channel, and the relay's has to stay.
            async with self._connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
                # For a queue that is nowhere, by the exchange that routes to queues alone: it comes back at once, and
                # no consumer sees it.
                with contextlib.suppress(PublishError, ChannelClosed):
                    nowhere = f"cv-health-{uuid.uuid4()}"
                    await channel.default_exchange.publish(aio_pika.Message(b""), routing_key=nowhere, mandatory=True)

    async def _drop(self) -> None:
        self._in_doubt = False
        connection, self._connection, self._channel, self._exchange = self._connection, None, None, None
        if connection is not None:
            try:
                async with asyncio.timeout(self._timeout_s):  # a broker that is gone does not answer a close
                    await connection.close()
            except (*_FAILURES, OSError):
                return  # it was already gone
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
            finally:
                # After a close that failed it only notes its end; else the collector would close it once more.
                await connection.close()

    async def close(self) -> None:
        await self._drop()

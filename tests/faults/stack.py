"""Two replicas behind proxies, a consumer of their events, and load on both."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from pydantic import SecretStr

from app.config import Settings
from app.services.message_queue import QUEUED_TYPES
from tests.backends import RunningBackends
from tests.faults.faults import Backend, Network
from tests.faults.ledger import Arrivals, Ledger
from tests.faults.load import Load
from tests.integration.conftest import BASE_SETTINGS
from tests.integration.live import migrated_database
from tests.integration.records import Records
from tests.integration.test_replicas import KEY, Replica, replica


@dataclass(frozen=True)
class Stack:
    """Everything that a campaign needs."""

    pair: tuple[Replica, Replica]
    network: Network
    load: Load
    ledger: Ledger
    arrivals: Arrivals
    records: Records


@contextmanager
def two_replicas(
    backends: RunningBackends, broker_url: str, folder: Path, *, kind_of_load: type[Load] = Load
) -> Iterator[Stack]:
    """Start them, with a database, an exchange and queues of their own; logs and data go to ``folder``."""
    exchange = f"faults.{uuid.uuid4().hex}"
    own = {
        "DATABASE_URL": migrated_database(backends),
        "CV_DATA_DIR": folder,
        "AUTH_REQUIRED": True,
        "ADMIN_API_KEY": KEY,
        "BACKEND_TIMEOUT_S": 3.0,  # as it is shipped: an outage has to show within a fault's seconds
        "RATE_LIMIT_PER_MINUTE": 0,
        "MAX_WORKERS": 1,
        "ATTENDANCE_DEBOUNCE_S": 600.0,
        "RABBITMQ_URL": broker_url,
        "EVENTS_EXCHANGE": exchange,
        "EVENTS_QUEUE_PREFIX": f"{exchange}.",
    }
    settings = Settings(**{**backends.settings, **BASE_SETTINGS, **own})
    network = Network(targets(settings, backends))
    with ExitStack() as stack:
        arrivals = stack.enter_context(consuming(broker_url, exchange))
        behind = through(settings, stack.enter_context(network.open()))
        first, second = (stack.enter_context(replica(behind, folder / f"{name}.log")) for name in ("first", "second"))
        ledger = Ledger()
        load = kind_of_load([first.client, second.client], ledger)
        load.prepare()
        yield Stack((first, second), network, load, ledger, arrivals, Records(settings))


def targets(settings: Settings, backends: RunningBackends) -> dict[Backend, tuple[str, int]]:
    """Where the backends really are."""
    broker = urlsplit(settings.RABBITMQ_URL.get_secret_value())
    return {
        Backend.DATABASE: ("127.0.0.1", backends.port("postgres")),
        Backend.VECTORS: ("127.0.0.1", backends.port("milvus")),
        Backend.REDIS: ("127.0.0.1", backends.port("valkey")),
        Backend.STORAGE: ("127.0.0.1", backends.port("objects")),
        Backend.BROKER: (broker.hostname or "127.0.0.1", broker.port or 5672),
    }


def through(settings: Settings, ports: Mapping[Backend, int]) -> Settings:
    """The settings, leading to the proxies."""

    def moved(url: SecretStr, backend: Backend) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        credentials, at, _ = parts.netloc.rpartition("@")
        return SecretStr(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{ports[backend]}").geturl())

    return settings.model_copy(
        update={
            "DATABASE_URL": moved(settings.DATABASE_URL, Backend.DATABASE),
            "REDIS_URL": moved(settings.REDIS_URL, Backend.REDIS),
            "RABBITMQ_URL": moved(settings.RABBITMQ_URL, Backend.BROKER),
            "MILVUS_HOST": "127.0.0.1",
            "MILVUS_PORT": ports[Backend.VECTORS],
            "MILVUS_URI": "",
            "MINIO_ENDPOINT": f"127.0.0.1:{ports[Backend.STORAGE]}",
        }
    )


@contextmanager
def consuming(url: str, exchange: str) -> Iterator[Arrivals]:
    """A consumer of every event, straight at the broker."""
    arrivals = Arrivals()
    loop = asyncio.new_event_loop()
    listening, stop = threading.Event(), asyncio.Event()

    async def note(message: AbstractIncomingMessage) -> None:
        arrivals.note(json.loads(message.body))
        await message.ack()

    async def consume() -> None:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            declared = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(declared, routing_key="#")
            await queue.consume(note)
            listening.set()
            await stop.wait()
            await channel.exchange_delete(exchange)
            for name in QUEUED_TYPES:
                await channel.queue_delete(f"{exchange}.{name}")

    thread = threading.Thread(target=lambda: loop.run_until_complete(consume()), name="consumer", daemon=True)
    thread.start()
    assert listening.wait(20), "the broker does not let us listen"
    try:
        yield arrivals
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()

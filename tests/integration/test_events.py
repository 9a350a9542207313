"""Events: what docs/events.md promises holds for what is written, streamed and published."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aio_pika
import httpx
import pytest
from pydantic import SecretStr

from tests.event_schemas import documented, problems
from tests.integration.conftest import Start
from tests.integration.live import serving
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.any_server


@pytest.mark.parametrize("event_type", sorted(documented()))
def test_each_sample_fits_its_schema(event_type: str) -> None:
    _, sample = documented()[event_type]
    assert problems(sample) == []
    assert problems({**sample, "schema_version": 99}) != []


def test_written_events_fit_their_schemas(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    recognize(client, base64_jpeg(astronaut()))
    client.delete("/api/v1/cv/face/EMP001")
    events = [row["payload"] for row in records.rows("SELECT payload FROM event_outbox ORDER BY id")]
    assert [event["type"] for event in events] == ["face.enrolled", "attendance.events", "face.deleted"]
    assert [problems(event) for event in events] == [[], [], []]


class Listener:
    """Reads the event stream in a thread."""

    def __init__(self, client: httpx.Client, **options: Any) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._opened = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(client, options), daemon=True)

    def _read(self, client: httpx.Client, options: dict[str, Any]) -> None:
        with client.stream("GET", "/api/v1/cv/events", timeout=httpx.Timeout(10, read=2), **options) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            self._opened.set()
            event_id = ""
            try:
                for line in answer.iter_lines():
                    if self._stopped.is_set():
                        return
                    name, _, value = line.partition(": ")
                    if name == "id":
                        event_id = value
                    elif name == "data":
                        self.events.append((event_id, json.loads(value)))
            except httpx.ReadTimeout:
                return

    @contextmanager
    def reading(self) -> Iterator[Listener]:
        self._thread.start()
        assert self._opened.wait(5)
        yield self
        self._stopped.set()
        self._thread.join(5)


def test_the_stream_tells_what_happens_as_it_happens(client: httpx.Client, records: Records) -> None:
    with Listener(client).reading() as listener:
        enroll(client, "EMP001", base64_jpeg(astronaut()))
        recognize(client, base64_jpeg(astronaut()))
        records.wait_until(lambda: len(listener.events) >= 2)
    assert [event["type"] for _, event in listener.events] == ["face.enrolled", "attendance.events"]


def test_a_reader_that_comes_back_misses_nothing(client: httpx.Client, records: Records) -> None:
    with Listener(client).reading() as listener:
        enroll(client, "EMP001", base64_jpeg(astronaut()))
        records.wait_until(lambda: len(listener.events) == 1)
    last_id = listener.events[0][0]
    recognize(client, base64_jpeg(astronaut()), camera_id="door")
    client.delete("/api/v1/cv/face/EMP001")
    with Listener(client, headers={"Last-Event-ID": last_id}).reading() as listener:
        records.wait_until(lambda: len(listener.events) == 2)
    assert [event["type"] for _, event in listener.events] == ["attendance.events", "face.deleted"]


def test_a_reader_that_heard_nothing_yet_knows_where_to_go_on(client: httpx.Client) -> None:
    opened = client.get("/api/v1/cv/events", params={"seconds": 1})
    assert "data:" not in opened.text
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    headers = {"Last-Event-ID": opened.headers["Last-Event-ID"]}
    assert client.get("/api/v1/cv/events", params={"seconds": 1}, headers=headers).text.count("data:") == 1


def test_the_stream_can_be_narrowed(client: httpx.Client, records: Records) -> None:
    with Listener(client, params={"type": "attendance.events"}).reading() as listener:
        enroll(client, "EMP001", base64_jpeg(astronaut()))
        recognize(client, base64_jpeg(astronaut()))
        records.wait_until(lambda: len(listener.events) >= 1)
    assert [event["type"] for _, event in listener.events] == ["attendance.events"]


def test_a_look_at_the_stream_ends_by_itself(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    answer = client.get("/api/v1/cv/events", params={"after": "0", "seconds": 1})
    assert answer.status_code == 200
    assert "event: face.enrolled" in answer.text


@pytest.mark.parametrize("event_id", ["x", "-1", "9" * 30, "१"])
def test_a_wrong_event_id_is_refused(client: httpx.Client, event_id: str) -> None:
    answer = client.get("/api/v1/cv/events", headers={b"Last-Event-ID": event_id.encode()})
    assert answer.status_code == 422


# RabbitMQ


class Broker:
    """A consumer of one exchange, for tests."""

    def __init__(self, url: str, exchange: str) -> None:
        self._url = url
        self.exchange = exchange

    def take(self, queue: str, count: int) -> list[dict[str, Any]]:
        """The next messages of a queue, acknowledged."""

        async def consume() -> list[dict[str, Any]]:
            async with await aio_pika.connect(self._url) as connection:
                channel = await connection.channel()
                taken: list[dict[str, Any]] = []
                async with asyncio.timeout(PATIENCE_S):
                    async with (await channel.get_queue(queue)).iterator() as messages:
                        async for message in messages:
                            await message.ack()
                            taken.append(json.loads(message.body))
                            if len(taken) == count:
                                break
                return taken

        return asyncio.run(consume())

    def take_all(self, queue: str) -> list[dict[str, Any]]:
        """Every message that is in a queue now, acknowledged."""

        async def consume() -> list[dict[str, Any]]:
            async with await aio_pika.connect(self._url) as connection:
                channel = await connection.channel()
                source = await channel.get_queue(queue)
                taken: list[dict[str, Any]] = []
                while (message := await source.get(fail=False)) is not None:
                    await message.ack()
                    taken.append(json.loads(message.body))
                return taken

        return asyncio.run(consume())

    def take_one(self, queue: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The next message of a queue, acknowledged: its headers and its body."""

        async def consume() -> tuple[dict[str, Any], dict[str, Any]]:
            async with await aio_pika.connect(self._url) as connection:
                channel = await connection.channel()
                async with asyncio.timeout(PATIENCE_S), (await channel.get_queue(queue)).iterator() as messages:
                    message = await anext(messages)
                    await message.ack()
                    return dict(message.headers), json.loads(message.body)

        return asyncio.run(consume())

    def remove(self, *queues: str) -> None:
        """Remove queues of a test's own."""

        async def run() -> None:
            async with await aio_pika.connect(self._url) as connection:
                channel = await connection.channel()
                for queue in queues:
                    await channel.queue_delete(queue)

        asyncio.run(run())

    def purge(self) -> None:
        """Empty the shared queues and remove the exchange of this test."""

        async def run() -> None:
            async with await aio_pika.connect(self._url) as connection:
                for queue in ("attendance.events", "anomaly.alerts"):
                    channel = await connection.channel()
                    declared = await channel.declare_queue(queue, durable=True)
                    await declared.purge()
                channel = await connection.channel()
                await channel.exchange_delete(self.exchange)

        asyncio.run(run())


@pytest.fixture
def broker(broker_url: str) -> Iterator[Broker]:
    broker = Broker(broker_url, f"test.{uuid.uuid4().hex}")
    broker.purge()
    yield broker
    broker.purge()


def test_attendance_reaches_the_queue_and_unroutable_events_block_nothing(
    broker: Broker, broker_url: str, start_service: Start
) -> None:
    with start_service(RABBITMQ_URL=broker_url, EVENTS_EXCHANGE=broker.exchange) as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))  # face.enrolled: no queue is bound for it
        answer = recognize(service.client, base64_jpeg(astronaut())).json()
        [message] = broker.take("attendance.events", 1)
        assert message["event_id"] == answer["event_id"]
        assert problems(message) == []
        records = service.records
        records.wait_until(lambda: records.count("event_outbox", "published_at IS NOT NULL") == 1)
        assert records.count("event_outbox", "unroutable") == 1


def test_two_hotels_share_a_broker_and_events_bear_the_attributes_of_cloudevents(
    broker: Broker, broker_url: str, start_service: Start
) -> None:
    prefix = f"{broker.exchange}."
    with start_service(
        RABBITMQ_URL=broker_url,
        EVENTS_EXCHANGE=broker.exchange,
        EVENTS_QUEUE_PREFIX=prefix,
        EVENTS_SOURCE="/hotels/1",
    ) as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        answer = recognize(service.client, base64_jpeg(astronaut())).json()
        headers, message = broker.take_one(f"{prefix}attendance.events")
    assert message["event_id"] == answer["event_id"]
    assert headers == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": message["event_id"],
        "cloudEvents:source": "/hotels/1",
        "cloudEvents:type": "attendance.events",
        "cloudEvents:time": message["occurred_at"],
    }
    broker.remove(f"{prefix}attendance.events", f"{prefix}anomaly.alerts")


def test_events_written_without_a_broker_are_published_when_there_is_one(
    broker: Broker, broker_url: str, start_service: Start
) -> None:
    nowhere = "amqp://guest:guest@127.0.0.1:1/"
    with start_service(RABBITMQ_URL=nowhere, EVENTS_EXCHANGE=broker.exchange) as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        event_ids = [
            recognize(service.client, base64_jpeg(astronaut()), camera_id=f"cam_{i}").json()["event_id"]
            for i in range(5)
        ]
        client = service.client
        service.records.wait_until(lambda: client.get("/api/v1/cv/health").json()["status"] == "degraded")
    with serving(service.settings.model_copy(update={"RABBITMQ_URL": SecretStr(broker_url)})):
        published = broker.take("attendance.events", 5)
    assert [message["event_id"] for message in published] == event_ids

"""Webhooks from an event to a receiver over real HTTP: in order, signed, at least once, through failures and kills."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from tests.backends import RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.integration.test_replicas import replica

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
MOMENT = "2025-01-17T14:30:00.000Z"


@dataclass
class Message:
    """What a receiver got."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class Receiver:
    """An HTTP server that keeps what it is sent; ``status`` chooses the answer."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    status: Callable[[Message], int] = lambda _: 200
    pause_s: float = 0.0

    def events(self, event_type: str = "test.made") -> list[dict[str, Any]]:
        return [message.event for message in self.messages if message.event["type"] == event_type]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message = Message({name.lower(): value for name, value in self.headers.items()}, body)
            time.sleep(kept.pause_s)
            status = kept.status(message)
            kept.messages.append(message)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/events"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


@pytest.fixture(scope="module")
def running(start_service: Start) -> Iterator[Service]:
    with start_service(WEBHOOK_ALLOWED_CIDRS="127.0.0.1/32", WEBHOOK_TIMEOUT_S=2.0) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Service:
    running.records.clear()
    return running


def subscribe(client: httpx.Client, url: str, *types: str) -> dict[str, Any]:
    answer = client.post(f"{API}/webhooks", json={"url": url, "types": list(types)})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def write_events(records: Records, keys: str, event_type: str = "test.made") -> None:
    """One event a letter, in this order, as a transaction of the service would write them."""
    for number, key in enumerate(keys):
        event_id = str(uuid.uuid4())
        payload = {"event_id": event_id, "type": event_type, "key": key, "number": number, "occurred_at": MOMENT}
        records.rows(
            "INSERT INTO event_outbox (event_id, event_type, event_key, payload, occurred_at) "
            "VALUES ($1, $2, $3, $4, NOW())",
            event_id,
            event_type,
            key,
            payload,
        )
    records.rows("SELECT pg_notify('cv_outbox', '')")


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["number"] for event in events]


def test_events_arrive_in_order_signed_and_once(service: Service, receiver: Receiver) -> None:
    secret = subscribe(service.client, receiver.url, "test.*")["secret"]
    write_events(service.records, "abab")
    write_events(service.records, "c", event_type="other.made")
    Records.wait_until(lambda: len(receiver.events()) == 4)
    assert numbers(receiver.events()) == [0, 1, 2, 3]
    assert receiver.events("other.made") == []
    for message in receiver.messages:
        assert message.headers["webhook-id"] == message.headers["ce-id"] == message.event["event_id"]
        assert message.headers["ce-type"] == message.event["type"]
        assert (message.headers["ce-specversion"], message.headers["ce-source"]) == ("1.0", "/cv-service")
        assert abs(int(message.headers["webhook-timestamp"]) - time.time()) < 60
        signed = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.".encode() + message.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert message.headers["webhook-signature"] == f"v1,{expected}"


def test_what_happened_before_the_subscription_is_not_sent(service: Service, receiver: Receiver) -> None:
    write_events(service.records, "aa")
    Records.wait_until(lambda: service.records.count("event_outbox", "position IS NOT NULL") == 2)
    subscribe(service.client, receiver.url)
    write_events(service.records, "b")
    Records.wait_until(lambda: len(receiver.messages) >= 1)
    assert [event["key"] for event in receiver.events()] == ["b"]


def test_a_receiver_that_is_down_gets_everything_in_order_later(service: Service, receiver: Receiver) -> None:
    answers = iter([503, 429, 500])
    receiver.status = lambda _: next(answers, 200)
    created = subscribe(service.client, receiver.url)
    write_events(service.records, "aba")
    Records.wait_until(lambda: len(receiver.messages) == 6)
    assert numbers(receiver.events()) == [0, 0, 0, 0, 1, 2]
    info = service.client.get(f"{API}/webhooks/{created['id']}").json()
    assert (info["attempts"], info["last_error"], info["next_attempt_at"]) == (0, None, None)
    assert info["last_success_at"]


def test_a_refused_event_is_kept_and_holds_nothing_up(service: Service, receiver: Receiver) -> None:
    receiver.status = lambda message: 422 if message.event["number"] == 0 else 200
    created = subscribe(service.client, receiver.url)
    write_events(service.records, "ab")
    Records.wait_until(lambda: 1 in numbers(receiver.events()))
    path = f"{API}/webhooks/{created['id']}/failures"
    [letter] = service.client.get(path).json()["items"]
    assert letter["event"]["number"] == 0
    assert letter["error"] == "HTTP 422"
    [again] = service.client.post(f"{path}/replay").json()["items"]
    assert (again["delivered"], again["status"]) == (False, 422)

    receiver.status = lambda _: 200
    [again] = service.client.post(f"{path}/replay", json={"ids": [letter["id"]]}).json()["items"]
    assert again["delivered"]
    assert service.client.get(path).json() == {"items": [], "next_cursor": None, "limit": 50}


def test_an_old_event_whose_receiver_does_not_answer_is_given_up(service: Service, receiver: Receiver) -> None:
    receiver.status = lambda message: 503 if message.event["number"] == 0 else 200
    created = subscribe(service.client, receiver.url)
    write_events(service.records, "a")
    Records.wait_until(lambda: bool(receiver.messages))
    service.records.rows("UPDATE event_outbox SET created_at = NOW() - INTERVAL '2 days'")
    service.records.rows("UPDATE webhooks SET next_attempt_at = NOW()")
    path = f"{API}/webhooks/{created['id']}/failures"
    Records.wait_until(lambda: len(service.client.get(path).json()["items"]) == 1)


def test_a_receiver_that_is_gone_is_switched_off(service: Service, receiver: Receiver) -> None:
    receiver.status = lambda _: 410
    created = subscribe(service.client, receiver.url)
    write_events(service.records, "ab")
    path = f"{API}/webhooks/{created['id']}"
    Records.wait_until(lambda: not service.client.get(path).json()["enabled"])
    assert len(receiver.messages) == 1

    receiver.status = lambda _: 200
    assert service.client.patch(path, json={"enabled": True}).json()["enabled"]
    Records.wait_until(lambda: numbers(receiver.events()) == [0, 0, 1])


def test_a_hung_receiver_holds_up_no_other(service: Service, receiver: Receiver) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # accepts, and never answers
        subscribe(service.client, f"http://127.0.0.1:{silent.server_address[1]}/")
        subscribe(service.client, receiver.url)
        write_events(service.records, "abcd")
        Records.wait_until(lambda: numbers(receiver.events()) == [0, 1, 2, 3])


def test_a_webhook_can_be_tried_changed_and_removed(service: Service, receiver: Receiver) -> None:
    client = service.client
    created = subscribe(client, receiver.url, "face.enrolled")
    path = f"{API}/webhooks/{created['id']}"
    assert client.post(f"{path}/test").json() == {"delivered": True, "status": 200, "detail": "HTTP 200"}
    [message] = receiver.messages
    assert message.event["type"] == "webhook.test"
    assert "secret" not in client.get(path).json()
    assert created["secret"] not in json.dumps(client.get(f"{API}/webhooks").json())

    renewed = client.post(f"{path}/secret").json()["secret"]
    assert renewed != created["secret"]
    changed = client.patch(path, json={"types": [], "description": "Quầy lễ tân"}).json()
    assert (changed["types"], changed["description"]) == ([], "Quầy lễ tân")
    assert client.delete(path).json()["deleted"]
    assert client.get(path).status_code == 404
    assert service.records.count("audit_log", "action LIKE 'webhook.%'") == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://10.9.9.9/"}, "webhook_address_refused"),
        ({"url": "https://169.254.169.254/latest"}, "webhook_address_refused"),
        ({"url": "http://169.254.169.254/latest"}, "webhook_address_refused"),
        ({"url": "gopher://127.0.0.1/"}, "invalid_webhook_url"),
        ({"url": "http://127.0.0.1/", "types": ["Not a type"]}, "validation_error"),
    ],
)
def test_wrong_webhooks_are_refused(service: Service, body: dict[str, object], code: str) -> None:
    answer = service.client.post(f"{API}/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert service.records.count("webhooks") == 0


@pytest.fixture
def killable(backends: RunningBackends, settings: Settings) -> Settings:
    database_url = backends.new_database()
    migrate(database_url)
    return settings.model_copy(
        update={
            "DATABASE_URL": SecretStr(database_url),
            "WEBHOOK_ALLOWED_CIDRS": "127.0.0.1/32",
            "MAX_WORKERS": 1,
            "CAMERAS_PER_REPLICA": 0,
        }
    )


def test_a_kill_loses_nothing_and_keeps_the_order_of_each_key(
    killable: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    records = Records(killable)
    receiver.pause_s = 0.05  # so that the kill comes in the middle
    with replica(killable, tmp_path / "first.log") as first:
        subscribe(first.client, receiver.url)
        write_events(records, "abc" * 20)
        Records.wait_until(lambda: len(receiver.messages) >= 10)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(30)
    before = len(receiver.messages)
    assert before < 60
    with replica(killable, tmp_path / "second.log"):
        Records.wait_until(lambda: len({m.headers["webhook-id"] for m in receiver.messages}) == 60)
    first_seen: dict[str, list[int]] = defaultdict(list)
    for event in receiver.events():
        if event["number"] not in first_seen[event["key"]]:
            first_seen[event["key"]].append(event["number"])
    assert all(seen == sorted(seen) for seen in first_seen.values())
    assert len(receiver.messages) <= 61  # at most the one that was under way came twice

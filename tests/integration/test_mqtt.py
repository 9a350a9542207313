"""MQTT from an event to a subscriber of a real broker: at least once, in order, through kills; and Home Assistant."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from app.composition.backends import open_database
from app.config import Settings
from app.errors import BackendUnavailable, ConfigurationError
from app.services.delivery.mqtt import MqttBroker
from app.workflows.retention import RecordRetention
from scripts.local.ports import choose_free_port
from tests.backends import RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.integration.test_replicas import replica
from tests.mqtt_server import URL_WORD, USER, Listener, listening, running_broker
from tests.tls_front import tls_front

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
CONFIG = "homeassistant/device/cv_{}/config"


def write_events(records: Records, count: int) -> None:
    """So many events of three keys, in order, in one transaction."""
    records.rows(
        "INSERT INTO event_outbox (event_id, event_type, event_key, payload, occurred_at) "
        "SELECT id, 'test.made', n % 3, jsonb_build_object('event_id', id, 'type', 'test.made', 'number', n, "
        "'key', n % 3, 'occurred_at', '2025-01-17T14:30:00.000Z'), NOW() "
        "FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $1) AS n ORDER BY n) AS made",
        count,
    )


def wait_for(listener: Listener, topic: str, text: str | None) -> None:
    Records.wait_until(lambda: listener.last(topic) == text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mqtt")


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[str]:
    with running_broker(folder) as url:
        yield url


@pytest.fixture(scope="module")
def service(start_service: Start, broker: str) -> Iterator[Service]:
    with start_service(MQTT_URL=SecretStr(broker), CAMERAS_PER_REPLICA=0) as running:
        yield running


@pytest.fixture
def listener(broker: str, service: Service) -> Iterator[Listener]:
    with listening(broker) as one:
        wait_for(one, "cv/status", "online")
        yield one
    service.records.rows("DELETE FROM cameras")


def broker_at(url: str, ca_file: Path | None = None) -> MqttBroker:
    return MqttBroker(url, ca_file=ca_file, status_topic="tried/status", source="/test", timeout_s=5.0)


def test_health_reports_the_broker(service: Service) -> None:
    body = service.client.get(f"{API}/health").json()
    assert body["checks"]["mqtt"]["status"] == "ok"
    assert 'cv_backend_up{backend="mqtt"} 1.0' in service.client.get(f"{API}/metrics").text


async def test_the_broker_is_asked_only_where_it_has_not_just_answered(tmp_path: Path) -> None:
    with running_broker(tmp_path) as url:  # to which no service connects
        tried = broker_at(url)
        for _ in range(3):
            await tried.ping()
    assert (tmp_path / "mosquitto.log").read_text(encoding="utf-8").count("New client connected") == 1


@pytest.mark.parametrize("wrong", ["mqtt://cv:wrong@127.0.0.1:{port}", "mqtt://127.0.0.1:{free}"])
async def test_a_broker_that_lets_nobody_in_or_is_gone_is_down(broker: str, wrong: str) -> None:
    url = wrong.format(port=urlsplit(broker).port, free=choose_free_port())
    with pytest.raises(BackendUnavailable):
        await broker_at(url).ping()


# paho leaves the socket of a handshake that failed to the next collection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_encrypted_broker_is_spoken_to_where_its_certificate_is_trusted(
    broker: str, listener: Listener, tmp_path: Path
) -> None:
    with tls_front(urlsplit(broker).port or 0, tmp_path) as front:
        url = f"mqtts://{USER}:{URL_WORD}@127.0.0.1:{front.port}"
        trusting = broker_at(url, front.certificate)
        await trusting.ping()
        async with trusting.connected() as session:
            await session.retain("tried/topic", "said under TLS")
        await asyncio.to_thread(wait_for, listener, "tried/topic", "said under TLS")
        with pytest.raises(BackendUnavailable):  # nobody vouches for it
            await broker_at(url).ping()
        with pytest.raises(BackendUnavailable):  # another name than its certificate's
            await broker_at(url.replace("127.0.0.1", "localhost"), front.certificate).ping()


def test_a_file_of_certificates_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
    for name in ("ca.pem", "gone.pem"):
        with pytest.raises(ConfigurationError, match="MQTT_CA_FILE"):
            broker_at("mqtts://127.0.0.1", tmp_path / name)


def add(client: httpx.Client, camera_id: str, **fields: object) -> None:
    body = {"id": camera_id, "kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"]}
    answer = client.post(f"{API}/cameras", json=body | fields)
    assert answer.status_code == 201, answer.text


def test_an_alert_reaches_its_topics_with_the_attributes_of_cloudevents(service: Service, listener: Listener) -> None:
    add(service.client, "cam.door_1")
    assert service.client.post(f"{API}/cameras/cam.door_1/test-alarm").status_code == 201
    wait_for_alert = "cv/cameras/cam.door_1/alert"
    Records.wait_until(lambda: bool(listener.of(wait_for_alert)))
    [event], [alert] = listener.of("cv/events/anomaly.alerts"), listener.of(wait_for_alert)
    told, shown = json.loads(event.text), json.loads(alert.text)
    [written] = service.records.events("anomaly.alerts")
    assert told == written
    assert shown == {**written, "event_type": "test"}
    assert event.attributes["id"] == written["event_id"]
    assert (event.attributes["type"], event.attributes["source"]) == ("anomaly.alerts", "/cv-service")
    assert not event.retained


def test_cameras_are_devices_of_home_assistant_for_as_long_as_they_are_there(
    service: Service, listener: Listener
) -> None:
    add(service.client, "cam.hall", name="Hành lang 3")
    topic = CONFIG.format("cam-2e-hall")
    Records.wait_until(lambda: bool(listener.last(topic)))
    device = json.loads(listener.last(topic) or "")
    assert (device["device"]["name"], device["device"]["identifiers"]) == ("Hành lang 3", ["cv_cam.hall"])
    assert device["availability_topic"] == "cv/status"
    components = device["components"]
    assert components["alert"]["state_topic"] == "cv/cameras/cam.hall/alert"
    assert {"fire", "intrusion", "test"} <= set(components["alert"]["event_types"])
    health = "cv/cameras/cam.hall/health"
    assert {components[name]["state_topic"] for name in ("connection", "tamper")} == {health}
    assert listener.last(health) is None, "nothing is known of it yet"
    for state in ("offline", "tampered", "online"):
        service.records.rows("UPDATE cameras SET health = $1", state)
        wait_for(listener, health, state)
    service.client.patch(f"{API}/cameras/cam.hall", json={"name": "Lobby"})
    Records.wait_until(lambda: "Lobby" in (listener.last(topic) or ""))
    assert service.client.delete(f"{API}/cameras/cam.hall").status_code == 200
    wait_for(listener, topic, "")
    wait_for(listener, health, "")
    with_retained = [one.topic for one in listener.heard if one.retained]
    assert "cv/status" in with_retained


@pytest.mark.parametrize(("carriers", "left"), [(["mqtt"], 2), ([], 1)])
async def test_what_the_broker_has_not_taken_is_kept(
    service: Service, listener: Listener, carriers: list[str], left: int
) -> None:
    records = service.records
    write_events(records, 4)
    await asyncio.to_thread(records.wait_until, lambda: len(listener.of("cv/events/test.made")) == 4)
    records.rows("UPDATE event_outbox SET created_at = NOW() - INTERVAL '30 days', published_at = NOW()")
    [row] = records.rows("SELECT max(position) AS last FROM event_outbox")
    async with AsyncExitStack() as stack:
        database = await open_database(stack, service.settings)
        records.rows("UPDATE delivery_positions SET position = $1", row["last"] - 2)
        retention = RecordRetention(
            database, outbox_days=7, attendance_days=365, audit_days=7, only_published=True, carriers=carriers
        )
        await retention.step()
    assert records.count("event_outbox") == left
    records.rows("UPDATE delivery_positions SET position = $1", row["last"])


@pytest.fixture
def killable(backends: RunningBackends, settings: Settings, tmp_path: Path) -> tuple[Settings, Path]:
    database_url = backends.new_database()
    migrate(database_url)
    own = {"DATABASE_URL": SecretStr(database_url), "MAX_WORKERS": 1, "CAMERAS_PER_REPLICA": 0}
    return settings.model_copy(update=own), tmp_path


def test_a_kill_and_a_broker_that_ends_lose_nothing_and_keep_the_order(killable: tuple[Settings, Path]) -> None:
    plain, folder = killable
    records, count = Records(plain), 3000
    with running_broker(folder) as url, listening(url) as listener:
        own = plain.model_copy(update={"MQTT_URL": SecretStr(url)})

        def numbers() -> list[int]:
            return [json.loads(one.text)["number"] for one in listener.of("cv/events/test.made")]

        with replica(own, folder / "first.log") as first:
            wait_for(listener, "cv/status", "online")
            write_events(records, count)
            Records.wait_until(lambda: len(numbers()) >= 10)
            first.process.send_signal(signal.SIGKILL)
            first.process.wait(30)
        before = len(numbers())
        assert before < count, "the kill came too late to show anything"
        wait_for(listener, "cv/status", "offline")  # our will, from the broker
        with replica(own, folder / "second.log"):
            Records.wait_until(lambda: len(set(numbers())) == count)
            wait_for(listener, "cv/status", "online")
        wait_for(listener, "cv/status", "offline")
    first_seen: dict[int, list[int]] = defaultdict(list)
    for number in dict.fromkeys(numbers()):
        first_seen[number % 3].append(number)
    assert all(seen == sorted(seen) for seen in first_seen.values())
    assert len(numbers()) <= count + 1  # at most the one that was under way came twice

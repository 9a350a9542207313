"""Two replicas, each a process of its own, over one set of backends: what has to hold across them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import SecretStr
from redis import Redis

from app.config import Settings
from tests.backends import RunningBackends
from tests.camera_servers import http_camera
from tests.integration.live import PROJECT_DIR, environment, migrated_database
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.integration.test_events import Listener
from tests.photos import astronaut, base64_jpeg, coffee, jpeg, portrait

START_TIMEOUT_S = 240.0
CAMERAS = ("cam_1", "cam_2")
KEY = "key-of-the-two-replicas-0123456789abcdef"


@dataclass(frozen=True)
class Replica:
    """A running service process and a client of it."""

    process: subprocess.Popen[bytes]
    client: httpx.Client


@dataclass(frozen=True)
class Pair:
    """Two replicas and the records that they share."""

    first: Replica
    second: Replica
    records: Records
    settings: Settings

    @property
    def clients(self) -> tuple[httpx.Client, httpx.Client]:
        return self.first.client, self.second.client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def replica(settings: Settings, log: Path, *, source: Path = PROJECT_DIR) -> Iterator[Replica]:
    """A service process by the command of the Dockerfile, of the code in a folder."""
    port = free_port()
    command = [sys.executable, "-m", "app.server", "--host", "127.0.0.1", "--port", str(port), "--stop-timeout", "2"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=source, env=environment(settings), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        headers = {"X-API-Key": KEY}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=headers) as client:
            wait_until_ready(process, client, log)
            yield Replica(process, client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-3000:]
        try:
            if client.get("/api/v1/cv/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)


@pytest.fixture(scope="module")
def running_pair(
    backends: RunningBackends, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    database_url = migrated_database(backends)
    own = settings.model_copy(
        update={
            "DATABASE_URL": SecretStr(database_url),
            "AUTH_REQUIRED": True,
            "ADMIN_API_KEY": SecretStr(KEY),
            "ATTENDANCE_DEBOUNCE_S": 600.0,
            "MAX_WORKERS": 1,
            "CAMERAS_PER_REPLICA": 16,
            "CAMERA_ALLOWED_CIDRS": "127.0.0.1/32",
            "CAMERA_PORTS": "1-65535",  # the cameras' own are whatever was free
            "CAMERA_LEASE_S": 2.0,
        }
    )
    folder = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        first, second = (stack.enter_context(replica(own, folder / f"{name}.log")) for name in ("first", "second"))
        yield Pair(first, second, Records(own), own)


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    """The pair, with nobody enrolled and no events."""
    running_pair.records.clear()
    return running_pair


def relay_ports(records: Records) -> list[int]:
    """From which local ports the holders of the relay's lock are connected to PostgreSQL."""
    rows = records.rows(
        "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    return [row["client_port"] for row in rows]


def owns(replica: Replica, port: int) -> bool:
    """Whether the process is connected from that port."""
    return port in {c.laddr.port for c in psutil.Process(replica.process.pid).net_connections("tcp") if c.raddr}


def test_one_person_at_one_camera_is_one_event_whichever_replica_sees_them(pair: Pair) -> None:
    image = base64_jpeg(astronaut())
    enroll(pair.first.client, "EMP001", image)
    clients = iter(pair.clients * 4)
    answers = pair.records.at_once(8, lambda: recognize(next(clients), image, camera_id="lobby").json())
    assert [answer["employee_id"] for answer in answers] == ["EMP001"] * 8
    assert sum("event_id" in answer and answer["event_id"] is not None for answer in answers) == 1
    assert len(pair.records.events("attendance.events")) == 1


def test_what_one_replica_deletes_the_other_no_longer_knows(pair: Pair) -> None:
    image = base64_jpeg(astronaut())
    enroll(pair.first.client, "EMP001", image)
    for client in pair.clients:
        assert recognize(client, image, camera_id="door").json()["employee_id"] == "EMP001"
    assert pair.second.client.delete("/api/v1/cv/face/EMP001").status_code == 200
    for client in pair.clients:
        assert recognize(client, image, camera_id="door").json()["error"] == "face_not_found"


def test_whoever_comes_back_is_debounced_anew_on_both(pair: Pair) -> None:
    image = base64_jpeg(astronaut())
    enroll(pair.first.client, "EMP001", image)
    recognize(pair.first.client, image, camera_id="gate")
    pair.second.client.delete("/api/v1/cv/face/EMP001")
    enroll(pair.second.client, "EMP001", image)
    assert recognize(pair.first.client, image, camera_id="gate").json()["employee_id"] == "EMP001"


def test_one_face_cannot_become_two_people_at_the_same_time(pair: Pair) -> None:
    image = base64_jpeg(portrait(2))
    jobs = iter([(pair.first.client, "EMP00A"), (pair.second.client, "EMP00A")])

    def enrol_next() -> int:
        client, employee_id = next(jobs)
        return enroll(client, employee_id, image).status_code

    statuses = pair.records.at_once(2, enrol_next)
    assert statuses == [200, 200] or sorted(statuses) == [200, 409]
    pair.records.wait_until(
        lambda: len(pair.records.vectors()) == pair.records.count("face_templates", "employee_id = 'EMP00A'")
    )


def test_events_of_both_stand_in_one_order_without_gaps(pair: Pair) -> None:
    records = pair.records
    image = base64_jpeg(astronaut())
    enroll(pair.first.client, "EMP001", image)
    cameras = iter(range(12))

    def see() -> int:
        number = next(cameras)
        return recognize(pair.clients[number % 2], image, camera_id=f"cam{number}").status_code

    with Listener(pair.second.client).reading() as listener:
        assert records.at_once(4, lambda: [see() for _ in range(3)]) == [[200] * 3] * 4
        records.wait_until(lambda: records.count("event_outbox", "position IS NULL") == 0)
        records.wait_until(lambda: len(listener.events) >= 12)
    positions = [row["position"] for row in records.rows("SELECT position FROM event_outbox ORDER BY position")]
    assert positions == list(range(positions[0], positions[0] + 13))
    streamed = [int(position) for position, _ in listener.events]
    assert streamed == sorted(streamed)


def test_a_revoked_key_ends_on_both(pair: Pair) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/keys.py", "create", "--label", "x", "--scope", "admin"],
        cwd=PROJECT_DIR,
        env=environment(pair.settings),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    headers = {"X-API-Key": done.stdout.strip()}

    def statuses() -> list[int]:
        return [client.get("/api/v1/cv/models", headers=headers).status_code for client in pair.clients]

    assert statuses() == [200, 200]
    pair.records.rows("UPDATE api_keys SET revoked_at = NOW() WHERE label = 'x'")
    pair.records.wait_until(lambda: statuses() == [401, 401])


# What follows comes last in this file: it leaves one replica.


@dataclass(frozen=True)
class Bereaved:
    """Who is left after the relay's replica was killed, while each of the two read a camera."""

    survivor: Replica
    pair: Pair


@pytest.fixture(scope="module")
def bereaved(running_pair: Pair) -> Iterator[Bereaved]:
    records = running_pair.records
    with http_camera(jpeg(coffee())) as lobby:
        for camera_id in CAMERAS:
            body = {"id": camera_id, "kind": "mjpeg", "url": lobby.url("/stream"), "tasks": ["anomaly"]}
            assert running_pair.first.client.post("/api/v1/cv/cameras", json=body).status_code == 201
        records.wait_until(lambda: None not in holders(running_pair) and len(set(holders(running_pair))) == 2)
        records.wait_until(lambda: len(relay_ports(records)) == 1)
        [port] = relay_ports(records)
        pair = running_pair.first, running_pair.second
        relay, survivor = pair if owns(running_pair.first, port) else reversed(pair)
        assert owns(relay, port)
        relay.process.kill()
        relay.process.wait(10)
        yield Bereaved(survivor, running_pair)


def holders(pair: Pair) -> list[str | None]:
    """Who reads each of the cameras."""
    with Redis.from_url(pair.settings.REDIS_URL.get_secret_value(), decode_responses=True) as redis:
        found = redis.mget([f"cv:lease:camera:{camera_id}" for camera_id in CAMERAS])
    return [str(holder) if holder else None for holder in found]


def test_the_relay_of_a_killed_replica_is_taken_over(bereaved: Bereaved) -> None:
    records, client = bereaved.pair.records, bereaved.survivor.client
    records.clear()
    image = base64_jpeg(astronaut())
    assert enroll(client, "EMP001", image).status_code == 200
    assert recognize(client, image).json()["employee_id"] == "EMP001"
    records.wait_until(lambda: records.count("event_outbox", "position IS NOT NULL") == 2)
    [port] = relay_ports(records)
    assert owns(bereaved.survivor, port)


def test_the_cameras_of_a_killed_replica_are_taken_over(bereaved: Bereaved) -> None:
    Records.wait_until(lambda: None not in holders(bereaved.pair) and len(set(holders(bereaved.pair))) == 1)
    client = bereaved.survivor.client
    for camera_id in CAMERAS:
        Records.wait_until(
            lambda camera_id=camera_id: (  # type: ignore[misc]
                client.get(f"/api/v1/cv/cameras/{camera_id}").json()["state"]["status"] == "streaming"
            )
        )
    assert "cv_cameras_held 2.0" in client.get("/api/v1/cv/metrics").text

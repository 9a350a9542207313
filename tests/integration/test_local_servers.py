"""The embedded servers lose nothing that they acknowledged, however they or their supervisor end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import grpc
import numpy as np
import psutil
import pytest
import redis
from dotenv import dotenv_values
from minio import Minio
from pymilvus import DataType, MilvusClient, MilvusException

from scripts.local.layout import PROJECT_DIR
from scripts.local.ports import LOOPBACK
from tests.backends import RunningBackends, folder_for_servers, running_backends, sweep_abandoned

pytestmark = pytest.mark.any_server

START_LIMIT_S = 90.0
DIMENSION = 64


@pytest.fixture(scope="module")
def backends() -> Iterator[RunningBackends]:
    """Servers of these tests' own: they are killed all the time, which the shared service need not see."""
    with running_backends() as running:
        yield running


async def test_postgres_keeps_what_it_committed(backends: RunningBackends) -> None:
    address = backends.new_database()
    connection = await asyncpg.connect(address)
    await connection.execute("CREATE TABLE kept (number integer)")
    await connection.executemany("INSERT INTO kept VALUES ($1)", [(number,) for number in range(100)])
    backends.kill("postgres")
    with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()
    backends.start("postgres")
    connection = await asyncpg.connect(address)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 100
    await connection.close()


async def test_postgres_folds_the_case_of_vietnamese_letters(backends: RunningBackends) -> None:
    connection = await asyncpg.connect(backends.settings["DATABASE_URL"])
    assert await connection.fetchval("SELECT lower('KHÁCH SẠN ĐÀ NẴNG')") == "khách sạn đà nẵng"
    await connection.close()


async def test_the_service_is_no_superuser(backends: RunningBackends) -> None:
    connection = await asyncpg.connect(backends.settings["DATABASE_URL"])
    assert not await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user")
    await connection.close()


async def test_postgres_wants_the_password(backends: RunningBackends) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(backends.settings["DATABASE_URL"].replace("cv_service:", "cv_service:not"))


async def test_frozen_postgres_takes_connections_and_answers_nothing(backends: RunningBackends) -> None:
    address = backends.settings["DATABASE_URL"]
    connection = await asyncpg.connect(address)
    with backends.frozen("postgres"):
        with pytest.raises(TimeoutError):
            await connection.fetchval("SELECT 1", timeout=0.2)
        with pytest.raises(TimeoutError):
            await asyncpg.connect(address, timeout=0.2)
    connection.terminate()
    connection = await asyncpg.connect(address)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


def milvus_client(backends: RunningBackends) -> MilvusClient:
    given = backends.settings
    return MilvusClient(
        uri=f"http://{LOOPBACK}:{backends.port('milvus')}",
        user=given["MILVUS_USER"],
        password=given["MILVUS_PASSWORD"],
        timeout=10,
    )


@pytest.mark.skipif("CV_TEST_MILVUS_PYTHON" in os.environ, reason="Milvus 2.3 takes no first password from us")
@pytest.mark.parametrize("login", [{}, {"user": "root", "password": "Milvus"}, {"token": "root"}])
def test_milvus_wants_the_password(backends: RunningBackends, login: dict[str, str]) -> None:
    with pytest.raises((MilvusException, grpc.RpcError)):
        MilvusClient(uri=f"http://{LOOPBACK}:{backends.port('milvus')}", timeout=2, **login).list_collections()
    assert isinstance(milvus_client(backends).list_collections(), list)


def test_milvus_keeps_inserts_and_deletions(backends: RunningBackends) -> None:
    client = milvus_client(backends)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIMENSION)
    index = client.prepare_index_params()
    index.add_index("embedding", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
    client.create_collection("durable", schema=schema, index_params=index)
    vectors = np.random.default_rng(7).normal(size=(300, DIMENSION)).astype(np.float32)
    for number, vector in enumerate(vectors):  # one by one, so that the buffer is written out several times
        client.insert("durable", [{"id": number, "embedding": vector.tolist()}])
    client.delete("durable", ids=[5, 150, 299])
    client.close()

    backends.kill("milvus")
    backends.start("milvus")

    client = milvus_client(backends)
    client.load_collection("durable")
    rows = client.query("durable", filter="id >= 0", output_fields=["id"], limit=1000)
    nearest = client.search("durable", data=[vectors[42].tolist()], limit=1)[0][0]["id"]
    client.drop_collection("durable")
    client.close()
    assert {row["id"] for row in rows} == set(range(300)) - {5, 150, 299}
    assert nearest == 42


def test_valkey_keeps_what_it_was_told_a_second_ago(backends: RunningBackends) -> None:
    with redis.Redis.from_url(backends.settings["REDIS_URL"]) as client:
        client.set("durable", "yes")
    backends.kill("valkey")  # the process dies, not the machine: what it wrote to its file is there
    backends.start("valkey")
    with redis.Redis.from_url(backends.settings["REDIS_URL"]) as client:
        assert client.get("durable") == b"yes"


def test_valkey_wants_the_password(backends: RunningBackends) -> None:
    with (
        redis.Redis(host=LOOPBACK, port=backends.port("valkey")) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.get("durable")


def storage_client(backends: RunningBackends, *, secret_key: str | None = None) -> Minio:
    settings = backends.settings
    return Minio(
        settings["MINIO_ENDPOINT"],
        access_key=settings["MINIO_ACCESS_KEY"],
        secret_key=secret_key or settings["MINIO_SECRET_KEY"],
        secure=False,
    )


def test_storage_keeps_objects(backends: RunningBackends) -> None:
    client = storage_client(backends)
    client.make_bucket("durable")
    client.put_object("durable", "a/b.jpg", io.BytesIO(b"photo"), 5, content_type="image/jpeg")
    backends.kill("objects")
    backends.start("objects")
    answer = storage_client(backends).get_object("durable", "a/b.jpg")
    try:
        assert answer.read() == b"photo"
        assert answer.headers["content-type"] == "image/jpeg"
    finally:
        answer.close()
        answer.release_conn()


def test_storage_checks_signatures(backends: RunningBackends) -> None:
    with pytest.raises(Exception, match="SignatureDoesNotMatch") as refused:
        storage_client(backends, secret_key="wrong").list_buckets()
    assert type(refused.value).__name__ == "S3Error"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with folder_for_servers() as folder:
        yield folder


class Supervisor:
    """``run_local.py --servers-only`` as its own process."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.output = data_dir / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until the servers are up."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "scripts/run_local.py", "--servers-only"],
                cwd=PROJECT_DIR,
                env=os.environ | {"CV_DATA_DIR": str(self._data_dir)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = self.process
        self.wait_until(lambda: process.poll() is not None or "settings that point" in self.output.read_text())
        assert process.poll() is None, self.output.read_text()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Look again and again; a failure shows what the supervisor said."""
        deadline_s = time.monotonic() + START_LIMIT_S
        while not condition():
            assert time.monotonic() < deadline_s, self.output.read_text()
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(START_LIMIT_S)

    def servers(self) -> list[psutil.Process]:
        """The processes that its pid files name."""
        return [
            psutil.Process(int(pid_file.read_text().split(":")[1].split(",")[0]))
            for pid_file in sorted((self._data_dir / "run").glob("*.pid"))
        ]

    def addresses(self) -> dict[str, str | None]:
        return dotenv_values(self._data_dir / "run" / "backends.env")


@pytest.fixture
def supervisor(data_dir: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(data_dir)
    yield supervisor
    if supervisor.process is not None and supervisor.process.poll() is None:
        supervisor.end(signal.SIGTERM)


async def test_supervisor_that_was_killed_leaves_nothing_that_a_new_start_cannot_take_over(
    supervisor: Supervisor,
) -> None:
    supervisor.start()
    first_addresses, first_servers = supervisor.addresses(), supervisor.servers()
    connection = await asyncpg.connect(first_addresses["DATABASE_URL"])
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    connection.terminate()
    assert supervisor.end(signal.SIGKILL) == -signal.SIGKILL
    assert [server.is_running() for server in first_servers] == [True] * 4

    supervisor.start()
    assert not any(server.is_running() for server in first_servers)
    assert supervisor.addresses() == first_addresses
    connection = await asyncpg.connect(first_addresses["DATABASE_URL"])
    assert await connection.fetchval("SELECT number FROM kept") == 1
    await connection.close()

    last_servers = supervisor.servers()
    assert supervisor.end(signal.SIGTERM) == 0
    assert not any(server.is_running() for server in last_servers)
    assert not supervisor.addresses()
    assert "nothing is left running" in supervisor.output.read_text()


def stop_by_command(data_dir: Path) -> str:
    done = subprocess.run(
        [sys.executable, "scripts/stop_local.py"],
        cwd=PROJECT_DIR,
        env=os.environ | {"CV_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=True,
    )
    return done.stdout


def test_make_stop_ends_a_run_and_what_a_killed_one_left(supervisor: Supervisor, data_dir: Path) -> None:
    supervisor.start()
    servers = supervisor.servers()
    assert "nothing is left running" in stop_by_command(data_dir)
    assert supervisor.process is not None
    assert supervisor.process.wait(START_LIMIT_S) == 0
    assert not any(server.is_running() for server in servers)

    supervisor.start()
    servers = supervisor.servers()
    supervisor.end(signal.SIGKILL)
    assert "left over from a run that was killed" in stop_by_command(data_dir)
    assert not any(server.is_running() for server in servers)
    assert stop_by_command(data_dir) == f"[stop] nothing runs over {data_dir}\n"


def test_what_a_killed_test_run_left_is_swept_away_after_an_hour(supervisor: Supervisor, data_dir: Path) -> None:
    supervisor.start()
    servers = supervisor.servers()
    supervisor.end(signal.SIGKILL)
    sweep_abandoned()
    assert all(server.is_running() for server in servers)
    two_hours_ago_s = time.time() - 7200
    os.utime(data_dir / "run", (two_hours_ago_s, two_hours_ago_s))
    sweep_abandoned()
    assert not any(server.is_running() for server in servers)
    assert not data_dir.exists()


def test_supervisor_restarts_a_server_on_the_same_port(supervisor: Supervisor) -> None:
    supervisor.start()
    with redis.Redis.from_url(str(supervisor.addresses()["REDIS_URL"])) as client:
        client.set("durable", "yes")
        for server in supervisor.servers():
            if "valkey" in server.name():
                server.kill()
        supervisor.wait_until(lambda: "Valkey ended with code -9" in supervisor.output.read_text())
        supervisor.wait_until(lambda: answers(client))
        assert client.get("durable") == b"yes"
    assert supervisor.end(signal.SIGINT) == 0


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_second_run_on_the_same_data_is_refused_in_one_line(supervisor: Supervisor, data_dir: Path) -> None:
    supervisor.start()
    second = subprocess.run(
        [sys.executable, "scripts/run_local.py", "--servers-only"],
        cwd=PROJECT_DIR,
        env=os.environ | {"CV_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "in use by another run" in second.stderr

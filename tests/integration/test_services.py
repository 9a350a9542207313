"""The contract of the adapters of PostgreSQL, Redis and the object store, on real servers; Milvus and RabbitMQ have
files of their own. Each: does its work, keeps its time limit, says ``BackendUnavailable``, and heals."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import httpx
import pytest

from app.errors import BackendUnavailable, DiskFull, NotFound, SchemaMissing
from app.services.cache import Cache
from app.services.calls import backend_call
from app.services.database import PROOF_OF_LIFE_S, Database, affected
from app.services.storage import ObjectStorage
from app.services.stores.face_store import lock_enrolments
from app.services.stores.schema import DatabaseProbe, older_revisions
from app.utils import metrics
from tests.backends import BackendName, RunningBackends
from tests.integration.live import migrate
from tests.waiting import PATIENCE_S, recovers

TIMEOUT_S = 1.0
Ping = Callable[[], Awaitable[None]]


@pytest.fixture
async def database(backends: RunningBackends) -> AsyncIterator[Database]:
    database = Database(backends.new_database(), max_size=4, timeout_s=TIMEOUT_S)
    await database.open()
    await database.execute("CREATE TABLE things (id INT PRIMARY KEY, data JSONB)")
    yield database
    await database.close()


@pytest.fixture
async def cache(backends: RunningBackends) -> AsyncIterator[Cache]:
    cache = Cache(backends.settings["REDIS_URL"], ttl_s=60, timeout_s=TIMEOUT_S, pause_s=0.2)
    yield cache
    await cache.close()


def storage_on(backends: RunningBackends, *, endpoint: str = "", **changes: object) -> ObjectStorage:
    settings = backends.settings
    options: dict[str, Any] = {
        "access_key": settings["MINIO_ACCESS_KEY"],
        "secret_key": settings["MINIO_SECRET_KEY"],
        "bucket": f"test-{uuid.uuid4().hex[:12]}",
        "secure": False,
        "region": "us-east-1",
        "timeout_s": TIMEOUT_S,
    }
    return ObjectStorage(endpoint or settings["MINIO_ENDPOINT"], **{**options, **changes})


@pytest.fixture
async def storage(backends: RunningBackends) -> AsyncIterator[ObjectStorage]:
    storage = storage_on(backends)
    yield storage
    await storage.close()


async def refuses(ping: Ping) -> None:
    """It fails as it should, and by its own time limit: a call without one would hang until ours ends it."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(BackendUnavailable):
            await ping()


@pytest.mark.parametrize("name", ["postgres", "valkey", "objects"])
@pytest.mark.parametrize("outage", ["stopped", "frozen"])
async def test_an_outage_is_told_in_time_and_healed(
    name: BackendName,
    outage: str,
    backends: RunningBackends,
    database: Database,
    cache: Cache,
    storage: ObjectStorage,
) -> None:
    ping = {"postgres": database.ping, "valkey": cache.ping, "objects": storage.ping}[name]
    await ping()
    with backends.without(name) if outage == "stopped" else backends.frozen(name):
        await refuses(ping)
    await recovers(ping)


# PostgreSQL


async def test_what_was_committed_is_there_and_documents_come_back_as_they_went(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO things VALUES (1, $1)", {"name": "Nguyễn", "list": [1, None]})
    row = await database.fetch_one("SELECT data FROM things")
    assert row is not None
    assert row["data"] == {"name": "Nguyễn", "list": [1, None]}


async def test_a_block_that_raises_commits_nothing(database: Database) -> None:
    async def insert_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO things VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await insert_and_fail()
    assert await database.fetch("SELECT * FROM things") == []


async def test_a_block_that_takes_too_long_commits_nothing(database: Database) -> None:
    async def insert_and_dawdle() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO things VALUES (1)")
            await asyncio.sleep(5 * TIMEOUT_S)

    with pytest.raises(BackendUnavailable):
        await insert_and_dawdle()
    assert await database.fetch("SELECT * FROM things") == []


async def test_a_wrong_statement_is_a_bug_and_no_outage(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await database.fetch("SELECT nothing_of_that_name(1)")


async def test_a_missing_table_says_that_the_schema_is_missing(database: Database) -> None:
    with pytest.raises(SchemaMissing):
        await database.fetch("SELECT * FROM nothing_of_that_name")


async def test_a_full_disk_is_told_by_name(database: Database) -> None:
    with pytest.raises(DiskFull):
        await database.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$")


@pytest.fixture
async def migrated(backends: RunningBackends) -> AsyncIterator[Database]:
    """A database with our tables."""
    url = backends.new_database()
    migrate(url)
    database = Database(url, max_size=4, timeout_s=TIMEOUT_S)
    await database.open()
    yield database
    await database.close()


async def test_a_database_that_reads_and_takes_no_writes_is_unwell(migrated: Database) -> None:
    name = (await migrated.fetch("SELECT current_database() AS name"))[0]["name"]
    await DatabaseProbe(migrated, older=set()).look()
    before = await migrated.fetch("SELECT pg_database_size(current_database()) AS bytes")
    await migrated.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await migrated.close()
    await migrated.open()
    probe = DatabaseProbe(migrated, older=set())
    for _ in range(2):  # the failure is no news only once
        with pytest.raises(BackendUnavailable):
            await probe.look()
    assert await migrated.fetch("SELECT pg_database_size(current_database()) AS bytes") == before


async def test_tables_of_an_older_version_are_told(migrated: Database) -> None:
    [head] = [row["version_num"] for row in await migrated.fetch("SELECT version_num FROM cv_alembic_version")]
    assert head not in older_revisions()
    await DatabaseProbe(migrated, older=older_revisions()).look()
    await migrated.execute("UPDATE cv_alembic_version SET version_num = '0009'")
    with pytest.raises(SchemaMissing):
        await DatabaseProbe(migrated, older=older_revisions()).look()
    await migrated.execute("UPDATE cv_alembic_version SET version_num = 'of-tomorrow'")
    await DatabaseProbe(migrated, older=older_revisions()).look()


async def test_a_time_limit_bounds_each_statement_and_not_their_sum(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO things VALUES (1)")
        for _ in range(4):
            await connection.execute("SELECT pg_sleep($1)", TIMEOUT_S / 2)
    assert len(await database.fetch("SELECT * FROM things")) == 1


async def test_the_backend_that_failed_is_named_and_no_other(database: Database) -> None:
    def errors_of(backend: str) -> float:
        return float(metrics.backend_errors_total.labels(backend)._value.get())

    async def ask_another_inside() -> None:
        async with (
            database.transaction() as connection,
            backend_call("vector_db", timeout_s=TIMEOUT_S / 5, failures=()),
        ):
            await connection.execute("INSERT INTO things VALUES (1)")
            await asyncio.sleep(TIMEOUT_S)

    before = {name: errors_of(name) for name in ("database", "vector_db")}
    with pytest.raises(BackendUnavailable) as failure:
        await ask_another_inside()
    assert failure.value.backend == "vector_db"
    assert {name: errors_of(name) - count for name, count in before.items()} == {"database": 0, "vector_db": 1}
    assert await database.fetch("SELECT * FROM things") == []


async def test_the_server_ends_a_statement_and_the_connection_remains(database: Database) -> None:
    async with database.connection() as connection:
        process = await connection.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(BackendUnavailable) as failure:
            await connection.execute("SELECT pg_sleep($1)", 10 * TIMEOUT_S)
        assert failure.value.backend == "database"
        assert await connection.fetchval("SELECT pg_backend_pid()") == process


async def test_who_waits_for_a_lock_hears_so_in_time_and_goes_on(database: Database) -> None:
    async with database.transaction() as first, database.connection() as second:
        await first.execute("SELECT pg_advisory_xact_lock(7)")
        with pytest.raises(BackendUnavailable):
            await second.execute("SELECT pg_advisory_lock(7)")
        assert await second.fetchval("SELECT 1") == 1


SETTINGS = {
    "lock_timeout": "800ms",
    "statement_timeout": "900ms",
    "idle_in_transaction_session_timeout": "2s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}


async def test_every_connection_has_the_servers_limits(database: Database) -> None:
    async with database.connection() as pooled, database.dedicated_connection() as dedicated:
        for connection in (pooled, dedicated):
            assert {name: await connection.fetchval(f"SHOW {name}") for name in SETTINGS} == SETTINGS
        idle = await dedicated.fetchval("SELECT setting::int FROM pg_settings WHERE name = 'idle_session_timeout'")
        assert 2000 * PROOF_OF_LIFE_S < idle <= 20_000


_HOLDER = """
import asyncio, sys
from app.services.database import Database
from app.services.stores import face_store

async def hold():
    database = Database(sys.argv[1], max_size=1, timeout_s=float(sys.argv[2]))
    await database.open()
    async with database.transaction() as connection:
        await face_store.lock_enrolments(connection)
        print("locked", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


async def test_a_frozen_process_loses_its_locks(backends: RunningBackends) -> None:
    url = backends.new_database()
    database = Database(url, max_size=1, timeout_s=TIMEOUT_S)
    await database.open()
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, url, str(TIMEOUT_S), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"locked\n"
        holder.send_signal(signal.SIGSTOP)

        async def lock() -> None:
            async with database.transaction() as connection:
                await lock_enrolments(connection)

        with pytest.raises(BackendUnavailable):
            await lock()
        await recovers(lock)
    finally:
        holder.kill()
        await holder.wait()
        await database.close()


async def test_a_listener_hears_of_notifications_and_of_its_end(database: Database) -> None:
    async with database.dedicated_connection() as listener:
        heard = asyncio.Event()
        await listener.listen("cv_things", heard.set)
        await database.execute("SELECT pg_notify('cv_things', '')")
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        heard.clear()
        process = await listener.fetchval("SELECT pg_backend_pid()")
        await database.execute("SELECT pg_terminate_backend($1)", process)
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        assert listener.is_closed
        with pytest.raises(BackendUnavailable):
            await listener.ping()


async def test_more_callers_than_connections_wait_their_turn(database: Database) -> None:
    answers = await asyncio.gather(*(database.fetch_one("SELECT $1::int AS n", n) for n in range(20)))
    assert [row["n"] for row in answers if row] == list(range(20))


def test_affected_rows_are_read_from_the_status() -> None:
    assert [affected(status) for status in ("DELETE 3", "INSERT 0 1", "UPDATE 0")] == [3, 1, 0]


# Redis


async def test_values_are_kept_until_they_expire_or_are_deleted(cache: Cache) -> None:
    key = uuid.uuid4().hex
    assert await cache.get(key) is None
    await cache.set(key, "giá trị", ttl_s=30)
    assert await cache.get(key) == "giá trị"
    assert 0 < await cache.client.pttl(cache.PREFIX + key) <= 30_000
    await cache.delete(key)
    assert await cache.get(key) is None
    await cache.set(key, "brief", ttl_s=0.001)
    await asyncio.sleep(0.05)
    assert await cache.get(key) is None


async def test_forgiving_calls_are_silent_while_redis_is_down(cache: Cache, backends: RunningBackends) -> None:
    key = uuid.uuid4().hex
    with backends.without("valkey"):
        await cache.remember(key, "lost")
        await cache.forget(key)
        assert await cache.find(key) is None
    await recovers(cache.ping)
    assert await cache.find(key) is None


# Objects


async def test_an_object_comes_back_until_it_is_deleted(storage: ObjectStorage) -> None:
    await storage.put("faces/a.jpg", b"photo", content_type="image/jpeg")
    await storage.put("faces/a.jpg", b"better photo", content_type="image/jpeg")
    assert await storage.get("faces/a.jpg") == b"better photo"
    await storage.delete_all(["faces/a.jpg", "faces/never-there.jpg"])
    with pytest.raises(NotFound):
        await storage.get("faces/a.jpg")


async def test_before_the_first_write_there_is_nothing(storage: ObjectStorage) -> None:
    assert await storage.list_keys("faces/") == []
    await storage.delete("faces/a.jpg")
    with pytest.raises(NotFound):
        await storage.get("faces/a.jpg")


class _FullStore(BaseHTTPRequestHandler):
    """Says of each bucket that it is there, and has no room, as MinIO with a full disk does."""

    has_room = False

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_DELETE(self) -> None:
        self._answer(204, b"")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        full = b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"
        self._answer(200, b"") if self.has_room else self._answer(507, full)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Nothing, in place of a line on stderr."""


async def test_a_store_without_room_is_unwell_from_the_first_failed_write(
    backends: RunningBackends, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _FullStore) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        storage = storage_on(backends, endpoint=f"127.0.0.1:{server.server_address[1]}")
        await storage.ping()
        with pytest.raises(BackendUnavailable):
            await storage.put("a.jpg", b"x", content_type="image/jpeg")
        with pytest.raises(BackendUnavailable):
            await storage.ping()
        monkeypatch.setattr(_FullStore, "has_room", True)
        await storage.ping()
        await storage.close()
        server.shutdown()


async def test_keys_are_listed_below_their_prefix(storage: ObjectStorage) -> None:
    for key in ("faces/a.jpg", "faces/b/c.jpg", "rooms/a.jpg"):
        await storage.put(key, b"x", content_type="image/jpeg")
    assert sorted(await storage.list_keys("faces/")) == ["faces/a.jpg", "faces/b/c.jpg"]


async def test_a_presigned_address_opens_that_object_alone(storage: ObjectStorage) -> None:
    await storage.put("a.jpg", b"mine", content_type="image/jpeg")
    await storage.put("b.jpg", b"other", content_type="image/jpeg")
    address = storage.presigned_url("a.jpg", lifetime_s=60)
    async with httpx.AsyncClient() as client:
        assert (await client.get(address)).content == b"mine"
        assert (await client.get(address.replace("a.jpg", "b.jpg"))).status_code == 403
        assert (await client.get(address.partition("?")[0])).status_code == 403


async def test_a_wrong_secret_is_an_outage_that_names_no_secret(backends: RunningBackends) -> None:
    storage = storage_on(backends, secret_key="not-the-secret")
    with pytest.raises(BackendUnavailable) as refused:
        await storage.put("a.jpg", b"x", content_type="image/jpeg")
    assert "not-the-secret" not in json.dumps([refused.value.message, str(refused.value.__cause__)])
    await storage.close()

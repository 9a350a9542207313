"""Announcements, claims and the worker that removes what nobody claims, over a real PostgreSQL and object store."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from app.errors import BackendUnavailable, NotAllRemoved
from app.services.database import Database
from app.services.stores import removals
from app.services.stores.removals import AnnouncementLapsed, Kind
from app.utils import metrics
from app.workflows.announcements import announced
from app.workflows.removal import RemovalWorker
from tests.backends import RunningBackends
from tests.integration.live import migrated_database
from tests.integration.test_services import storage_on
from tests.proxy import TcpProxy

pytestmark = pytest.mark.any_server

TIMEOUT_S = 3.0
# Generous on a busy machine; one call after another would take five times as long.
SECONDS = 60.0


@pytest.fixture(scope="module")
def database_url(backends: RunningBackends) -> str:
    return migrated_database(backends)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, max_size=4, timeout_s=TIMEOUT_S)
    await database.open()
    await database.execute("TRUNCATE pending_removals")
    yield database
    await database.close()


class Backend:
    """Removes with a delay, or not at all."""

    def __init__(self, *, delay_s: float = 0.0, hangs: bool = False, refuses: Sequence[str] = ()) -> None:
        self.removed: Counter[str] = Counter()
        self._delay_s = delay_s
        self._hangs = hangs
        self._refuses = set(refuses)

    async def remove(self, keys: Sequence[str]) -> None:
        await asyncio.sleep(self._delay_s)
        if self._hangs:
            raise BackendUnavailable("vector_db")
        self.removed.update(set(keys) - self._refuses)
        if left := self._refuses.intersection(keys):
            raise NotAllRemoved("storage", left)


async def schedule(database: Database, kind: Kind, keys: Sequence[str]) -> None:
    async with database.connection() as connection:
        await removals.schedule_removals(connection, kind, keys)


async def listed(database: Database) -> dict[str, int]:
    """The attempts at each, by key."""
    return {row["key"]: row["attempts"] for row in await database.fetch("SELECT key, attempts FROM pending_removals")}


def gauge() -> float:
    return float(metrics.cleanup_backlog._value.get())


@pytest.mark.parametrize("delay_s", [0.025, 0.2])
async def test_a_backend_that_hangs_keeps_nothing_of_the_others(
    delay_s: float, database: Database, backends: RunningBackends
) -> None:
    keys = [f"rooms/201/{uuid.uuid4()}.jpg" for _ in range(500)]
    vectors = [f"vec_{number}" for number in range(300)]
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    hung, images = Backend(delay_s=2.0, hangs=True), Backend(delay_s=delay_s)
    async with TcpProxy(backends.port("objects")) as proxy:
        near = storage_on(backends, bucket=bucket, timeout_s=TIMEOUT_S)
        far = storage_on(backends, endpoint=f"127.0.0.1:{proxy.port}", bucket=bucket, timeout_s=TIMEOUT_S)
        await asyncio.gather(*(near.put(key, b"x", content_type="image/jpeg") for key in keys[::25]))
        await schedule(database, Kind.OBJECT, keys)
        await schedule(database, Kind.IMAGE_VECTOR, ["vec_img"])
        await schedule(database, Kind.FACE_VECTOR, vectors)
        proxy.delay(delay_s)
        worker = RemovalWorker(
            database,
            {Kind.FACE_VECTOR: hung.remove, Kind.OBJECT: far.delete_all, Kind.IMAGE_VECTOR: images.remove},
        )
        metrics.cleanup_backlog.set(-1)
        step = asyncio.create_task(worker.step())
        async with asyncio.timeout(SECONDS):
            while gauge() < 0:  # noqa: ASYNC110  # a gauge sends no signal
                await asyncio.sleep(0.001)
            assert gauge() == 801  # before anything was done
            while set(await listed(database)) - set(vectors):  # noqa: ASYNC110  # nor does another connection
                await asyncio.sleep(0.02)
            await step
        assert await near.list_keys("rooms/") == []
        assert images.removed == {"vec_img": 1}
        # A batch of the hung backend's was tried once, and the rest is as it was.
        assert Counter((await listed(database)).values()) == {1: 200, 0: 100}
        assert gauge() == 300
        # Two seconds after the attempt, which took two.
        soon = "SELECT 1 FROM pending_removals WHERE attempts = 1 AND retry_at < created_at + INTERVAL '3 s'"
        assert await database.fetch(soon) == []
        await near.close()
        await far.close()


async def test_two_workers_remove_each_thing_once(database: Database) -> None:
    keys = [f"key_{number}" for number in range(450)]
    await schedule(database, Kind.OBJECT, keys)
    backend = Backend(delay_s=0.02)
    await asyncio.gather(*(RemovalWorker(database, {Kind.OBJECT: backend.remove}).step() for _ in range(2)))
    assert backend.removed == Counter(keys)
    assert await listed(database) == {}


async def test_what_a_backend_refuses_is_postponed_alone_and_later_each_time(database: Database) -> None:
    await schedule(database, Kind.OBJECT, ["good", "bad"])
    worker = RemovalWorker(database, {Kind.OBJECT: Backend(refuses=["bad"]).remove})
    waits = []
    for _ in range(4):
        await worker.step()
        [row] = await database.fetch(
            "SELECT key, EXTRACT(EPOCH FROM retry_at - NOW())::float AS s FROM pending_removals"
        )
        assert row["key"] == "bad"
        waits.append(row["s"])
        assert gauge() == 1
        await database.execute("UPDATE pending_removals SET retry_at = NOW()")
    assert [round(wait) in (expected - 1, expected) for wait, expected in zip(waits, (2, 4, 8, 16), strict=True)] == [
        True
    ] * 4
    assert await listed(database) == {"bad": 4}


async def test_what_a_worker_took_that_died_is_due_after_its_lease(database: Database) -> None:
    await schedule(database, Kind.OBJECT, ["key"])
    async with database.connection() as connection:
        assert len(await removals.take_removals(connection, Kind.OBJECT, limit=10, lease_s=60)) == 1
        assert await removals.take_removals(connection, Kind.OBJECT, limit=10, lease_s=60) == []
        assert await removals.count_removals(connection) == 1
        await connection.execute("UPDATE pending_removals SET retry_at = retry_at - INTERVAL '60 s'")
    await RemovalWorker(database, {Kind.OBJECT: Backend().remove}).step()
    assert await listed(database) == {}


async def test_what_was_removed_while_postgresql_went_away_is_struck_off_in_the_next_step(
    database_url: str, database: Database
) -> None:
    await schedule(database, Kind.OBJECT, ["good", "bad"])
    workers_own = Database(database_url, max_size=1, timeout_s=TIMEOUT_S)
    await workers_own.open()

    async def remove_as_postgresql_goes(keys: Sequence[str]) -> None:
        await workers_own.close()
        raise NotAllRemoved("storage", set(keys) - {"good"})

    worker = RemovalWorker(workers_own, {Kind.OBJECT: remove_as_postgresql_goes})
    with pytest.raises(BackendUnavailable):
        await worker.step()
    assert await listed(database) == {"good": 1, "bad": 1}
    await workers_own.open()
    await worker.step()  # neither is due: the lease of the first step is far from its end
    assert await listed(database) == {"bad": 1}
    assert await database.fetch("SELECT 1 FROM pending_removals WHERE retry_at < NOW() + INTERVAL '3 s'")
    await workers_own.close()


THINGS = {Kind.OBJECT: ["a.jpg", "b.jpg"], Kind.FACE_VECTOR: ["vec_a"]}


async def let_time_pass(database: Database) -> None:
    await database.execute("UPDATE pending_removals SET retry_at = NOW()")


async def remove_due(database: Database) -> Counter[str]:
    backend = Backend()
    await RemovalWorker(database, {Kind.OBJECT: backend.remove, Kind.FACE_VECTOR: backend.remove}).step()
    return backend.removed


async def test_what_is_claimed_stays(database: Database) -> None:
    async with announced(database, THINGS):
        async with database.connection() as connection:
            assert await removals.count_removals(connection) == 0
        assert await remove_due(database) == {}
        async with database.transaction() as connection:
            await removals.claim(connection, THINGS)
    assert await listed(database) == {}


async def test_a_claim_that_is_rolled_back_claims_nothing(database: Database) -> None:
    async def fail_after_the_claim() -> None:
        async with announced(database, THINGS), database.transaction() as connection:
            await removals.claim(connection, THINGS)
            raise BackendUnavailable("storage")

    with pytest.raises(BackendUnavailable):
        await fail_after_the_claim()
    [row] = await database.fetch("SELECT count(*) AS n, max(retry_at) < NOW() + '10 s' AS soon FROM pending_removals")
    assert (row["n"], row["soon"]) == (3, True)
    await let_time_pass(database)
    assert await remove_due(database) == {"a.jpg": 1, "b.jpg": 1, "vec_a": 1}


async def test_what_a_killed_process_announced_goes_in_its_time(database: Database) -> None:
    async with database.connection() as connection:
        await removals.announce(connection, THINGS)
    assert await remove_due(database) == {}
    [row] = await database.fetch("SELECT min(retry_at) > NOW() + '9 min' AS later FROM pending_removals")
    assert row["later"]
    await let_time_pass(database)
    assert await remove_due(database) == {"a.jpg": 1, "b.jpg": 1, "vec_a": 1}


async def test_what_is_being_removed_can_be_claimed_no_more_and_goes_again(database: Database) -> None:
    async def store_too_slowly() -> None:
        async with announced(database, THINGS):
            await let_time_pass(database)
            assert sum((await remove_due(database)).values()) == 3
            async with database.transaction() as connection:
                await connection.execute("CREATE TABLE written (id INT)")
                await removals.claim(connection, THINGS)

    with pytest.raises(AnnouncementLapsed):
        await store_too_slowly()
    assert (await database.fetch("SELECT to_regclass('written') AS t"))[0]["t"] is None
    # They may have been stored after the first removal.
    assert await remove_due(database) == {"a.jpg": 1, "b.jpg": 1, "vec_a": 1}


async def test_a_lost_answer_to_the_commit_takes_nothing_away(database: Database) -> None:
    async def commit_and_lose_the_answer() -> None:
        async with announced(database, THINGS):
            async with database.transaction() as connection:
                await removals.claim(connection, THINGS)
            raise BackendUnavailable("database")

    with pytest.raises(BackendUnavailable):
        await commit_and_lose_the_answer()
    await let_time_pass(database)
    assert await remove_due(database) == {}


async def test_nothing_is_announced_where_nothing_is_stored(database: Database) -> None:
    async with announced(database, {Kind.OBJECT: []}):
        assert await listed(database) == {}

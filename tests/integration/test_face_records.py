"""What enrolling and erasing leave in the backends: in the hotel's own tables, in the object store, and meanwhile."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import numpy as np
import pytest

from app.composition.backends import open_storage, open_vault
from app.config import Settings
from app.services.database import Connection
from app.services.stores.face_store import Template, add_templates, lock_enrolments
from tests.backends import BackendName, RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, portrait, varied
from tests.waiting import PATIENCE_S

API = "/api/v1/cv/face"


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_where_the_hotel_has_employees_unknown_ones_are_refused_and_its_rows_stay(
    start_service: Start, backends: RunningBackends
) -> None:
    url = backends.new_database()
    execute(url, "CREATE TABLE employees (id VARCHAR(20) PRIMARY KEY, name TEXT, salary INT)")
    migrate(url)
    with start_service(DATABASE_URL=url) as service:
        client, records = service.client, service.records
        execute(url, "INSERT INTO employees VALUES ('EMP001', 'Of the hotel', 7)")

        refused = enroll(client, "EMP404", base64_jpeg(astronaut()))
        assert (refused.status_code, refused.json()["code"]) == (404, "employee_unknown")
        assert records.count("employee_faces") == 0
        records.wait_until(lambda: records.vectors() == [])

        assert enroll(client, "EMP001", base64_jpeg(astronaut())).status_code == 200
        assert recognize(client, base64_jpeg(astronaut())).json()["employee_name"] == "Of the hotel"
        assert client.delete(f"{API}/EMP001").status_code == 200
        assert records.rows("SELECT * FROM employees") == [{"id": "EMP001", "name": "Of the hotel", "salary": 7}]


def crops(settings: Settings) -> list[str]:
    """The kept crops of faces, as the object store has them."""

    async def look() -> list[str]:
        storage = open_storage(settings)
        try:
            return await storage.list_keys("faces/")
        finally:
            await storage.close()

    return asyncio.run(look())


def test_erasing_and_replacing_take_the_crops_too(start_service: Start) -> None:
    with start_service(FACE_KEEP_CROPS=True, MINIO_BUCKET="crops-of-this-test") as service:
        client, records = service.client, service.records
        first = enroll(client, "EMP001", base64_jpeg(astronaut())).json()["vector_ids"]
        assert crops(service.settings) == [f"faces/{first[0]}.jpg"]
        second = enroll(client, "EMP001", base64_jpeg(varied(astronaut())), replace_existing=True).json()["vector_ids"]
        records.wait_until(lambda: crops(service.settings) == [f"faces/{second[0]}.jpg"])
        client.delete(f"{API}/EMP001")
        records.wait_until(lambda: crops(service.settings) == [] and records.vectors() == [])
        records.wait_until(lambda: records.count("pending_removals") == 0)


@pytest.fixture
def kept(start_service: Start) -> Iterator[Service]:
    """A service that keeps crops, with one person enrolled."""
    with start_service(FACE_KEEP_CROPS=True, MINIO_BUCKET=f"kept-{uuid.uuid4().hex[:12]}") as service:
        assert enroll(service.client, "EMP001", base64_jpeg(astronaut())).status_code == 200
        yield service


def assert_only_the_first_is_stored(service: Service) -> None:
    """Nothing is left of a failed enrolment: in no backend, and not on the list of what has to go."""
    records = service.records
    [first] = records.rows("SELECT vector_id, crop_key FROM face_templates")
    # A server that takes a minute to come back is asked again half a minute later.
    records.wait_until(lambda: records.count("pending_removals") == 0)
    assert records.vectors() == [first["vector_id"]]
    assert crops(service.settings) == [first["crop_key"]]
    assert records.count("employee_faces") == records.count("employees") == 1


@pytest.mark.parametrize("name", ["milvus", "objects", "postgres"])
def test_an_enrolment_without_a_backend_leaves_nothing(
    kept: Service, backends: RunningBackends, name: BackendName
) -> None:
    with backends.without(name):
        answer = enroll(kept.client, "EMP002", base64_jpeg(portrait(1)))
        assert (answer.status_code, answer.json()["code"]) == (503, "backend_unavailable")
    assert_only_the_first_is_stored(kept)
    Records.wait_until(lambda: enroll(kept.client, "EMP002", base64_jpeg(portrait(1))).status_code == 200)


def test_an_enrolment_whose_database_goes_away_in_the_middle_leaves_nothing(kept: Service) -> None:
    records = kept.records
    records.rows(
        "CREATE FUNCTION go_away() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    records.rows("CREATE TRIGGER gone BEFORE INSERT ON face_templates FOR EACH ROW EXECUTE FUNCTION go_away()")
    answer = enroll(kept.client, "EMP002", base64_jpeg(portrait(1)))
    assert (answer.status_code, answer.json()["code"]) == (503, "backend_unavailable")
    assert "database" in answer.json()["detail"]
    assert records.count("pending_removals", "announced") == 2
    records.rows("DROP TRIGGER gone ON face_templates")
    assert_only_the_first_is_stored(kept)


def test_an_enrolment_refused_for_a_duplicate_leaves_nothing(kept: Service) -> None:
    refused = enroll(kept.client, "EMP002", base64_jpeg(varied(astronaut())))
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_identity")
    assert_only_the_first_is_stored(kept)


def test_what_the_record_refuses_is_not_even_stored(kept: Service) -> None:
    refused = enroll(kept.client, "EMP001", base64_jpeg(portrait(1)))
    assert (refused.status_code, refused.json()["code"]) == (409, "face_mismatch")
    assert kept.records.count("pending_removals") == 0
    assert len(kept.records.vectors()) == len(crops(kept.settings)) == 1


def test_an_enrolment_whose_process_is_killed_leaves_nothing_for_good(kept: Service, backends: RunningBackends) -> None:
    records = kept.records
    with records.separate_process() as (process, client), ThreadPoolExecutor(1) as threads:
        with backends.frozen("objects"):
            answer = threads.submit(enroll, client, "EMP002", base64_jpeg(portrait(1)))
            records.wait_until(lambda: len(records.vectors()) == 2)
            process.kill()
            assert isinstance(answer.exception(timeout=30), httpx.HTTPError)
        assert records.count("pending_removals", "announced") == 2
    records.rows("UPDATE pending_removals SET retry_at = NOW()")  # ten minutes later
    assert_only_the_first_is_stored(kept)


def test_erasing_waits_for_no_enrolment_of_another(kept: Service) -> None:
    async def erase_meanwhile() -> httpx.Response:
        connection = await asyncpg.connect(kept.settings.DATABASE_URL.get_secret_value())
        try:
            async with connection.transaction():
                await lock_enrolments(Connection(connection, timeout_s=PATIENCE_S, vault=open_vault(kept.settings)))
                return await asyncio.to_thread(kept.client.delete, f"{API}/EMP001")
        finally:
            await connection.close()

    assert asyncio.run(erase_meanwhile()).status_code == 200


def test_reconciling_waits_for_an_enrolment_under_way(
    settings: Settings, client: httpx.Client, records: Records
) -> None:
    assert enroll(client, "EMP001", base64_jpeg(astronaut())).status_code == 200

    async def enrol_slowly() -> str:
        async with asyncpg.create_pool(settings.DATABASE_URL.get_secret_value(), min_size=1, max_size=1) as pool:
            async with pool.acquire() as connection, connection.transaction():
                await lock_enrolments(Connection(connection, timeout_s=PATIENCE_S, vault=open_vault(settings)))
                records.insert_vector("vec_under_way", "EMP001")
                looking = asyncio.create_task(asyncio.to_thread(records.reconcile))
                await asyncio.to_thread(records.wait_until, lambda: waiting_for_a_lock(records))
                template = Template("vec_under_way", np.zeros(512, np.float32), "test", 0.5, "frontal")
                await add_templates(
                    Connection(connection, timeout_s=PATIENCE_S, vault=open_vault(settings)),
                    "EMP001",
                    [template],
                    enrolled_by=None,
                )
            return (await looking).stdout

    assert "orphan vectors: 0" in asyncio.run(enrol_slowly())


def waiting_for_a_lock(records: Records) -> bool:
    return bool(records.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def test_somebody_whose_templates_are_being_replaced_is_recognised_all_the_while(
    client: httpx.Client, records: Records
) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(1)))
    probe, stop, answers = base64_jpeg(varied(portrait(1))), threading.Event(), list[str | None]()

    def keep_asking() -> None:
        while not stop.is_set():
            answers.append(recognize(client, probe).json().get("employee_id"))

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(keep_asking) for _ in range(2)]
        try:
            for _ in range(8):
                replaced = enroll(client, "EMP001", base64_jpeg(portrait(1)), replace_existing=True)
                assert replaced.status_code == 200
        finally:
            stop.set()
        for job in asking:
            job.result()
    assert set(answers) == {"EMP001"}
    assert records.count("face_templates") == 1

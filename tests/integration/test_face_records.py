"""What enrolling and erasing leave in the backends: in the hotel's own tables, in the object store, and meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import numpy as np

from app.composition.backends import open_storage
from app.config import Settings
from app.services.stores.face_store import Template, add_templates, lock_enrolments
from tests.backends import RunningBackends
from tests.integration.conftest import Start
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, portrait, varied

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


def test_reconciling_waits_for_an_enrolment_under_way(
    settings: Settings, client: httpx.Client, records: Records
) -> None:
    assert enroll(client, "EMP001", base64_jpeg(astronaut())).status_code == 200

    async def enrol_slowly() -> str:
        connection = await asyncpg.connect(settings.DATABASE_URL.get_secret_value())
        try:
            async with connection.transaction():
                await lock_enrolments(connection)
                records.insert_vector("vec_under_way", "EMP001")
                looking = asyncio.create_task(asyncio.to_thread(records.reconcile))
                await asyncio.to_thread(records.wait_until, lambda: waiting_for_a_lock(records))
                template = Template("vec_under_way", np.zeros(512, np.float32), "test", 0.5, "frontal")
                await add_templates(connection, "EMP001", [template], enrolled_by=None)
            return (await looking).stdout
        finally:
            await connection.close()

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

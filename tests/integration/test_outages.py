"""Backends die while the service runs: what needs them answers 503, what does not goes on, and all recovers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from app.config import Settings
from app.types import Image
from tests.backends import BackendName, RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.live import serving
from tests.integration.records import Records
from tests.integration.test_api_face import FACING, enroll, recognize
from tests.photos import astronaut, base64_jpeg, portrait, varied

TIMEOUT_S = 2.0
# A call may run into the limit of one backend and, before that, wait for another's; a busy machine adds to both.
PATIENCE_S = 15.0


@pytest.fixture
def service(start_service: Start) -> Iterator[Service]:
    with start_service(BACKEND_TIMEOUT_S=TIMEOUT_S) as service:
        enrolled(service.client)
        yield service


def enrolled(client: httpx.Client, employee_id: str = "EMP001", image: Image | None = None) -> None:
    """Enrol somebody; just after an outage a call may run into its limit once more, and enrols nobody then."""
    photo = base64_jpeg(astronaut() if image is None else image)
    Records.wait_until(lambda: enroll(client, employee_id, photo).status_code == 200)


def ask(client: httpx.Client, *, camera_id: str = "door") -> httpx.Response:
    return recognize(client, base64_jpeg(varied(astronaut())), camera_id=camera_id)


def health(client: httpx.Client) -> dict[str, object]:
    answer: dict[str, object] = client.get("/api/v1/cv/health").json()
    return answer


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"].isdecimal()
    assert answer.json()["code"] == "backend_unavailable"
    assert answer.elapsed.total_seconds() < PATIENCE_S


def test_recognition_needs_the_record(service: Service, backends: RunningBackends) -> None:
    assert ask(service.client).json()["success"] is True
    with backends.without("postgres"):
        assert_unavailable(ask(service.client))
        assert_degraded_without("database", service)
    assert_all_is_well_again(service)


def test_recognition_goes_on_without_the_index(service: Service, backends: RunningBackends) -> None:
    with backends.without("milvus"):
        assert ask(service.client).json()["employee_id"] == "EMP001"
        body = {"image": base64_jpeg(varied(astronaut())), "employee_id": "EMP001", "check_liveness": False}
        assert service.client.post("/api/v1/cv/face/verify", json=body).json()["verified"] is True
        assert_degraded_without("vector_db", service)
        assert service.client.delete("/api/v1/cv/face/EMP001").status_code == 200
        assert ask(service.client).json()["error"] == "face_not_found"
    enrolled(service.client)
    assert_all_is_well_again(service)


@pytest.mark.parametrize("name", ["postgres", "milvus"])
def test_a_search_in_the_index_needs_both(start_service: Start, backends: RunningBackends, name: BackendName) -> None:
    with start_service(BACKEND_TIMEOUT_S=TIMEOUT_S, FACE_SEARCH="index") as service:
        enrolled(service.client)
        Records.wait_until(lambda: ask(service.client).status_code == 200)
        assert ask(service.client).json()["employee_id"] == "EMP001"
        with backends.without(name):
            assert_unavailable(ask(service.client))
        Records.wait_until(lambda: ask(service.client).status_code == 200)
        assert ask(service.client).json()["employee_id"] == "EMP001"


def assert_degraded_without(check: str, service: Service) -> None:
    """Nobody can be enrolled, and /health says why."""
    assert_unavailable(enroll(service.client, "EMP002", base64_jpeg(portrait(0))))
    Records.wait_until(lambda: health(service.client)["status"] == "degraded")
    told = health(service.client)
    assert told["checks"][check]["status"] == "error"  # type: ignore[index]
    assert service.client.get("/api/v1/cv/health/ready").status_code == 200
    assert service.client.get("/api/v1/cv/health/live").status_code == 200


def assert_all_is_well_again(service: Service) -> None:
    """It recognises and enrols, and says so."""
    Records.wait_until(lambda: ask(service.client).status_code == 200)
    assert ask(service.client).json()["employee_id"] == "EMP001"
    enrolled(service.client, "EMP002", portrait(0))
    Records.wait_until(lambda: health(service.client)["status"] == "healthy")


def test_without_redis_everything_is_still_right(service: Service, backends: RunningBackends) -> None:
    with backends.without("valkey"):
        first = ask(service.client, camera_id="yard").json()
        again = ask(service.client, camera_id="yard").json()
        assert first["success"] is True
        assert "event_id" in first
        assert again["warnings"] == ["attendance_debounced"]
        assert enroll(service.client, "EMP002", base64_jpeg(portrait(0))).status_code == 200
        Records.wait_until(lambda: health(service.client)["status"] == "degraded")
    Records.wait_until(lambda: health(service.client)["status"] == "healthy")
    assert len(service.records.events("attendance.events")) == 1


def test_without_the_object_store_faces_go_on(service: Service, backends: RunningBackends) -> None:
    with backends.without("objects"):
        assert ask(service.client).json()["success"] is True
        assert enroll(service.client, "EMP002", base64_jpeg(portrait(0))).status_code == 200
    Records.wait_until(lambda: health(service.client)["status"] == "healthy")


def test_crops_need_the_object_store_and_leave_nothing_half(start_service: Start, backends: RunningBackends) -> None:
    with start_service(BACKEND_TIMEOUT_S=TIMEOUT_S, FACE_KEEP_CROPS=True) as service:
        with backends.without("objects"):
            assert_unavailable(enroll(service.client, "EMP001", base64_jpeg(astronaut())))
            assert service.records.count("employee_faces") == 0
        answer = enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        assert answer.status_code == 200
        [row] = service.records.rows("SELECT crop_key FROM face_templates")
        assert row["crop_key"] == f"faces/{answer.json()['vector_ids'][0]}.jpg"
        Records.wait_until(lambda: service.records.count("pending_removals") == 0)


def test_an_enrolment_that_milvus_refuses_leaves_nobody_behind(service: Service, backends: RunningBackends) -> None:
    with backends.without("milvus"):
        assert_unavailable(enroll(service.client, "EMP002", base64_jpeg(portrait(1))))
        assert service.records.count("employee_faces", "employee_id = 'EMP002'") == 0
        assert service.records.count("employees", "id = 'EMP002'") == 0


def test_erasing_without_milvus_counts_at_once_and_is_finished_later(
    service: Service, backends: RunningBackends
) -> None:
    with backends.without("milvus"):
        assert service.client.delete("/api/v1/cv/face/EMP001").status_code == 200
        assert service.records.count("employee_faces") == 0
        assert service.records.count("pending_removals") == 1
    Records.wait_until(lambda: service.records.vectors() == [])
    Records.wait_until(lambda: service.records.count("pending_removals") == 0)
    # Milvus' first search after a restart may take longer than a call may: that is 503, and has no outcome.
    Records.wait_until(lambda: ask(service.client).status_code == 200)
    assert ask(service.client).json()["error"] == "face_not_found"


@pytest.mark.parametrize("name", ["postgres", "milvus", "valkey", "objects"])
def test_kill_9_loses_nothing_that_was_acknowledged(
    service: Service, backends: RunningBackends, name: BackendName
) -> None:
    event_id = ask(service.client).json()["event_id"]
    backends.kill(name)
    backends.start(name)
    Records.wait_until(lambda: ask(service.client).status_code == 200)
    assert ask(service.client).json()["employee_id"] == "EMP001"
    assert [event["event_id"] for event in service.records.events("attendance.events")] == [event_id]


def test_the_service_starts_while_its_backends_are_down_and_recovers(
    settings: Settings, backends: RunningBackends, records: Records
) -> None:
    with ExitStack() as up_again:
        for name in ("milvus", "valkey", "objects"):
            up_again.enter_context(backends.without(name))
        with serving(settings) as client:
            assert health(client)["status"] == "degraded"
            assert client.get("/api/v1/cv/health/ready").status_code == 200
            up_again.close()
            Records.wait_until(lambda: health(client)["status"] == "healthy")
            enrolled(client, "EMP777", portrait(3))
            assert records.count("employee_faces") == 1


def test_a_half_done_enrolment_is_found_and_mended(service: Service) -> None:
    records = service.records
    [vector_id] = records.vectors()
    # What a crash between Milvus and PostgreSQL leaves, and what a lost index looks like.
    records.insert_vector("vec_orphan", "EMP009")
    records.delete_vector(vector_id)
    records.rows("UPDATE face_templates SET created_at = NOW() - INTERVAL '1 hour'")

    looked = records.reconcile()
    assert looked.returncode == 1
    assert "orphan vectors: 1: vec_orphan" in looked.stdout
    assert f"missing vectors: 1: {vector_id}" in looked.stdout
    assert "half enrolled: 0" in looked.stdout
    assert records.vectors() == ["vec_orphan"]

    assert records.reconcile("--mend", "--yes-delete", "1").returncode == 0
    assert records.vectors() == [vector_id]
    assert ask(service.client).json()["employee_id"] == "EMP001"


def test_a_service_killed_in_the_middle_of_enrolments_leaves_no_half_person(
    start_service: Start,
) -> None:
    with start_service() as service:
        records = service.records
        acknowledged: list[str] = []

        def enrol_until_killed(client: httpx.Client) -> None:
            with suppress(httpx.HTTPError):
                for person in FACING:
                    answer = enroll(client, f"E{person}", base64_jpeg(portrait(person)), allow_duplicate=True)
                    assert answer.status_code == 200
                    acknowledged.append(f"E{person}")

        with (
            records.slowed("face_templates", after=2),
            ThreadPoolExecutor(1) as thread,
            records.separate_process() as (process, client),
        ):
            enrolling = thread.submit(enrol_until_killed, client)
            records.wait_until(lambda: records.count("face_templates") >= 2)
            process.kill()
            enrolling.result()
        stored = {row["employee_id"] for row in records.rows("SELECT employee_id FROM employee_faces")}
        assert stored >= set(acknowledged)
        assert records.count("employee_faces") == records.count("face_templates")
        assert records.reconcile("--mend", "--yes-delete", "100000").returncode == 0


def test_a_command_waits_longer_for_a_backend_than_a_request(service: Service) -> None:
    looked = service.records.run("scripts/reconcile.py", BACKEND_TIMEOUT_S="0.001")
    assert looked.returncode == 0, looked.stderr


def test_reconciling_puts_the_records_vector_in_the_place_of_a_forged_one(service: Service) -> None:
    [vector_id] = service.records.vectors()
    service.records.insert_vector(vector_id, "EMP001")  # beside the right one
    looked = service.records.reconcile()
    assert looked.returncode == 1
    assert f"different vectors: 1: {vector_id}" in looked.stdout
    mended = service.records.reconcile("--mend")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert service.records.vectors() == [vector_id]
    assert "different vectors: 0" in service.records.reconcile().stdout

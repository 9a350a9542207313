"""Files, requests and clients that mean harm, against a whole service: their errors stay theirs."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, varied
from tests.unit.test_pdf import LINES, forms_that_draw_forms, text_page

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
HEIC = (Path(__file__).resolve().parents[1] / "fixtures" / "pictures" / "red_left.heic").read_bytes()


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    with start_service(OCR_ENABLED=True, SANDBOX_CPU_S=2, SANDBOX_WALL_S=30.0) as service:
        yield service


def read_invoice(service: Service, pdf: bytes) -> httpx.Response:
    return httpx.post(f"{service.client.base_url}{API}/ocr/invoice", files={"image": pdf}, timeout=120)


def test_check_ins_and_documents_go_on_beside_a_bomb(service: Service) -> None:
    photo = base64_jpeg(varied(astronaut()))
    enroll(service.client, "EMP001", base64_jpeg(astronaut()))
    answers: list[httpx.Response] = []
    bomb = threading.Thread(
        target=lambda: answers.append(read_invoice(service, forms_that_draw_forms(9, calls=10))), name="bomb"
    )
    bomb.start()
    check_ins = 0
    while bomb.is_alive():
        assert recognize(service.client, photo).json()["success"] is True
        check_ins += 1
    bomb.join()
    assert (answers[0].status_code, answers[0].json()["code"]) == (422, "document_too_complex")
    assert check_ins > 0
    harmless = read_invoice(service, text_page(LINES))
    assert harmless.status_code == 200
    assert harmless.json()["engine"] == "pdf_text"
    assert service.client.get(f"{API}/health/live").status_code == 200


@pytest.mark.parametrize("as_form", [True, False], ids=["form", "json"])
def test_a_heic_photo_is_indexed_like_any_other(service: Service, as_form: bool) -> None:
    if as_form:
        answer = service.client.post(
            f"{API}/image/index",
            files={"image": HEIC},
            data={"metadata": '{"category": "lost_found"}', "allow_duplicate": "true"},
        )
    else:
        picture = "data:image/heic;base64," + base64.b64encode(HEIC).decode()
        body = {"image": picture, "metadata": {"category": "lost_found"}, "allow_duplicate": True}
        answer = service.client.post(f"{API}/image/index", json=body)
    assert answer.status_code == 200, answer.text
    stored = service.client.get(f"{API}/image/{answer.json()['image_id']}").json()
    assert (stored["width"], stored["height"]) == (60, 40)


def test_a_thread_that_does_not_come_back_makes_the_probes_fail(start_service: Start) -> None:
    """Every job is late here, and counts as lost as soon as it takes a hundredth of a second."""
    with start_service(INFERENCE_DEADLINE_S=0.001, MAX_WORKERS=1) as service:
        photo = base64_jpeg(astronaut())
        stop = threading.Event()

        def keep_asking() -> None:
            with httpx.Client(base_url=service.client.base_url, timeout=30) as client:
                while not stop.is_set():
                    client.post(f"{API}/face/identify", json={"image": photo})

        asking = threading.Thread(target=keep_asking, name="asking")
        asking.start()
        told: list[httpx.Response] = []

        def is_stuck(path: str) -> bool:
            told.append(service.client.get(f"{API}{path}"))
            return told[-1].status_code == 503

        try:
            Records.wait_until(lambda: is_stuck("/health/live"))
            live = told[-1].json()
            Records.wait_until(lambda: is_stuck("/health"))
            health = told[-1].json()
        finally:
            stop.set()
            asking.join()
        assert live["status"] == "stuck"
        assert live["reason"] == "inference_stuck: 1 of 1 threads do not come back"
        assert (health["status"], health["reason"]) == ("unhealthy", live["reason"])
        Records.wait_until(lambda: not is_stuck("/health/live") and not is_stuck("/health"))


def test_a_database_without_our_tables_is_named(start_service: Start) -> None:
    with start_service() as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        tables = ("face_templates", "employee_faces")
        for table in tables:
            service.records.rows(f"ALTER TABLE {table} RENAME TO hidden_{table}")
        answer = service.client.post(
            f"{API}/face/verify",
            json={"employee_id": "EMP001", "image": base64_jpeg(astronaut()), "check_liveness": False},
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "schema_missing")
        assert "cv migrate" in answer.json()["detail"]

        def database() -> dict[str, object]:
            health = service.client.get(f"{API}/health").json()
            assert health["status"] == "degraded" or health["checks"]["database"]["status"] == "ok"
            return dict(health["checks"]["database"])

        Records.wait_until(lambda: database()["status"] == "error")
        assert str(database()["reason"]).startswith("schema_missing: ")
        for table in tables:
            service.records.rows(f"ALTER TABLE hidden_{table} RENAME TO {table}")
        Records.wait_until(lambda: database()["status"] == "ok")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/face/recognize", {"camera_id": "cam1", "check_liveness": False}),
        ("/anomaly/detect", {"camera_id": "cam1"}),
    ],
)
@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00", "9999-12-31T00:00:00-14:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_at_the_calendars_ends_is_refused(
    service: Service, path: str, body: dict[str, object], moment: str
) -> None:
    answer = service.client.post(f"{API}{path}", json={**body, "image": base64_jpeg(astronaut()), "timestamp": moment})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_moment")


@pytest.mark.parametrize(
    ("start", "end"), [("0001-01-01", "9999-12-31"), ("0001-01-01T00:00:00", "9999-12-31T23:59:59Z")]
)
def test_a_range_to_the_calendars_ends_is_open(service: Service, start: str, end: str) -> None:
    listed = service.client.get(f"{API}/image", params={"start": start, "end": end})
    assert listed.status_code == 200, listed.text
    body = {"query_text": "a bag", "filters": {"date_range": {"start": start, "end": end}}}
    assert service.client.post(f"{API}/image/search", json=body).status_code == 200


def test_clients_that_leave_while_they_send_are_no_errors_of_ours(service: Service) -> None:
    host, port = service.client.base_url.host, service.client.base_url.port
    for _ in range(20):
        with socket.create_connection((host, port or 80)) as sender:
            head = f"POST {API}/face/recognize HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
            sender.sendall(f'{head}Content-Length: 100000\r\n\r\n{{"image": "'.encode())
            time.sleep(0.01)

    def counted(status: str) -> float:
        name = f'cv_http_requests_total{{method="POST",route="{API}/face/recognize",status="{status}"}} '
        lines = service.client.get(f"{API}/metrics").text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    Records.wait_until(lambda: counted("499") == 20)
    assert counted("500") == 0

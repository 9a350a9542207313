"""What is stored about a person can be seen and erased, consents and failed verifications included."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.records import Records
from tests.photos import astronaut, base64_jpeg, coffee, group

API = "/api/v1/cv"
CONSENT = {"given_on": "2025-01-10", "text_version": "2025-01 vi"}


def enroll(client: httpx.Client, **fields: object) -> httpx.Response:
    body = {
        "employee_id": "EMP001",
        "images": [base64_jpeg(astronaut())],
        "metadata": {"name": "Nguyen Van A", "department": "reception"},
        "enrolled_by": "HR01",
    }
    return client.post(f"{API}/face/enroll", json=body | fields)


def export(client: httpx.Client, employee_id: str = "EMP001") -> dict[str, Any]:
    answer = client.get(f"{API}/privacy/export", params={"employee_id": employee_id})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def verify(client: httpx.Client, image: str, employee_id: str = "EMP001") -> httpx.Response:
    body = {"image": image, "employee_id": employee_id, "check_liveness": False}
    return client.post(f"{API}/face/verify", json=body)


def test_an_export_shows_all_that_is_stored(client: httpx.Client, records: Records) -> None:
    assert enroll(client, consent=CONSENT).status_code == 200
    body = {"image": base64_jpeg(astronaut()), "camera_id": "cam_lobby_01", "check_liveness": False}
    event_id = client.post(f"{API}/face/recognize", json=body).json()["event_id"]
    client.post(f"{API}/face/identify", json={"image": base64_jpeg(astronaut()), "check_liveness": False})
    records.rows("DELETE FROM ocr_results WHERE processed_by = 'EMP001' RETURNING id")  # of other tests
    records.rows("INSERT INTO ocr_results (document_type, extracted_data, processed_by) VALUES "
                 "('invoice', '{}', 'EMP001'), ('invoice', '{}', 'EMP002') RETURNING id")  # fmt: skip

    shown = export(client)
    assert shown["complete"] is True
    assert shown["person"] == {"name": "Nguyen Van A", "department": "reception", "position": None}
    [template] = shown["templates"]
    assert (template["is_active"], template["enrolled_by"], template["has_picture"]) == (True, "HR01", False)
    [consent] = shown["consents"]
    assert {**CONSENT, "recorded_by": "HR01"}.items() <= consent.items()
    assert [(one["camera_id"], one["event_id"]) for one in shown["attendance"]] == [("cam_lobby_01", event_id)]
    assert [one["event_type"] for one in shown["events"]] == ["attendance.events", "face.enrolled"]
    assert shown["events"][0]["payload"]["employee_id"] == "EMP001"
    assert [one["action"] for one in shown["audit"]] == ["face.identify", "face.recognize", "face.enroll"]
    assert shown["audit"][-1]["details"]["consent"] == "2025-01 vi"
    assert shown["others"]["documents"] == 1
    # Whoever looked is seen the next time.
    assert export(client)["audit"][0]["action"] == "privacy.export"


def test_an_export_holds_no_vector(client: httpx.Client) -> None:
    enroll(client)
    text = client.get(f"{API}/privacy/export", params={"employee_id": "EMP001"}).text
    assert '"vector":' not in text
    assert len(text) < 5_000


def test_nobody_else_is_in_an_export(client: httpx.Client) -> None:
    enroll(client)
    answer = client.get(f"{API}/privacy/export", params={"employee_id": "EMP00"})
    assert (answer.status_code, answer.json()["code"]) == (404, "person_unknown")
    again = client.get(f"{API}/privacy/export", params={"employee_id": "EMP00"})
    assert again.status_code == 404  # asking leaves nothing behind
    for wrong in ("", "E" * 21, "EMP' OR '1'='1"):
        assert client.get(f"{API}/privacy/export", params={"employee_id": wrong}).status_code == 422


def test_erasure_takes_the_consent_too(client: httpx.Client, records: Records) -> None:
    enroll(client, consent=CONSENT)
    assert records.count("face_consents") == 1
    assert client.delete(f"{API}/face/EMP001").status_code == 200
    assert records.count("face_consents") == 0
    left = export(client)
    assert (left["person"], left["templates"], left["consents"], left["attendance"]) == (None, [], [], [])
    assert {one["action"] for one in left["audit"]} == {"face.enroll", "face.delete"}


@pytest.mark.parametrize(
    "consent",
    [
        {"given_on": "2025-01-10"},
        {"text_version": "1"},
        {"given_on": "soon", "text_version": "1"},
        {"given_on": "2025-01-10", "text_version": ""},
        {"given_on": "2025-01-10", "text_version": "x" * 51},
        {"given_on": "2025-01-10", "text_version": "a\x00b"},
        {"given_on": (date.today() + timedelta(days=3)).isoformat(), "text_version": "1"},  # noqa: DTZ011
    ],
)
def test_a_consent_that_cannot_be_is_refused(client: httpx.Client, records: Records, consent: dict[str, str]) -> None:
    assert enroll(client, consent=consent).status_code == 422
    assert records.count("face_templates") == 0


def test_an_enrolment_that_is_refused_leaves_no_consent(client: httpx.Client, records: Records) -> None:
    assert enroll(client, images=[base64_jpeg(coffee())], consent=CONSENT).status_code == 422
    assert records.count("face_consents") == 0


def test_failed_verifications_are_audited(client: httpx.Client, records: Records) -> None:
    enroll(client)
    assert verify(client, base64_jpeg(astronaut())).json()["verified"] is True
    assert verify(client, base64_jpeg(group())).json()["verified"] is False
    assert verify(client, base64_jpeg(coffee())).json()["error"] == "no_face_detected"
    assert verify(client, base64_jpeg(astronaut()), "EMP002").status_code == 404
    entries = records.rows("SELECT subject, details FROM audit_log WHERE action = 'face.verify' ORDER BY id")
    assert [(one["subject"], one["details"]["verified"], one["details"]["outcome"]) for one in entries] == [
        ("EMP001", True, "recognised"),
        ("EMP001", False, "face_not_found"),
        ("EMP001", False, "no_face_detected"),
        ("EMP002", False, "not_enrolled"),
    ]

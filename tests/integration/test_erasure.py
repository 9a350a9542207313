"""Public ids, and what can be erased: results, an incident's frames, a room's photos."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.photos import base64_jpeg, coffee, group

API = "/api/v1/cv"


def stored_result(records: Records, *, object_key: str | None = None) -> tuple[int, str]:
    """A result as the service writes it: its number and its public id."""
    [row] = records.rows(
        "WITH result AS (INSERT INTO ocr_results (document_type, extracted_data, confidence, raw_text) "
        """VALUES ('passport', '{"full_name": "NGUYEN VAN A"}', 0.9, 'NGUYEN') RETURNING id) """
        "INSERT INTO ocr_result_records (result_id, object_key) SELECT id, $1 FROM result "
        "RETURNING result_id, public_id",
        object_key,
    )
    return row["result_id"], str(row["public_id"])


def detect(client: httpx.Client, camera_id: str) -> dict[str, Any]:
    body = {"image": base64_jpeg(group()), "camera_id": camera_id, "detection_types": ["intrusion"]}
    answer = client.post(f"{API}/anomaly/detect", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["anomalies"][0])


def test_ids_are_version_seven_and_follow_time(client: httpx.Client, records: Records) -> None:
    before_ms = time.time_ns() // 1_000_000
    ids = []
    for _ in range(3):
        ids.append(uuid.UUID(stored_result(records)[1]))
        time.sleep(0.005)
    assert client
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert ids == sorted(ids)
    assert all(abs((one.int >> 80) - before_ms) < 60_000 for one in ids)


def test_a_result_is_seen_and_erased_by_its_public_id(client: httpx.Client, records: Records) -> None:
    number, public_id = stored_result(records, object_key="ocr/a.jpg")
    for reference in (number, public_id, public_id.upper()):
        answer = client.get(f"{API}/ocr/results/{reference}").json()
        assert (answer["result_id"], answer["public_id"]) == (number, public_id)
    erased = client.delete(f"{API}/ocr/results/{public_id}")
    assert erased.json() == {"success": True, "result_id": number, "public_id": public_id}
    for reference in (number, public_id):
        assert client.get(f"{API}/ocr/results/{reference}").status_code == 404
        assert client.delete(f"{API}/ocr/results/{reference}").status_code == 404
    assert records.count("ocr_results", f"id = {number}") == 0
    assert records.count("ocr_result_records", f"result_id = {number}") == 0
    entries = records.rows("SELECT action FROM audit_log WHERE subject = $1 ORDER BY id DESC LIMIT 1", str(number))
    assert entries == [{"action": "ocr.delete"}]


@pytest.mark.parametrize("reference", ["0", "-1", "x", "99999999999", "0197a3c0-5b1e-7c44-9d5e-8f0f4f1f7f1"])
def test_what_is_no_id_is_refused(client: httpx.Client, reference: str) -> None:
    for method, path in (("GET", f"ocr/results/{reference}"), ("DELETE", f"ocr/results/{reference}")):
        assert client.request(method, f"{API}/{path}").status_code == 422


def test_unknown_ids_are_404(client: httpx.Client) -> None:
    unknown = uuid.uuid4()
    assert client.get(f"{API}/ocr/results/{unknown}").status_code == 404
    assert client.post(f"{API}/anomaly/incidents/{unknown}/resolve").json()["code"] == "incident_not_found"
    assert client.delete(f"{API}/anomaly/incidents/{unknown}/frames").json()["code"] == "incident_not_found"
    assert client.delete(f"{API}/room/NONE/photos").json()["code"] == "room_unknown"


def test_an_incidents_frames_are_erased_and_the_incident_stays(client: httpx.Client, records: Records) -> None:
    camera_id = f"cam_{uuid.uuid4().hex[:8]}"
    camera = {"id": camera_id, "kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"], "enabled": False}
    rules = {"rules": {"anomalies": ["intrusion"], "intrusion": {}}}
    assert client.post(f"{API}/cameras", json=camera | rules).status_code == 201
    first, second = detect(client, camera_id), detect(client, camera_id)
    public_id = first["incident_public_id"]
    assert public_id is not None
    assert second["incident_public_id"] == public_id
    [event] = [event for event in records.events("anomaly.alerts") if event["camera_id"] == camera_id]
    assert (event["incident_id"], event["incident_public_id"]) == (first["incident_id"], public_id)
    prefix = f"frames/{camera_id}/"
    # Each with its faces blurred, and as it was; with boxes the one that decided, that of the other goes by itself.
    records.wait_until(lambda: len(records.objects(prefix)) == 5)

    path = f"{API}/anomaly/incidents/{public_id}"
    assert client.post(f"{path}/acknowledge").json()["public_id"] == public_id
    assert client.delete(f"{path}/frames").json() == {
        "success": True,
        "incident_id": first["incident_id"],
        "public_id": public_id,
        "frames_deleted": 2,
    }
    assert client.delete(f"{path}/frames").json()["frames_deleted"] == 0
    records.wait_until(lambda: records.objects(prefix) == [])
    assert records.count("anomaly_detections", f"camera_id = '{camera_id}' AND image_url IS NOT NULL") == 0
    listed = client.get(f"{API}/anomaly/incidents", params={"camera_id": camera_id}).json()["incidents"]
    assert [(one["public_id"], one["frame_url"]) for one in listed] == [(public_id, None)]


def test_a_frame_that_shows_two_incidents_goes_with_either(client: httpx.Client, records: Records) -> None:
    ids = records.rows(
        "WITH incident AS (INSERT INTO anomaly_incidents (camera_id, anomaly_type, origin, severity, confidence, "
        "description, started_at, last_seen_at) SELECT 'cam_two', kind, 'request', 'high', 0.9, 'x', NOW(), NOW() "
        "FROM unnest(ARRAY['fire', 'intrusion']) AS kind RETURNING id, public_id, anomaly_type), "
        "detection AS (INSERT INTO anomaly_detections (camera_id, anomaly_type, image_url) "
        "SELECT 'cam_two', anomaly_type, 's3://x' FROM incident RETURNING id, anomaly_type), "
        "joined AS (INSERT INTO incident_detections (detection_id, incident_id, frame_key, seen_at) "
        "SELECT d.id, i.id, 'frames/cam_two/shared.jpg', NOW() FROM detection d JOIN incident i USING (anomaly_type)) "
        "SELECT public_id FROM incident"
    )
    erased = client.delete(f"{API}/anomaly/incidents/{ids[0]['public_id']}/frames").json()
    assert erased["frames_deleted"] == 1
    assert records.count("incident_detections", "frame_key = 'frames/cam_two/shared.jpg'") == 0
    assert records.count("anomaly_detections", "camera_id = 'cam_two' AND image_url IS NOT NULL") == 0


def test_a_rooms_photos_are_erased_and_its_verdicts_stay(client: httpx.Client, records: Records) -> None:
    for room in ("E1", "E1", "E2"):
        body = {"image": base64_jpeg(coffee()), "room_number": room}
        assert client.post(f"{API}/room/analyze", json=body).status_code == 200
    assert (len(records.objects("rooms/E1/")), len(records.objects("rooms/E2/"))) == (2, 1)
    assert client.get(f"{API}/room/status/E1").status_code == 404, "a cup decides nothing of a room"
    assert client.delete(f"{API}/room/E1/photos").json() == {
        "success": True,
        "room_number": "E1",
        "photos_deleted": 2,
    }
    records.wait_until(lambda: records.objects("rooms/E1/") == [])
    assert len(records.objects("rooms/E2/")) == 1
    assert len(client.get(f"{API}/room/E1/history").json()["analyses"]) == 2
    [entry] = records.rows("SELECT details FROM audit_log WHERE action = 'room.erase_photos'")
    assert entry["details"] == {"photos": 2}
    assert client.delete(f"{API}/room/E1/photos").json()["photos_deleted"] == 0


@pytest.fixture(scope="module")
def service_without_numbers(start_service: Start) -> Iterator[Service]:
    with start_service(INTEGER_IDS=False) as started:
        yield started


def test_numbers_can_be_switched_off(service_without_numbers: Service) -> None:
    service = service_without_numbers
    number, public_id = stored_result(service.records)
    refused = service.client.get(f"{API}/ocr/results/{number}")
    assert (refused.status_code, refused.json()["code"]) == (404, "integer_ids_off")
    assert service.client.get(f"{API}/ocr/results/{public_id}").status_code == 200
    for method, path in (("POST", "resolve"), ("POST", "acknowledge"), ("DELETE", "frames")):
        answer = service.client.request(method, f"{API}/anomaly/incidents/{number}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "integer_ids_off")

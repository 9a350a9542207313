"""Anomaly detection on single frames, incidents and alerts, over real backends."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from app.composition.backends import open_backends
from app.config import Settings
from app.types import Image, Severity
from app.utils import clock
from app.workflows.safety.incidents import Evidence, Finding, FramePictures, IncidentBook, LeaseLost, Origin
from tests.backends import RunningBackends
from tests.event_schemas import problems
from tests.integration.conftest import Start
from tests.integration.records import Records
from tests.integration.test_events import Broker, broker
from tests.photos import base64_jpeg, coffee, evaluation_data, group, jpeg

pytestmark = pytest.mark.any_server

__all__ = ["broker"]  # a fixture

API = "/api/v1/cv"
ANYBODY = {"anomalies": ["intrusion"], "intrusion": {}}
TABLES = "usual_places, incident_notes, incident_detections, anomaly_incidents, anomaly_detections, cameras"


@pytest.fixture(autouse=True)
def _no_incidents(shared_records: Records) -> None:
    shared_records.rows(f"TRUNCATE {TABLES}")


def detect(client: httpx.Client, image: str, **fields: Any) -> httpx.Response:
    body = {"image": image, "camera_id": "cam_hall", "detection_types": ["fire", "flood", "intrusion"]}
    return client.post(f"{API}/anomaly/detect", json=body | fields)


def add_camera(client: httpx.Client, rules: dict[str, Any]) -> None:
    """A registered camera that nobody reads: its rules count for frames sent over HTTP."""
    body = {"id": "cam_hall", "kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"], "rules": rules}
    assert client.post(f"{API}/cameras", json=body | {"enabled": False}).status_code == 201


def test_what_heads_say_is_counted_of_registered_cameras_alone(client: httpx.Client) -> None:
    """Anybody may send any ``camera_id``: a series for each would have no end."""
    add_camera(client, {})
    for camera_id in ("cam_hall", "cam_unknown"):
        assert detect(client, base64_jpeg(coffee()), camera_id=camera_id).status_code == 200
    shown = client.get(f"{API}/metrics").text
    for head in ("hazard_fire_or_smoke", "hazard_flood", "view_outdoors"):
        assert f'cv_camera_head_score_count{{camera="cam_hall",head="{head}"}}' in shown
    assert 'camera="cam_unknown"' not in shown


def test_people_without_a_rule_are_reported_without_alert(client: httpx.Client, records: Records) -> None:
    answer = detect(client, base64_jpeg(group()))
    assert answer.status_code == 200
    data = answer.json()
    assert data["anomalies_detected"] is True
    assert data["count"] == len(data["anomalies"]) >= 1
    assert data["camera_id"] == "cam_hall"
    assert data["detection_time_ms"] >= 0
    height, width = group().shape[:2]
    for found in data["anomalies"]:
        assert (found["type"], found["alert"], found["severity"], found["incident_id"]) == (
            "intrusion",
            False,
            "low",
            None,
        )
        place = found["location"]
        assert 0 <= place["x"] < place["x"] + place["width"] <= width
        assert 0 <= place["y"] < place["y"] + place["height"] <= height
    assert records.events("anomaly.alerts") == []
    rows = records.rows("SELECT id, image_url, alert_sent, location FROM anomaly_detections ORDER BY id")
    assert sorted(row["id"] for row in rows) == sorted(found["detection_id"] for found in data["anomalies"])
    assert all(row["image_url"].startswith("s3://") and not row["alert_sent"] and row["location"] for row in rows)
    [entry] = records.rows("SELECT subject, actor, details FROM audit_log WHERE action = 'anomaly.detect'")
    assert (entry["subject"], entry["actor"]) == ("cam_hall", "local")
    assert sorted(entry["details"]["detection_ids"]) == [row["id"] for row in rows]


def test_a_frame_without_anomalies_leaves_no_trace(client: httpx.Client, records: Records) -> None:
    answer = detect(client, base64_jpeg(coffee())).json()
    assert (answer["anomalies_detected"], answer["count"], answer["anomalies"]) == (False, 0, [])
    assert records.count("anomaly_detections") == 0


def test_an_intruder_begins_one_incident_and_raises_one_alert(client: httpx.Client, records: Records) -> None:
    add_camera(client, ANYBODY)
    first = detect(client, base64_jpeg(group()), timestamp="2025-01-17T21:30:00+07:00").json()
    second = detect(client, base64_jpeg(group())).json()
    assert all(found["alert"] and found["severity"] == "high" for found in first["anomalies"])
    incidents = {found["incident_id"] for found in first["anomalies"] + second["anomalies"]}
    assert len(incidents) == 1
    [event] = records.events("anomaly.alerts")
    assert problems(event) == []
    assert event["incident_id"] in incidents
    assert (event["camera_id"], event["anomaly_type"], event["origin"]) == ("cam_hall", "intrusion", "request")
    assert event["timestamp"] == "2025-01-17T14:30:00.000Z"
    alerted = records.rows("SELECT id FROM anomaly_detections WHERE alert_sent")
    assert [row["id"] for row in alerted] == [event["detection_id"]]
    [incident] = client.get(f"{API}/anomaly/incidents").json()["incidents"]
    assert incident["status"] == "active"
    assert incident["detections"] == first["count"] + second["count"]
    frame = cv2.imdecode(np.frombuffer(httpx.get(incident["frame_url"]).content, np.uint8), cv2.IMREAD_COLOR)
    assert frame is not None
    assert frame.shape == group().shape


def pixels(url: str) -> Image:
    image = cv2.imdecode(np.frombuffer(httpx.get(url).content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def unlike(one: Image, other: Image) -> float:
    """The share of pixels that differ by more than JPEG does."""
    return float((np.abs(one.astype(int) - other.astype(int)).max(axis=2) > 40).mean())


def test_originals_are_for_those_who_say_why_and_every_look_is_audited(client: httpx.Client, records: Records) -> None:
    zone = [{"name": "left", "points": [[0, 0], [0.2, 0], [0.2, 1], [0, 1]]}]  # five of the six are not concerned
    add_camera(client, {"anomalies": ["intrusion"], "intrusion": {"zones": zone}})
    found = detect(client, base64_jpeg(group())).json()["anomalies"]
    [incident_id] = {one["incident_id"] for one in found if one["alert"]}
    path = f"{API}/anomaly/incidents/{incident_id}"
    for _ in range(3):
        [incident] = client.get(f"{API}/anomaly/incidents").json()["items"]
        assert client.get(path).json()["frame_url"]
    shown, marked = pixels(incident["frame_url"]), pixels(incident["marked_frame_url"])
    assert unlike(shown, group()) > 0.01
    assert unlike(marked, shown) > 0.001
    assert client.post(f"{path}/originals", json={}).status_code == 422
    reason = {"reason": "Theft, case 118", "by": "EMP005"}
    answers = [client.post(f"{path}/originals", json=reason).json() for _ in range(2)]
    [frame] = answers[0]["frames"]
    assert unlike(pixels(frame["url"]), group()) < 0.001
    assert frame["detection_id"] in {one["detection_id"] for one in found}
    seen = records.rows("SELECT subject, actor, details FROM audit_log WHERE action = 'incident.see'")
    assert [(row["subject"], row["actor"]) for row in seen] == [(str(incident_id), "local")], "once an hour"
    asked = records.rows("SELECT subject, actor, details FROM audit_log WHERE action = 'incident.see_originals'")
    assert [(row["actor"], row["details"]["reason"]) for row in asked] == [("EMP005", "Theft, case 118")] * 2
    urls = [incident["frame_url"], incident["marked_frame_url"], frame["url"]]
    assert client.delete(f"{path}/frames").json()["frames_deleted"] == 1
    records.wait_until(lambda: all(is_gone(url) for url in urls))
    assert client.post(f"{path}/originals", json=reason).json()["frames"] == []
    assert client.post(f"{API}/anomaly/incidents/999999/originals", json=reason).status_code == 404


def test_what_begins_no_incident_keeps_no_faces(client: httpx.Client, records: Records) -> None:
    add_camera(client, ANYBODY)
    client.post(f"{API}/cameras/alarms", json={"camera_ids": ["cam_hall"], "armed": False})
    [found] = {one["incident_id"] for one in detect(client, base64_jpeg(group())).json()["anomalies"]}
    assert found is None
    assert records.count("incident_detections", "original_key IS NOT NULL OR marked_key IS NOT NULL") == 0
    # What was stored of it in haste goes again.
    assert records.count("pending_removals", "announced AND key LIKE '%.original.jpg'") == 1


def test_frames_that_come_at_once_raise_one_alert(client: httpx.Client, records: Records) -> None:
    add_camera(client, ANYBODY)
    image = base64_jpeg(group())
    answers = records.at_once(4, lambda: detect(client, image).status_code)
    assert answers == [200] * 4
    assert len(records.events("anomaly.alerts")) == 1


@pytest.mark.parametrize(
    ("intrusion", "alert"),
    [
        ({"zones": [{"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}]}, True),
        ({"zones": [{"name": "corner", "points": [[0, 0], [0.05, 0], [0.05, 0.05], [0, 0.05]]}]}, False),
        ({"schedule": [{"begins": "00:00", "ends": "00:00"}]}, True),
    ],
)
def test_zones_and_schedules_decide(
    client: httpx.Client, records: Records, intrusion: dict[str, Any], alert: bool
) -> None:
    add_camera(client, {"anomalies": ["intrusion"], "intrusion": intrusion})
    found = detect(client, base64_jpeg(group())).json()["anomalies"]
    assert found
    assert {one["alert"] for one in found} == {alert}
    assert len(records.events("anomaly.alerts")) == int(alert)


def test_burning_scenes_are_told(client: httpx.Client, records: Records) -> None:
    photos = sorted((evaluation_data("hazards_outdoor") / "fire").iterdir())[::24]
    told = 0
    for index, path in enumerate(photos):
        image = base64.b64encode(path.read_bytes()).decode()
        found = detect(client, image, camera_id=f"cam_{index}", detection_types=["fire"]).json()["anomalies"]
        assert all(one["alert"] and one["type"] in ("fire", "smoke") for one in found)
        told += bool(found)
    assert told >= 0.6 * len(photos)
    assert len(records.events("anomaly.alerts")) == told


@pytest.mark.parametrize(
    "fields",
    [
        {"detection_types": ["fire", "earthquake"]},
        {"detection_types": []},
        {"detection_types": "fire"},
        {"camera_id": "cam/../hall"},
        {"camera_id": ""},
        {"timestamp": "yesterday"},
        {"image": "not base64!"},
        {"image": ""},
        {"image": "aGVsbG8="},
    ],
)
def test_bad_input_is_refused(client: httpx.Client, records: Records, fields: dict[str, Any]) -> None:
    answer = detect(client, **({"image": base64_jpeg(coffee())} | fields))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert records.count("anomaly_detections") == 0


def test_a_form_with_a_file_works_too(client: httpx.Client) -> None:
    answer = client.post(
        f"{API}/anomaly/detect",
        data={"camera_id": "cam_hall", "detection_types": '["intrusion"]'},
        files={"image": ("frame.jpg", jpeg(group()), "image/jpeg")},
    )
    assert answer.status_code == 200
    assert answer.json()["count"] >= 1


# Incidents


def begin_incident(client: httpx.Client) -> int:
    add_camera(client, ANYBODY)
    return int(detect(client, base64_jpeg(group())).json()["anomalies"][0]["incident_id"])


def _without_addresses(incident: dict[str, Any]) -> dict[str, Any]:
    """Presigned addresses are others each second."""
    return {name: value for name, value in incident.items() if not name.endswith("_url")}


def test_an_incident_is_acknowledged_and_resolved_once(client: httpx.Client, records: Records) -> None:
    incident_id = begin_incident(client)
    path = f"{API}/anomaly/incidents/{incident_id}"
    seen = client.post(f"{path}/acknowledge", json={"by": "EMP007"}).json()
    assert (seen["acknowledged_by"], seen["resolved_at"], seen["status"]) == ("EMP007", None, "active")
    done = client.post(f"{path}/resolve", json={"by": "EMP008"}).json()
    again = client.post(f"{path}/resolve").json()
    assert (done["status"], done["resolved_by"], done["acknowledged_by"]) == ("resolved", "EMP008", "EMP007")
    assert _without_addresses(again) == _without_addresses(done)
    rows = records.rows("SELECT resolved_at, resolved_by FROM anomaly_detections")
    assert all(row["resolved_at"] and row["resolved_by"] == "EMP008" for row in rows)
    entries = records.rows(
        "SELECT action, actor FROM audit_log WHERE subject = $1 AND action <> 'incident.see' ORDER BY id",
        str(incident_id),
    )
    assert [tuple(entry.values()) for entry in entries] == [
        ("incident.acknowledge", "EMP007"),
        ("incident.resolve", "EMP008"),
    ]


def test_a_resolved_incident_raises_no_second_alert_within_the_cooldown(client: httpx.Client, records: Records) -> None:
    incident_id = begin_incident(client)
    client.post(f"{API}/anomaly/incidents/{incident_id}/resolve")
    assert detect(client, base64_jpeg(group())).json()["anomalies"][0]["incident_id"] == incident_id
    records.rows(
        "UPDATE anomaly_incidents SET last_seen_at = last_seen_at - INTERVAL '2 minutes', "
        "resolved_at = resolved_at - INTERVAL '2 minutes'"
    )
    assert detect(client, base64_jpeg(group())).json()["anomalies"][0]["incident_id"] > incident_id
    assert len(records.events("anomaly.alerts")) == 2


def test_incidents_are_filtered_and_paged(client: httpx.Client, records: Records) -> None:
    records.rows(
        "INSERT INTO anomaly_incidents (camera_id, anomaly_type, origin, severity, confidence, description, "
        "started_at, last_seen_at, resolved_at) "
        "SELECT 'cam_' || n % 2, CASE WHEN n % 3 = 0 THEN 'fire' ELSE 'flood' END, 'camera', 'high', "
        "0.9, 'd', NOW(), NOW(), CASE WHEN n > 5 THEN NOW() END FROM generate_series(1, 10) n"
    )

    def listed(**wanted: Any) -> list[dict[str, Any]]:
        page: dict[str, Any] = {"next_before": None}
        found: list[dict[str, Any]] = []
        while True:
            before = {"before": page["next_before"]} if page["next_before"] else {}
            page = client.get(f"{API}/anomaly/incidents", params=wanted | before | {"limit": 3}).json()
            assert page["count"] == len(page["incidents"]) <= 3
            found += page["incidents"]
            if page["next_before"] is None:
                return found

    every = listed()
    assert len(every) == 10
    assert [one["id"] for one in every] == sorted((one["id"] for one in every), reverse=True)
    assert len(listed(type="fire")) == 3
    assert len(listed(camera_id="cam_0")) == 5
    assert len(listed(status="open")) == len(listed(status="resolved")) == 5
    assert len(listed(status="resolved", type="fire", camera_id="cam_1")) == 1
    for wrong in ({"type": "earthquake"}, {"status": "x"}, {"limit": 0}, {"before": 0}, {"before": 2**63}):
        assert client.get(f"{API}/anomaly/incidents", params=wrong).status_code == 422


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_an_unknown_incident_is_not_found(client: httpx.Client, action: str) -> None:
    answer = client.post(f"{API}/anomaly/incidents/987654321/{action}")
    assert (answer.status_code, answer.json()["code"]) == (404, "incident_not_found")
    assert client.post(f"{API}/anomaly/incidents/{2**63}/{action}").status_code == 422


def test_what_is_not_seen_any_more_ends(client: httpx.Client, records: Records) -> None:
    incident_id = begin_incident(client)
    records.rows("UPDATE anomaly_incidents SET last_seen_at = last_seen_at - INTERVAL '50 seconds'")
    records.wait_until(
        lambda: records.count("anomaly_incidents", f"id = {incident_id} AND ended_at = last_seen_at") == 1
    )
    [incident] = client.get(f"{API}/anomaly/incidents").json()["incidents"]
    assert incident["status"] == "ended"


# Outages and races


def test_an_alert_does_not_wait_for_the_object_store(
    client: httpx.Client, records: Records, backends: RunningBackends
) -> None:
    add_camera(client, ANYBODY)
    with backends.without("objects"):
        answer = detect(client, base64_jpeg(group()))
    assert answer.status_code == 200
    [event] = records.events("anomaly.alerts")
    assert event["image_url"] is None
    assert problems(event) == []
    assert records.count("anomaly_detections", "image_url IS NULL") == answer.json()["count"]


def test_alerts_reach_rabbitmq_within_a_second(start_service: Start, broker: Broker, broker_url: str) -> None:
    with start_service(RABBITMQ_URL=broker_url, EVENTS_EXCHANGE=broker.exchange) as service:
        add_camera(service.client, ANYBODY)
        detect(service.client, base64_jpeg(group()))
        [message] = broker.take("anomaly.alerts", 1)
        assert problems(message) == []
        service.records.wait_until(lambda: service.records.count("event_outbox", "published_at IS NOT NULL") == 1)
        [row] = service.records.rows("SELECT published_at - created_at AS way FROM event_outbox")
        assert row["way"] < timedelta(seconds=1)


@pytest.fixture
def finding() -> Finding:
    return Finding("fire", 0.95, None, Severity.HIGH, "Fire detected", alert=True)


async def test_a_worker_that_lost_its_camera_can_write_nothing(
    settings: Settings, records: Records, finding: Finding
) -> None:
    records.rows(
        "INSERT INTO cameras (id, kind, url, tasks, frames_per_second, rules, enabled, lease_epoch) "
        "VALUES ('cam_x', 'snapshot', 'http://cam.invalid/', '{anomaly}', 2, '{}', TRUE, 2)"
    )
    async with AsyncExitStack() as stack:
        book = await incident_book(stack, settings)
        with pytest.raises(LeaseLost):
            await book.record(Evidence("cam_x", FramePictures(b"jpeg"), clock.now(), Origin.CAMERA, epoch=1), [finding])
        assert records.count("anomaly_detections") == records.count("anomaly_incidents") == 0
        [recorded] = await book.record(
            Evidence("cam_x", FramePictures(b"jpeg"), clock.now(), Origin.CAMERA, epoch=2), [finding]
        )
        assert recorded.alerted


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Severity.MEDIUM, Severity.HIGH, "high"),
        (Severity.HIGH, Severity.LOW, "high"),
        (Severity.LOW, Severity.MEDIUM, "medium"),
    ],
)
async def test_an_incident_is_as_severe_as_it_ever_was(
    settings: Settings, records: Records, finding: Finding, first: Severity, second: Severity, expected: str
) -> None:
    evidence = Evidence("cam_s", FramePictures(b"jpeg"), clock.now(), Origin.REQUEST)
    async with AsyncExitStack() as stack:
        book = await incident_book(stack, settings)
        for severity in (first, second):
            await book.record(evidence, [replace(finding, severity=severity)])
    [incident] = records.rows("SELECT severity FROM anomaly_incidents")
    assert incident["severity"] == expected
    assert len(records.events("anomaly.alerts")) == 1


def is_gone(url: str) -> bool:
    """Whether the object store has it no more; an answer that breaks off was on its way when the object went."""
    try:
        return httpx.get(url).status_code == 404
    except httpx.RemoteProtocolError:
        return False


@pytest.mark.usefixtures("client")
async def test_frames_are_kept_no_longer_than_they_may(settings: Settings, records: Records, finding: Finding) -> None:
    async with AsyncExitStack() as stack:
        book = await incident_book(stack, settings)
        for _ in range(2):
            await book.record(Evidence("cam_y", FramePictures(b"jpeg"), clock.now(), Origin.REQUEST), [finding])
        records.rows(
            "UPDATE incident_detections SET seen_at = seen_at - INTERVAL '31 days' "
            "WHERE detection_id = (SELECT min(detection_id) FROM incident_detections)"
        )
        old = records.rows("SELECT frame_key FROM incident_detections ORDER BY detection_id")[0]["frame_key"]
        await book.drop_old_frames()
        url = book.frame_url(old, lifetime_s=60)
        # The running service removes it.
        await asyncio.to_thread(records.wait_until, lambda: is_gone(url))
    urls = [row["image_url"] for row in records.rows("SELECT image_url FROM anomaly_detections ORDER BY id")]
    assert [url is None for url in urls] == [True, False]
    assert records.count("incident_detections", "frame_key IS NOT NULL") == 1


@pytest.mark.usefixtures("client")
async def test_an_alert_waits_for_no_object_store_and_its_frame_comes_later(
    settings: Settings, records: Records, finding: Finding, backends: RunningBackends
) -> None:
    async with AsyncExitStack() as stack:
        book = await incident_book(stack, settings)
        await book.record(
            Evidence("cam_z", FramePictures(b"jpeg"), clock.now(), Origin.REQUEST), [finding]
        )  # makes the bucket
        with backends.frozen("objects"):
            [recorded] = await book.record(
                Evidence("cam_late", FramePictures(b"late"), clock.now(), Origin.REQUEST), [finding]
            )
        assert recorded.alerted
        [alert] = [event for event in records.events("anomaly.alerts") if event["camera_id"] == "cam_late"]
        assert alert["image_url"] is None
        await book.close()
        [row] = records.rows("SELECT frame_key FROM incident_detections WHERE detection_id = $1", recorded.detection_id)
        assert (await asyncio.to_thread(httpx.get, book.frame_url(row["frame_key"], lifetime_s=60))).content == b"late"
    assert records.count("pending_removals") == 0


@pytest.mark.usefixtures("client")
async def test_a_frame_that_no_store_takes_is_lost_and_its_alert_is_not(
    settings: Settings, records: Records, finding: Finding, backends: RunningBackends
) -> None:
    async with AsyncExitStack() as stack:
        book = await incident_book(stack, settings)
        with backends.without("objects"):
            [recorded] = await book.record(
                Evidence("cam_lost", FramePictures(b"lost"), clock.now(), Origin.REQUEST), [finding]
            )
            await book.close()
    assert recorded.alerted
    assert records.count("incident_detections", "frame_key IS NOT NULL") == 0
    # Whatever part of it may still arrive in the store goes again.
    assert records.count("pending_removals", "announced AND kind = 'object'") == 1


async def incident_book(stack: AsyncExitStack, settings: Settings) -> IncidentBook:
    backends = await open_backends(stack, settings)
    return IncidentBook(
        database=backends.database, storage=backends.storage, cooldown=timedelta(seconds=60), frame_days=30
    )

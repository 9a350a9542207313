"""Armed, disarmed and muted cameras, test alarms, escalation and notes, over real backends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.composition.backends import open_backends
from app.config import Settings
from app.types import Severity
from app.utils import clock
from app.workflows.safety.alarms import AlarmPanel
from app.workflows.safety.incidents import Evidence, Finding, FramePictures, IncidentBook, Origin, Recorded
from tests.event_schemas import problems
from tests.integration.records import Records

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
TABLES = "usual_places, incident_notes, incident_detections, anomaly_incidents, anomaly_detections, cameras"
INTRUDER = Finding("intrusion", 0.9, None, Severity.HIGH, "Somebody is there", alert=True)
FIRE = Finding("fire", 0.95, None, Severity.HIGH, "Fire", alert=True)


@pytest.fixture(autouse=True)
def _no_incidents(shared_records: Records) -> None:
    shared_records.rows(f"TRUNCATE {TABLES}")


@pytest.fixture
async def book(settings: Settings, client: httpx.Client) -> AsyncIterator[IncidentBook]:
    assert client is not None
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        yield IncidentBook(
            database=backends.database, storage=backends.storage, cooldown=timedelta(seconds=60), frame_days=30
        )


@pytest.fixture
async def panel(settings: Settings) -> AsyncIterator[AlarmPanel]:
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        yield AlarmPanel(database=backends.database, escalate_after=timedelta(seconds=60))


def add_camera(client: httpx.Client, camera_id: str, group: str | None = None) -> None:
    body = {"id": camera_id, "kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"], "group": group}
    assert client.post(f"{API}/cameras", json=body | {"enabled": False}).status_code == 201


def change(client: httpx.Client, **fields: Any) -> list[dict[str, Any]]:
    answer = client.post(f"{API}/cameras/alarms", json=fields)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path)


def post(client: httpx.Client, path: str, json: dict[str, str] | None = None) -> httpx.Response:
    return client.post(path, json=json)


async def see(book: IncidentBook, finding: Finding, camera_id: str = "cam_a") -> Recorded:
    [recorded] = await book.record(Evidence(camera_id, FramePictures(b"jpeg"), clock.now(), Origin.CAMERA), [finding])
    return recorded


async def test_a_disarmed_camera_reports_fire_and_lets_people_walk(
    client: httpx.Client, records: Records, book: IncidentBook
) -> None:
    add_camera(client, "cam_a")
    [state] = change(client, camera_ids=["cam_a"], armed=False)
    assert state == {"id": "cam_a", "group": None, "armed": False, "muted_until": None}
    person, fire = await see(book, INTRUDER), await see(book, FIRE)
    assert (person.incident_id, person.alerted) == (None, False)
    assert fire.alerted
    assert records.count("anomaly_detections") == 2

    change(client, camera_ids=["cam_a"], armed=True)
    assert (await see(book, INTRUDER)).alerted


async def test_what_a_mute_held_back_is_alerted_when_it_is_still_seen_afterwards(
    client: httpx.Client, records: Records, book: IncidentBook
) -> None:
    add_camera(client, "cam_a")
    change(client, camera_ids=["cam_a"], mute_minutes=30)
    muted = await see(book, FIRE)
    assert muted.incident_id is not None
    assert not muted.alerted
    assert records.events("anomaly.alerts") == []
    [incident] = get(client, f"{API}/anomaly/incidents").json()["incidents"]
    assert incident["alerted_at"] is None

    change(client, camera_ids=["cam_a"], mute_minutes=0)
    later = await see(book, FIRE)
    assert (later.incident_id, later.alerted) == (muted.incident_id, True)
    assert not (await see(book, FIRE)).alerted
    assert len(records.events("anomaly.alerts")) == 1


async def test_a_mute_ends_by_itself(client: httpx.Client, records: Records, book: IncidentBook) -> None:
    add_camera(client, "cam_a")
    change(client, camera_ids=["cam_a"], mute_minutes=1)
    records.rows("UPDATE cameras SET muted_until = NOW() - INTERVAL '1 second'")
    assert (await see(book, FIRE)).alerted


async def test_an_unregistered_camera_is_armed(book: IncidentBook) -> None:
    assert (await see(book, INTRUDER, "cam_unknown")).alerted


def test_a_group_or_all_cameras_change_together(client: httpx.Client) -> None:
    for camera_id, group in (("cam_a", "floor-3"), ("cam_b", "floor-3"), ("cam_c", None)):
        add_camera(client, camera_id, group)
    assert [one["id"] for one in change(client, group="floor-3", armed=False)] == ["cam_a", "cam_b"]
    assert [one["armed"] for one in change(client, mute_minutes=5)] == [False, False, True]
    shown = client.get(f"{API}/cameras/cam_c").json()
    assert (shown["group"], shown["armed"]) == (None, True)
    assert shown["muted_until"] is not None
    client.patch(f"{API}/cameras/cam_a", json={"group": ""})
    assert [one["id"] for one in change(client, group="floor-3", armed=True)] == ["cam_b"]
    assert client.get(f"{API}/cameras/cam_a").json()["armed"] is False


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"camera_ids": ["cam_a", "cam_x"], "armed": False}, 404, "camera_not_found"),
        ({"group": "nowhere", "armed": False}, 404, "camera_group_not_found"),
        ({"camera_ids": ["cam_a"], "group": "floor-3", "armed": False}, 422, "validation_error"),
        ({"camera_ids": ["cam_a"]}, 422, "validation_error"),
        ({"camera_ids": ["cam_a"], "mute_minutes": 100_000}, 422, "validation_error"),
    ],
)
def test_wrong_changes_change_nothing(client: httpx.Client, body: dict[str, Any], status: int, code: str) -> None:
    add_camera(client, "cam_a")
    answer = client.post(f"{API}/cameras/alarms", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(f"{API}/cameras/cam_a").json()["armed"] is True


def test_a_test_alarm_goes_the_whole_way_each_time(client: httpx.Client, records: Records) -> None:
    add_camera(client, "cam_a")
    change(client, camera_ids=["cam_a"], mute_minutes=30)
    for _ in range(2):
        answer = client.post(f"{API}/cameras/cam_a/test-alarm")
        assert answer.status_code == 201, answer.text
        incident = answer.json()
        assert (incident["type"], incident["origin"], incident["severity"]) == ("test", "test", "low")
    events = records.events("anomaly.alerts")
    assert [event["anomaly_type"] for event in events] == ["test", "test"]
    assert [problems(event) for event in events] == [[], []]
    assert events[1]["incident_id"] == incident["id"]
    assert client.post(f"{API}/cameras/nowhere/test-alarm").status_code == 404


async def test_an_alert_that_nobody_acknowledges_is_repeated_once_at_level_two(
    client: httpx.Client, records: Records, book: IncidentBook, panel: AlarmPanel
) -> None:
    ignored = await see(book, FIRE)
    seen = await see(book, replace(FIRE, anomaly_type="flood"))
    post(client, f"{API}/anomaly/incidents/{seen.incident_id}/acknowledge")
    await panel.escalate()
    assert len(records.events("anomaly.alerts")) == 2  # neither is old enough
    records.rows("UPDATE anomaly_incidents SET alerted_at = alerted_at - INTERVAL '2 minutes'")
    await panel.escalate()
    await panel.escalate()
    alerts = records.events("anomaly.alerts")
    assert [(alert["incident_id"], alert["level"]) for alert in alerts] == [
        (ignored.incident_id, 1),
        (seen.incident_id, 1),
        (ignored.incident_id, 2),
    ]
    assert problems(alerts[2]) == []
    assert get(client, f"{API}/anomaly/incidents/{ignored.incident_id}").json()["escalated_at"] is not None


async def test_notes_are_kept_in_order(client: httpx.Client, records: Records, book: IncidentBook) -> None:
    path = f"{API}/anomaly/incidents/{(await see(book, FIRE)).incident_id}"
    assert get(client, path).json()["notes"] == []
    post(client, f"{path}/notes", json={"text": "Bảo vệ đang tới", "by": "EMP007"})
    noted = post(client, f"{path}/notes", json={"text": "A toaster"}).json()
    assert [(note["text"], note["written_by"]) for note in noted["notes"]] == [
        ("Bảo vệ đang tới", "EMP007"),
        ("A toaster", "local"),
    ]
    assert get(client, path).json()["notes"] == noted["notes"]
    assert records.count("audit_log", "action = 'incident.note'") == 2
    assert post(client, f"{API}/anomaly/incidents/999999/notes", json={"text": "x"}).status_code == 404
    assert get(client, f"{API}/anomaly/incidents/999999").json()["code"] == "incident_not_found"

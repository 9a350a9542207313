"""What a camera always sees is no news: learnt over hours, shared by replicas; false alarms told and taken back."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest

from app.composition.backends import open_backends
from app.config import Settings
from app.core.anomalies import BURNING, Examination, Suspect
from app.core.heads import unit
from app.services.database import Database
from app.workflows.safety.baseline import CameraBaselines
from tests.integration.records import Records
from tests.integration.test_api_anomaly import API, TABLES, detect
from tests.photos import evaluation_data

pytestmark = pytest.mark.any_server

EVENING = datetime(2025, 1, 17, 19, 30, tzinfo=UTC)
VIEWS = "network, views"


@pytest.fixture(autouse=True)
def _no_incidents(shared_records: Records) -> None:
    shared_records.rows(f"TRUNCATE {TABLES}")


def add_camera(client: httpx.Client, camera_id: str) -> None:
    body = {"id": camera_id, "kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"], "enabled": False}
    assert client.post(f"{API}/cameras", json=body).status_code == 201


# What a camera learns by itself


@pytest.fixture
async def database(settings: Settings, client: httpx.Client) -> AsyncIterator[Database]:
    add_camera(client, "cam_lamp")
    async with AsyncExitStack() as stack:
        yield (await open_backends(stack, settings)).database


def baselines(database: Database, *, hours: float = 6.0) -> CameraBaselines:
    return CameraBaselines(database, views_id=VIEWS, zone=ZoneInfo("UTC"), learn_for=timedelta(hours=hours))


def lamp(seed: int = 0, view: int = 3) -> Examination:
    row = unit(np.random.default_rng(seed).normal(size=(1, 64)).astype(np.float32))[0]
    return Examination([], (Suspect(view, row, BURNING),))


async def watch(camera: CameraBaselines, seen: Examination, begins: datetime, *, minutes: int, every: int = 1) -> None:
    for minute in range(0, minutes, every):
        await camera.learn("cam_lamp", seen, begins + timedelta(minutes=minute))


async def test_what_was_there_for_hours_is_usual_on_every_replica(database: Database) -> None:
    await watch(baselines(database), lamp(), EVENING, minutes=7 * 60, every=10)
    later = EVENING + timedelta(hours=7)
    other_replica = baselines(database)
    assert await other_replica.usual_of("cam_lamp", EVENING + timedelta(hours=5)) is None, "not long enough ago"
    assert await other_replica.usual_of("cam_lamp", later) is not None
    assert await other_replica.usual_of("cam_lamp", later + timedelta(hours=10)) is None, "never seen at that hour"
    assert await other_replica.usual_of("cam_other", later) is None


async def test_a_lamp_that_is_lit_each_evening_is_usual_on_the_second(database: Database) -> None:
    camera = baselines(database)
    await watch(camera, lamp(), EVENING, minutes=60, every=5)
    assert await camera.usual_of("cam_lamp", EVENING + timedelta(hours=1)) is None
    assert await camera.usual_of("cam_lamp", EVENING + timedelta(days=1)) is not None


async def test_few_sights_make_nothing_usual(database: Database) -> None:
    camera = baselines(database)
    await watch(camera, lamp(), EVENING, minutes=5)
    assert await camera.usual_of("cam_lamp", EVENING + timedelta(days=1)) is None


async def test_a_camera_learns_once_a_minute_and_keeps_a_bounded_memory(database: Database, records: Records) -> None:
    camera = baselines(database)
    add = "SELECT samples FROM usual_places"
    for second in range(50):
        await camera.learn("cam_lamp", lamp(), EVENING + timedelta(seconds=second))
    assert [row["samples"] for row in records.rows(add)] == [1]
    for minute in range(80):
        await camera.learn("cam_lamp", lamp(seed=minute), EVENING + timedelta(minutes=2 + minute))
    assert len(records.rows(add)) == 64


async def test_nothing_is_learnt_of_unknown_cameras_or_where_it_is_switched_off(
    database: Database, records: Records
) -> None:
    await baselines(database).learn("cam_stranger", lamp(), EVENING)
    await baselines(database, hours=0).learn("cam_lamp", lamp(), EVENING)
    assert records.rows("SELECT id FROM usual_places") == []


# What people tell


def fires() -> list[str]:
    paths: list[Path] = sorted((evaluation_data("hazards_outdoor") / "fire").iterdir())[::10]
    return [base64.b64encode(path.read_bytes()).decode() for path in paths]


def alerts(client: httpx.Client, image: str, camera_id: str) -> list[dict[str, Any]]:
    found = detect(client, image, camera_id=camera_id, detection_types=["fire"]).json()["anomalies"]
    return [one for one in found if one["alert"]]


def test_a_false_alarm_raises_none_again_until_it_is_taken_back(client: httpx.Client, records: Records) -> None:
    add_camera(client, "cam_false")
    photos = fires()
    first, other = [photo for photo in photos if alerts(client, photo, "cam_elsewhere")][:2]
    [found] = alerts(client, first, "cam_false")
    path = f"{API}/anomaly/incidents/{found['incident_public_id']}"
    told = client.post(f"{path}/false-alarm", json={"by": "EMP007"}).json()
    assert (told["status"], told["false_alarm_by"], told["resolved_by"]) == ("resolved", "EMP007", "EMP007")
    assert told["places_held_back"] > 0
    assert client.post(f"{path}/false-alarm", json={"by": "EMP008"}).json() == told, "it is said once"
    assert alerts(client, first, "cam_false") == []
    assert alerts(client, other, "cam_false"), "another fire is news"
    assert alerts(client, first, "cam_elsewhere"), "and the same at another camera"
    [listed] = client.get(f"{API}/cameras/cam_false/baseline").json()["false_alarms"]
    assert (listed["incident_id"], listed["type"], listed["told_by"]) == (told["id"], told["type"], "EMP007")
    assert all(0 <= place["x"] < place["x"] + place["width"] <= 1.001 for place in listed["places"])
    undone = client.delete(f"{path}/false-alarm").json()
    assert (undone["false_alarm_at"], undone["status"]) == (None, "resolved")
    assert client.get(f"{API}/cameras/cam_false/baseline").json()["false_alarms"] == []
    assert alerts(client, first, "cam_false")
    actions = records.rows(
        "SELECT action, actor FROM audit_log WHERE subject = $1 AND action <> 'incident.see' ORDER BY id",
        str(told["id"]),
    )
    assert [tuple(row.values()) for row in actions] == [
        ("incident.false_alarm", "EMP007"),
        ("incident.no_false_alarm", "local"),
    ]


def test_nothing_is_held_back_at_a_camera_that_nobody_registered(client: httpx.Client) -> None:
    photo = next(photo for photo in fires() if alerts(client, photo, "cam_free"))
    [incident] = client.get(f"{API}/anomaly/incidents?camera_id=cam_free").json()["items"]
    told = client.post(f"{API}/anomaly/incidents/{incident['id']}/false-alarm").json()
    assert (told["places_held_back"], told["false_alarm_by"]) == (0, "local")
    assert alerts(client, photo, "cam_free")


def test_an_unknown_incident_is_no_false_alarm(client: httpx.Client) -> None:
    for answer in (
        client.post(f"{API}/anomaly/incidents/999999/false-alarm"),
        client.delete(f"{API}/anomaly/incidents/999999/false-alarm"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "incident_not_found")


def test_what_frames_sent_over_http_taught_is_shown_and_forgotten(client: httpx.Client, records: Records) -> None:
    add_camera(client, "cam_http")
    assert any(alerts(client, photo, "cam_http") for photo in fires()[:2])
    learnt = client.get(f"{API}/cameras/cam_http/baseline").json()["usual"]
    assert learnt
    assert all((place["samples"], place["counts"], len(place["hours"])) == (1, False, 1) for place in learnt)
    forgotten = client.delete(f"{API}/cameras/cam_http/baseline").json()
    assert forgotten == {"success": True, "id": "cam_http", "places_forgotten": len(learnt)}
    assert client.get(f"{API}/cameras/cam_http/baseline").json()["usual"] == []
    assert client.get(f"{API}/cameras/cam_none/baseline").status_code == 404
    assert client.delete(f"{API}/cameras/cam_none/baseline").status_code == 404
    [entry] = records.rows("SELECT subject FROM audit_log WHERE action = 'camera.forget_baseline'")
    assert entry["subject"] == "cam_http"

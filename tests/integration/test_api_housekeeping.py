"""The work in rooms over HTTP: cleanings and what they teach, defects as tickets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.services.database import Database
from app.workflows.room_photos import RoomPhotoRetention
from tests.integration.records import Records
from tests.integration.test_api_room import API, analyze, correct, picture_at, room_photos
from tests.photos import coffee

pytestmark = pytest.mark.any_server


def clean(client: httpx.Client, action: str, room_number: str = "201", **fields: Any) -> httpx.Response:
    return client.post(f"{API}/{room_number}/cleaning", json={"action": action} | fields)


def has_taken(records: Records, minutes: float) -> None:
    """The cleaning that goes on began so long ago."""
    records.rows(
        "UPDATE room_cleanings SET started_at = NOW() - $1 * INTERVAL '1 minute' WHERE stopped_at IS NULL RETURNING id",
        minutes,
    )


def clean_for(client: httpx.Client, records: Records, minutes: float, **fields: Any) -> None:
    assert clean(client, "start", **fields).status_code == 200
    has_taken(records, minutes)
    assert clean(client, "stop").status_code == 200


# Cleanings


def test_a_cleaning_is_started_once_and_stopped_once(client: httpx.Client, records: Records) -> None:
    started = clean(client, "start", room_type="deluxe", cleaned_by="EMP005").json()
    assert (started["room_type"], started["started_by"], started["stopped_at"]) == ("deluxe", "EMP005", None)
    assert clean(client, "start", cleaned_by="EMP006").json() == started
    has_taken(records, 24)
    stopped = clean(client, "stop", cleaned_by="EMP005").json()
    assert stopped["minutes"] == pytest.approx(24, abs=0.5)
    again = clean(client, "stop")
    assert (again.status_code, again.json()["code"]) == (409, "cleaning_not_started")
    assert records.count("room_cleanings") == 1


def test_starts_at_once_are_one_cleaning(client: httpx.Client, records: Records) -> None:
    told = records.at_once(4, lambda: clean(client, "start").json()["started_at"])
    assert len(set(told)) == 1
    assert records.count("room_cleanings") == 1


def test_a_forgotten_cleaning_teaches_nothing_and_the_next_begins_anew(client: httpx.Client, records: Records) -> None:
    clean(client, "start")
    has_taken(records, 241)
    assert clean(client, "stop").status_code == 409
    assert clean(client, "start").json()["stopped_at"] is None
    assert records.count("room_cleanings", "stopped_at IS NULL") == 1


def test_times_are_learnt_by_type_and_told_of_dirty_rooms(
    client: httpx.Client, records: Records, eval_data: Path
) -> None:
    [messy], [tidy] = room_photos(eval_data, "messy", 1), room_photos(eval_data, "clean", 1)
    before = analyze(client, "201", messy, room_type="suite").json()
    assert before["cleaning_time_from"] == "findings"
    clean(client, "start", room_type="suite")
    has_taken(records, 300)
    for minutes in (50, 38, 41, 0.5, 44):
        clean_for(client, records, minutes, room_type="suite")
    assert client.get(f"{API}/cleaning-times").json()["items"] == []
    clean_for(client, records, 43, room_type="suite")
    [learnt] = client.get(f"{API}/cleaning-times").json()["items"]
    assert (learnt["room_type"], learnt["cleanings"]) == ("suite", 5)
    assert learnt["median_minutes"] in (43, 44)
    assert learnt["slow_minutes"] in (48, 49)
    body = analyze(client, "201", messy, room_type="suite").json()
    assert (body["estimated_cleaning_time_minutes"], body["cleaning_time_from"]) == (
        learnt["median_minutes"],
        "cleanings",
    )
    other = analyze(client, "201", messy).json()
    assert other["estimated_cleaning_time_minutes"] == before["estimated_cleaning_time_minutes"]
    in_order = analyze(client, "201", tidy, room_type="suite").json()
    assert (in_order["overall_status"], in_order["estimated_cleaning_time_minutes"]) == ("clean", 0)


@pytest.mark.parametrize("body", [{}, {"action": "pause"}, {"action": "start", "room_type": "a\x00b"}], ids=str)
def test_bad_reports_of_cleanings_are_refused(client: httpx.Client, records: Records, body: dict[str, Any]) -> None:
    assert client.post(f"{API}/201/cleaning", json=body).status_code == 422
    assert records.count("room_cleanings") == 0


# Defects


def defects(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{API}/defects", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_maintenance_opens_a_ticket_with_its_note_and_photo(client: httpx.Client, eval_data: Path) -> None:
    [photo] = room_photos(eval_data, "messy", 1)
    told = analyze(client, "201", photo).json()
    correct(client, "201", status="maintenance", note="Đèn hỏng", analysis_id=told["analysis_id"], given_by="EMP007")
    [ticket] = defects(client)
    assert (ticket["room_number"], ticket["label"], ticket["state"]) == ("201", "maintenance", "open")
    assert (ticket["note"], ticket["reported_by"]) == ("Đèn hỏng", "EMP007")
    assert picture_at(ticket["photo_url"]).shape == photo.shape
    assert client.get(f"{API}/defects/{ticket['defect_id']}").json() | {"photo_url": ""} == ticket | {"photo_url": ""}
    client.delete(f"{API}/201/photos")
    assert defects(client)[0]["photo_url"] is None


def test_a_defect_where_the_analysis_saw_something_shows_that_place(client: httpx.Client, eval_data: Path) -> None:
    told = analyze(client, "201", *room_photos(eval_data, "messy", 3)).json()
    tag = next(tag for tag in told["tags"] if tag["location"])
    report = {"label": tag["label"], "photo": tag["photo"]}
    correct(client, "201", status="dirty", analysis_id=told["analysis_id"], defects=[report])
    [ticket] = defects(client)
    assert picture_at(ticket["photo_url"]).tolist() == picture_at(tag["crop_url"]).tolist()


def test_the_same_defect_is_one_ticket_until_it_is_done(client: httpx.Client) -> None:
    for note in ("flickers", "dark now"):
        correct(client, "201", status="clean", defects=[{"label": "lamp_broken", "note": note}])
    [ticket] = defects(client)
    assert (ticket["note"], ticket["photo_url"]) == ("dark now", None)
    path = f"{API}/defects/{ticket['defect_id']}"
    done = client.patch(path, json={"state": "done", "changed_by": "EMP009"}).json()
    assert (done["state"], done["changed_by"], done["note"]) == ("done", "EMP009", "dark now")
    correct(client, "201", status="clean", defects=[{"label": "lamp_broken"}])
    assert [item["state"] for item in defects(client)] == ["open", "done"]
    refused = client.patch(path, json={"state": "open"})
    assert (refused.status_code, refused.json()["code"]) == (409, "defect_reported_again")


def test_tickets_are_filtered_and_paged_and_leave_the_rooms_state(client: httpx.Client, records: Records) -> None:
    for number in ("1", "2", "3"):
        correct(client, number, status="maintenance", defects=[{"label": "tap_drips"}, {"label": "lamp_broken"}])
    first = client.get(f"{API}/defects", params={"limit": 4}).json()
    rest = client.get(f"{API}/defects", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert [item["room_number"] for item in first["items"] + rest["items"]] == ["3", "3", "2", "2", "1", "1"]
    ticket = defects(client, room_number="2")[0]
    client.patch(f"{API}/defects/{ticket['defect_id']}", json={"state": "dismissed", "note": "was none"})
    assert [item["note"] for item in defects(client, state="dismissed")] == ["was none"]
    assert client.get(f"{API}/status/2").json()["status"] == "maintenance"
    assert records.count("audit_log", "action = 'room.defect_change'") == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"defects": [{"label": "x", "photo": 0}]}, 422, "validation_error"),
        ({"defects": [{"label": ""}]}, 422, "validation_error"),
        ({"defects": [{"label": "x"}] * 11}, 422, "validation_error"),
        ({"defects": [{"label": "x", "photo": 1}], "analysis_id": "told"}, 404, "photo_unknown"),
    ],
    ids=str,
)
def test_bad_defects_are_refused_and_change_nothing(
    client: httpx.Client, records: Records, fields: dict[str, Any], status: int, code: str
) -> None:
    told = analyze(client, "201", coffee()).json()["analysis_id"]
    sent = {name: told if value == "told" else value for name, value in fields.items()}
    answer = correct(client, "201", **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert records.count("room_defects") == records.count("room_feedback") == 0


def test_changes_of_no_ticket_or_to_nothing_are_refused(client: httpx.Client) -> None:
    path = f"{API}/defects/3e0f2f0a-6a0c-4a53-8a0e-0c1d7d1f2b11"
    assert client.get(path).json()["code"] == "defect_unknown"
    assert client.patch(path, json={"state": "done"}).status_code == 404
    assert client.patch(path, json={}).status_code == 422
    assert client.get(f"{API}/defects/1").status_code == 422


async def test_what_ended_goes_with_the_photos_of_its_time(
    client: httpx.Client, records: Records, settings: Settings
) -> None:
    await asyncio.to_thread(clean_for, client, records, 20)
    await asyncio.to_thread(correct, client, "201", defects=[{"label": "old"}, {"label": "live"}])
    records.rows("UPDATE room_cleanings SET started_at = NOW() - INTERVAL '91 days' RETURNING id")
    records.rows("UPDATE room_defects SET changed_at = NOW() - INTERVAL '91 days' RETURNING id")
    records.rows("UPDATE room_defects SET state = 'done' WHERE label = 'old' RETURNING id")
    database = Database(settings.DATABASE_URL.get_secret_value(), max_size=1, timeout_s=5)
    await database.open()
    await RoomPhotoRetention(database, days=90).step()
    await database.close()
    assert records.count("room_cleanings") == 0
    assert [row["label"] for row in records.rows("SELECT label FROM room_defects")] == ["live"]

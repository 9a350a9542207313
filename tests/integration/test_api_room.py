"""Room inspection over HTTP: analyse, read states and history, correct."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import httpx
import numpy as np
import pytest
from minio import Minio
from PIL import Image as PillowImage
from pydantic import SecretStr

from app.config import Settings
from app.services.database import Database
from app.types import Image
from app.workflows.room import RoomPhotoRetention
from tests.backends import RunningBackends
from tests.integration.conftest import Start
from tests.integration.live import serving
from tests.integration.records import Records, free_port
from tests.photos import astronaut, base64_jpeg, coffee, group, jpeg

pytestmark = pytest.mark.any_server

API = "/api/v1/cv/room"
ITEMS = {"bed_made", "bathroom_clean", "towels_present", "amenities_complete", "floor_clean"}


def analyze(client: httpx.Client, room_number: str = "201", *images: Image, **fields: Any) -> httpx.Response:
    pictures = {"images": [base64_jpeg(image) for image in images or (coffee(),)]}
    return client.post(f"{API}/analyze", json={"room_number": room_number, **pictures} | fields)


def correct(client: httpx.Client, room_number: str = "201", **fields: Any) -> httpx.Response:
    return client.post(f"{API}/{room_number}/feedback", json={"status": "clean"} | fields)


def room_photos(eval_data: Path, label: str, count: int) -> list[Image]:
    paths = sorted((eval_data / "rooms" / label).glob("*.jpg"))[:count]
    return [image.astype(np.uint8) for path in paths if (image := cv2.imread(str(path))) is not None]


def letters() -> Image:
    """A page with lines of text."""
    page = np.full((640, 480, 3), 245, np.uint8)
    for row in range(40, 620, 30):
        cv2.putText(page, "Hoa don ban hang 125.000", (30, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (20, 20, 20), 2)
    return page


def png_bomb() -> bytes:
    """Some kilobytes that would be 400 million pixels."""
    file = io.BytesIO()
    PillowImage.new("1", (20_000, 20_000)).save(file, "PNG")
    return file.getvalue()


def stored_photos(settings: Settings) -> set[str]:
    """The keys of all photos of rooms in the object store."""
    store = Minio(
        settings.MINIO_ENDPOINT,
        access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
        secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
        secure=False,
    )
    found = store.list_objects(settings.MINIO_BUCKET, "rooms/", recursive=True)
    return {str(item.object_name) for item in found}


# Analysis


def test_analysis_answers_as_the_spec_does(client: httpx.Client, eval_data: Path) -> None:
    [messy] = room_photos(eval_data, "messy", 1)
    answer = client.post(
        f"{API}/analyze",
        json={"image": base64_jpeg(messy), "room_number": "201", "analysis_depth": "detailed"},
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["room_number"] == "201"
    assert body["overall_status"] == "dirty"
    assert body["ready_for_guest"] is False
    assert 0.5 < body["confidence"] <= 1
    assert body["checklist"].keys() == ITEMS
    assert body["estimated_cleaning_time_minutes"] > 0
    assert body["analysis_time_ms"] > 0
    for tag in body["tags"]:
        assert tag["severity"] in ("low", "medium", "high")
        assert 0 < tag["confidence"] <= 1


@pytest.mark.parametrize("depth", ["quick", "detailed"])
def test_tidy_and_untidy_rooms_are_told_apart(client: httpx.Client, eval_data: Path, depth: str) -> None:
    verdicts = {
        label: [
            analyze(client, f"{label}{number}", photo, analysis_depth=depth).json()["overall_status"]
            for number, photo in enumerate(room_photos(eval_data, label, 6))
        ]
        for label in ("clean", "messy")
    }
    assert verdicts["clean"].count("clean") >= 5
    assert verdicts["messy"].count("dirty") >= 5


def test_what_no_photo_shows_is_null_and_listed(client: httpx.Client) -> None:
    body = analyze(client, "201", coffee()).json()
    assert body["checklist"] == dict.fromkeys(ITEMS)
    assert set(body["not_seen"]) == ITEMS
    assert body["decided_by"] == {}


@pytest.mark.parametrize("depth", ["quick", "detailed"])
@pytest.mark.parametrize(
    "picture",
    [astronaut(), group(), np.zeros((480, 640, 3), np.uint8), np.full((480, 640, 3), 230, np.uint8), letters()],
    ids=["face", "people", "black", "white", "page"],
)
def test_a_photo_of_no_room_is_uncertain_and_never_ready(client: httpx.Client, picture: Image, depth: str) -> None:
    body = analyze(client, "201", picture, analysis_depth=depth).json()
    assert body["uncertain"] is True
    assert body["ready_for_guest"] is False
    assert client.get(f"{API}/status/201").json()["ready_for_guest"] is False


def test_photos_of_no_room_are_named_and_do_not_count_beside_a_room(client: httpx.Client, eval_data: Path) -> None:
    [messy] = room_photos(eval_data, "messy", 1)
    body = analyze(client, "201", coffee(), messy, astronaut()).json()
    assert body["overall_status"] == "dirty"
    assert body["no_room_photos"] == [0, 2]
    assert {tag["photo"] for tag in body["tags"]} == {1}
    assert {told["photo"] for told in body["decided_by"].values()} <= {1}
    assert analyze(client, "201", coffee(), astronaut()).json()["no_room_photos"] == [0, 1]


def test_one_untidy_photo_among_tidy_ones_decides(client: httpx.Client, eval_data: Path) -> None:
    [clean], messy = room_photos(eval_data, "clean", 1), room_photos(eval_data, "messy", 1)
    body = analyze(client, "201", clean, *messy).json()
    assert body["overall_status"] == "dirty"
    assert {tag["photo"] for tag in body["tags"]} >= {1}
    assert len(body["image_ids"]) == 2


def test_required_items_keep_a_room_from_being_ready(start_service: Start, eval_data: Path) -> None:
    rules = {
        "ROOM_REQUIRED_ITEMS": ("amenities_complete",),
        "ROOM_TYPE_ITEMS": {"dormitory": ("bed_made", "floor_clean")},
    }
    photos = room_photos(eval_data, "clean", 12)
    with start_service(**rules) as service:
        needing = [analyze(service.client, "1", photo).json() for photo in photos]
        simple = [analyze(service.client, "1", photo, room_type="dormitory").json() for photo in photos]
    assert not any(body["ready_for_guest"] for body in needing)
    assert any(body["ready_for_guest"] for body in simple)
    assert all(set(body["not_applicable"]) == ITEMS - {"bed_made", "floor_clean"} for body in simple)
    assert all(body["checklist"].keys() == ITEMS for body in simple)


def test_verdict_photos_and_state_are_kept(client: httpx.Client, records: Records, settings: Settings) -> None:
    body = analyze(client, "201", coffee(), astronaut(), analyzed_by="EMP005").json()
    [log] = records.rows("SELECT * FROM room_analysis_logs")
    assert (log["id"], log["room_number"]) == (body["analysis_id"], "201")
    assert (log["image_id"], log["analyzed_by"]) == (body["image_ids"][0], "EMP005")
    [details] = records.rows("SELECT * FROM room_analysis_details")
    assert details["image_ids"] == body["image_ids"]
    assert details["photo_keys"] == [f"rooms/201/{image_id}.jpg" for image_id in body["image_ids"]]
    assert set(details["photo_keys"]) <= stored_photos(settings)
    [state] = records.rows("SELECT * FROM room_states")
    assert (state["status"], state["analysis_id"], state["source"]) == (
        body["overall_status"],
        body["analysis_id"],
        "analysis",
    )


# States


def test_status_answers_as_the_spec_does(client: httpx.Client) -> None:
    told = analyze(client, "201", analyzed_by="EMP005").json()
    body = client.get(f"{API}/status/201").json()
    assert body["room_number"] == "201"
    assert body["status"] == told["overall_status"]
    assert body["last_analyzed_at"] == told["analyzed_at"]
    assert body["last_analyzed_at"].endswith("Z")
    assert body["analyzed_by"] == "EMP005"
    assert body["ready_for_guest"] is told["ready_for_guest"]


def test_a_room_never_seen_is_404(client: httpx.Client) -> None:
    for path in ("status/999", "999/history"):
        answer = client.get(f"{API}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "room_unknown")


def test_board_filters_and_pages_by_room_number(client: httpx.Client) -> None:
    for number in ("103", "101", "102", "104"):
        correct(client, number, status="clean" if number != "104" else "maintenance")
    first = client.get(f"{API}/status", params={"limit": 2}).json()
    assert [room["room_number"] for room in first["rooms"]] == ["101", "102"]
    second = client.get(f"{API}/status", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [room["room_number"] for room in second["rooms"]] == ["103", "104"]
    assert second["next_cursor"] is None
    broken = client.get(f"{API}/status", params={"status": "maintenance"}).json()
    assert [room["room_number"] for room in broken["rooms"]] == ["104"]


def test_history_is_newest_first_and_paged(client: httpx.Client) -> None:
    told = [analyze(client, "201").json()["analysis_id"] for _ in range(3)]
    analyze(client, "202")
    first = client.get(f"{API}/201/history", params={"limit": 2}).json()
    assert [entry["analysis_id"] for entry in first["analyses"]] == told[:0:-1]
    second = client.get(f"{API}/201/history", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [entry["analysis_id"] for entry in second["analyses"]] == told[:1]
    assert second["next_cursor"] is None


def test_change_of_status_is_told_once(client: httpx.Client, records: Records) -> None:
    analyze(client, "201")
    analyze(client, "201")
    correct(client, "201", status="maintenance", given_by="EMP007")
    first, second = records.events("room.status_changed")
    assert (first["previous_status"], first["source"]) == (None, "analysis")
    assert (second["previous_status"], second["status"]) == (first["status"], "maintenance")
    assert (second["source"], second["changed_by"], second["ready_for_guest"]) == ("feedback", "EMP007", False)


def test_analyses_of_a_room_at_once_are_all_logged_and_the_last_is_its_state(
    client: httpx.Client, records: Records
) -> None:
    told = records.at_once(4, lambda: analyze(client, "201").json()["analysis_id"])
    assert records.count("room_analysis_logs") == 4
    [state] = records.rows("SELECT analysis_id, version FROM room_states")
    assert state["analysis_id"] == max(told)
    assert state["version"] == 4
    assert client.get(f"{API}/status/201").json()["analysis_id"] == state["analysis_id"]


# Corrections


def test_maintenance_that_a_person_set_stays_until_a_person_lifts_it(
    client: httpx.Client, records: Records, eval_data: Path
) -> None:
    [tidy] = room_photos(eval_data, "clean", 1)
    correct(client, "201", status="maintenance", given_by="EMP007")
    answer = analyze(client, "201", tidy, analyzed_by="EMP005").json()
    assert (answer["overall_status"], answer["room_status"]) == ("clean", "maintenance")
    assert answer["ready_for_guest"] is False
    state = client.get(f"{API}/status/201").json()
    assert (state["status"], state["source"], state["changed_by"]) == ("maintenance", "feedback", "EMP007")
    assert (state["last_analyzed_at"], state["analyzed_by"]) == (answer["analyzed_at"], "EMP005")
    [logged] = client.get(f"{API}/201/history").json()["analyses"]
    assert (logged["overall_status"], logged["ready_for_guest"]) == ("clean", False)
    assert len(records.events("room.status_changed")) == 1
    correct(client, "201", status="dirty")
    assert analyze(client, "201", tidy).json()["room_status"] == "clean"
    assert client.get(f"{API}/status/201").json()["status"] == "clean"


def test_maintenance_that_photos_showed_ends_with_the_next_photos(client: httpx.Client, records: Records) -> None:
    analyze(client, "201")
    records.rows("UPDATE room_states SET status = 'maintenance' RETURNING status")
    answer = analyze(client, "201").json()
    assert answer["room_status"] == answer["overall_status"] != "maintenance"


def test_correction_counts_and_is_kept(client: httpx.Client, records: Records) -> None:
    told = analyze(client, "201").json()
    body = correct(
        client,
        "201",
        status="dirty",
        checklist={"bed_made": False},
        note="Khăn còn thiếu",
        analysis_id=told["analysis_id"],
        given_by="EMP007",
    ).json()
    assert (body["status"], body["ready_for_guest"], body["uncertain"], body["source"]) == (
        "dirty",
        False,
        False,
        "feedback",
    )
    assert body["last_analyzed_at"] == told["analyzed_at"]
    assert client.get(f"{API}/status/201").json() == body
    [kept] = records.rows("SELECT * FROM room_feedback")
    assert (kept["checklist"], kept["note"], kept["given_by"]) == ({"bed_made": False}, "Khăn còn thiếu", "EMP007")
    [entry] = client.get(f"{API}/201/history").json()["analyses"]
    assert entry["corrected_to"] == "dirty"


def test_correction_of_another_rooms_analysis_is_refused(client: httpx.Client, records: Records) -> None:
    told = analyze(client, "201").json()["analysis_id"]
    answer = correct(client, "202", analysis_id=told)
    assert (answer.status_code, answer.json()["code"]) == (404, "analysis_unknown")
    assert records.count("room_feedback") == 0
    assert records.count("room_states", "room_number = '202'") == 0


def test_corrected_photos_become_training_data(client: httpx.Client, records: Records, tmp_path: Path) -> None:
    told = analyze(client, "201", coffee(), astronaut()).json()
    correct(client, "201", status="dirty", checklist={"bed_made": False}, analysis_id=told["analysis_id"])
    done = records.run("scripts/export_room_feedback.py", str(tmp_path / "photos"))
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "photos" / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,label,group,bed_made,bathroom_clean,towels_present,amenities_complete,floor_clean"
    assert len(lines) == 3
    assert all(",dirty,201,0,,,," in line for line in lines[1:])
    assert len(list((tmp_path / "photos").glob("*.jpg"))) == 2


def test_corrections_teach_the_service(start_service: Start, eval_data: Path, tmp_path: Path) -> None:
    """The corrections are the wrong way round, so that only a head that learnt from them can repeat them."""
    photos = {label: room_photos(eval_data, label, 16) for label in ("clean", "messy")}
    with start_service() as service:
        for label, told in (("clean", "dirty"), ("messy", "clean")):
            for number, photo in enumerate(photos[label]):
                room = f"{label}{number}"
                body = analyze(service.client, room, photo, analysis_depth="quick").json()
                correct(service.client, room, status=told, analysis_id=body["analysis_id"])
        exported = service.records.run("scripts/export_room_feedback.py", str(tmp_path / "photos"))
        assert exported.returncode == 0, exported.stderr
        arguments = ["--name", "room_messy", "--positive", "dirty", "--out", str(tmp_path / "heads")]
        trained = service.records.run("scripts/train_heads.py", str(tmp_path / "photos"), *arguments)
        assert trained.returncode == 0, trained.stderr
    with start_service(MODEL_HEADS_DIR=tmp_path / "heads") as service:
        [clean], [messy] = photos["clean"][:1], photos["messy"][:1]
        assert analyze(service.client, "1", clean).json()["overall_status"] == "dirty"
        assert analyze(service.client, "1", messy).json()["overall_status"] == "clean"


# Bad input


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"not a picture", 422),
        (jpeg(coffee())[:2000], 422),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, 422),
        (png_bomb(), 413),
    ],
    ids=["empty", "text", "cut", "broken-png", "bomb"],
)
def test_bad_pictures_are_refused_and_change_nothing(
    client: httpx.Client, records: Records, data: bytes, status: int
) -> None:
    answer = client.post(
        f"{API}/analyze",
        data={"room_number": "201"},
        files=[("images", ("good.jpg", jpeg(coffee()))), ("images", ("bad.jpg", data))],
    )
    assert answer.status_code == status, answer.text
    assert records.count("room_analysis_logs") == 0
    assert records.count("room_states") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"analysis_depth": "thorough"},
        {"images": []},
        {"images": [""] * 11},
        {"room_number": "2'; DROP TABLE room_states; --"},
        {"room_number": '20"1'},
        {"room_number": "phòng 1"},
        {"room_number": "２０１"},
        {"room_number": "../201"},
        {"room_number": ""},
        {"room_number": "12345678901"},
        {"room_type": "a\x00b"},
    ],
    ids=str,
)
def test_bad_requests_are_refused(client: httpx.Client, change: dict[str, Any]) -> None:
    answer = analyze(client, **change)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "sparkling"},
        {"status": "dirty", "ready_for_guest": True},
        {"status": "clean", "checklist": {"minibar": True}},
        {"status": "clean", "analysis_id": 0},
        {"status": "clean", "note": "x" * 1001},
    ],
    ids=str,
)
def test_bad_corrections_are_refused(client: httpx.Client, records: Records, body: dict[str, Any]) -> None:
    answer = client.post(f"{API}/201/feedback", json=body)
    assert answer.status_code == 422, answer.text
    assert records.count("room_states") == 0


@pytest.mark.parametrize("number", ["2'01", '2"01', "phòng 1", "201;--", "12345678901"])
def test_strange_room_numbers_are_refused_in_paths_too(client: httpx.Client, number: str) -> None:
    for path in (f"status/{quote(number)}", f"{quote(number)}/history"):
        answer = client.get(f"{API}/{path}")
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.post(f"{API}/{quote(number)}/feedback", json={"status": "clean"}).status_code == 422


@pytest.mark.parametrize("size", [(1, 1), (2000, 40), (40, 2000)], ids=str)
def test_odd_shapes_are_analysed(client: httpx.Client, size: tuple[int, int]) -> None:
    assert analyze(client, "201", np.full((*size, 3), 120, np.uint8)).status_code == 200


@pytest.mark.parametrize("size", [(2000, 3), (3, 2000)], ids=str)
def test_strips_are_refused(client: httpx.Client, size: tuple[int, int]) -> None:
    answer = analyze(client, "201", np.full((*size, 3), 120, np.uint8))
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_narrow")


# Outages


def test_without_redis_the_state_comes_from_the_record(start_service: Start, backends: RunningBackends) -> None:
    with start_service(BACKEND_TIMEOUT_S=1.0) as service:
        analyze(service.client, "201")
        with backends.without("valkey"):
            assert analyze(service.client, "202").status_code == 200
            assert service.client.get(f"{API}/status/202").status_code == 200
            assert correct(service.client, "201", status="maintenance").status_code == 200
            assert service.client.get(f"{API}/status/201").json()["status"] == "maintenance"


def test_a_room_closed_by_a_replica_that_redis_cannot_reach_is_closed_everywhere(start_service: Start) -> None:
    with start_service() as service:
        correct(service.client, "201", status="clean")
        assert service.client.get(f"{API}/status/201").json()["ready_for_guest"] is True
        nowhere = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
        with serving(service.settings.model_copy(update={"REDIS_URL": nowhere})) as other:
            assert correct(other, "201", status="maintenance").status_code == 200
        state = service.client.get(f"{API}/status/201").json()
        assert (state["status"], state["ready_for_guest"]) == ("maintenance", False)


def test_without_the_object_store_nothing_is_analysed_by_half(start_service: Start, backends: RunningBackends) -> None:
    with start_service(BACKEND_TIMEOUT_S=1.0) as service:
        with backends.without("objects"):
            answer = analyze(service.client, "201")
            assert answer.status_code == 503, answer.text
            assert answer.json()["code"] == "backend_unavailable"
        assert service.records.count("room_analysis_logs") == 0
        assert service.records.count("room_states") == 0
        Records.wait_until(lambda: analyze(service.client, "201").status_code == 200)


async def test_photos_end_and_verdicts_stay(client: httpx.Client, records: Records, settings: Settings) -> None:
    for number in ("201", "202"):
        await asyncio.to_thread(analyze, client, number)
    records.rows("UPDATE room_analysis_logs SET analyzed_at = NOW() - INTERVAL '91 days' WHERE room_number = '201'")
    [old] = records.rows(
        "SELECT photo_keys FROM room_analysis_details JOIN room_analysis_logs ON id = analysis_id "
        "WHERE room_number = '201'"
    )
    database = Database(settings.DATABASE_URL.get_secret_value(), max_size=1, timeout_s=5)
    await database.open()
    await RoomPhotoRetention(database, days=90).step()
    await database.close()
    assert records.count("room_analysis_logs") == 2
    assert records.count("room_analysis_details", "photo_keys <> '[]'") == 1
    keys = old["photo_keys"]
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert not stored_photos(settings) & set(keys)

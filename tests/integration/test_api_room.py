"""Room inspection over HTTP: analyse, read states and history, correct."""

from __future__ import annotations

import asyncio
import io
import json
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
from app.workflows.room_photos import RoomPhotoRetention
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
    return stored_objects(settings, "rooms/")


def stored_objects(settings: Settings, prefix: str) -> set[str]:
    """All keys in the object store that begin so."""
    store = Minio(
        settings.MINIO_ENDPOINT,
        access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
        secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
        secure=False,
    )
    found = store.list_objects(settings.MINIO_BUCKET, prefix, recursive=True)
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
def test_a_photo_of_no_room_decides_nothing_and_says_why(client: httpx.Client, picture: Image, depth: str) -> None:
    body = analyze(client, "201", picture, analysis_depth=depth).json()
    assert (body["overall_status"], body["room_status"], body["ready_for_guest"]) == ("unknown", None, False)
    assert "None of the photos shows a room" in body["message"]
    assert body["tags"] == []
    assert body["views"] == [body["views"][0] | {"photo": 0, "view": "not_a_room", "room": None, "visible": []}]
    assert client.get(f"{API}/status/201").status_code == 404


def test_what_decides_nothing_is_logged_and_changes_no_state(client: httpx.Client, records: Records) -> None:
    before = correct(client, "201", status="dirty").json()
    body = analyze(client, "201", coffee()).json()
    assert (body["overall_status"], body["room_status"]) == ("unknown", "dirty")
    assert client.get(f"{API}/status/201").json() == before
    assert len(records.events("room.status_changed")) == 1
    [logged] = client.get(f"{API}/201/history").json()["analyses"]
    assert (logged["analysis_id"], logged["overall_status"]) == (body["analysis_id"], "unknown")


@pytest.mark.parametrize("depth", ["quick", "detailed"])
def test_bathrooms_alone_are_never_ready_and_never_dirty_without_a_tag(
    client: httpx.Client, eval_data: Path, depth: str
) -> None:
    paths = sorted((eval_data / "rooms_places").glob("bath_t_*.jpg"))[:12]
    photos = [image.astype(np.uint8) for path in paths if (image := cv2.imread(str(path))) is not None]
    bodies = [analyze(client, "201", photo, analysis_depth=depth).json() for photo in photos]
    assert not any(body["ready_for_guest"] for body in bodies)
    assert all(body["tags"] for body in bodies if body["overall_status"] == "dirty")
    assert [body["views"][0]["room"] for body in bodies].count("bathroom") >= 8


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


def bathroom_photos(eval_data: Path, client: httpx.Client, count: int) -> list[Image]:
    """Tidy bathrooms that are seen as such without doubt."""
    found: list[Image] = []
    for path in sorted((eval_data / "rooms_places").glob("bath_t_*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        seen = analyze(client, "probe", image.astype(np.uint8)).json()
        if seen["views"][0]["view"] == "bathroom" and seen["checklist"]["bathroom_clean"]:
            found.append(image.astype(np.uint8))
        if len(found) == count:
            break
    return found


def ready_photo(eval_data: Path, client: httpx.Client) -> Image:
    """A bedroom that one photo makes ready where no views are asked for."""
    for photo in room_photos(eval_data, "clean", 12):
        if analyze(client, "probe", photo, room_type="simple").json()["ready_for_guest"]:
            return photo
    raise AssertionError("no clean room of the data is ready")


def test_required_views_count_over_requests_until_dirt_or_time_voids_them(
    start_service: Start, eval_data: Path
) -> None:
    views = {"*": ("bed", "bathroom"), "simple": ()}
    with start_service(ROOM_REQUIRED_VIEWS=views, ROOM_VIEWS_WINDOW_MIN=30) as service:
        client, records = service.client, service.records
        bed, [bath] = ready_photo(eval_data, client), bathroom_photos(eval_data, client, 1)
        first = analyze(client, "1", bed).json()
        assert (first["overall_status"], first["ready_for_guest"], first["views_missing"]) == (
            "clean",
            False,
            ["bathroom"],
        )
        both = analyze(client, "1", bath).json()
        assert (both["overall_status"], both["ready_for_guest"], both["views_missing"]) == ("clean", True, [])
        assert client.get(f"{API}/status/1").json()["ready_for_guest"] is True
        alone = analyze(client, "2", bath).json()
        assert (alone["overall_status"], alone["ready_for_guest"], alone["views_missing"]) == (
            "unknown",
            False,
            ["bed"],
        )
        correct(client, "2", status="dirty")
        assert analyze(client, "2", bed).json()["views_missing"] == ["bathroom"]
        analyze(client, "1", *room_photos(eval_data, "messy", 1))
        assert analyze(client, "1", bed).json()["views_missing"] == ["bathroom"]
        records.rows("UPDATE room_proofs SET seen_at = NOW() - INTERVAL '31 minutes' RETURNING proof")
        assert analyze(client, "1", bath).json()["views_missing"] == ["bed"]


def test_views_shown_at_once_to_several_replicas_count_together(start_service: Start, eval_data: Path) -> None:
    with start_service(ROOM_REQUIRED_VIEWS={"*": ("bed", "bathroom"), "simple": ()}) as service:
        bed, [bath] = ready_photo(eval_data, service.client), bathroom_photos(eval_data, service.client, 1)
        with serving(service.settings) as other:
            waiting = [(service.client, bed), (other, bath)]

            def analyze_next() -> bool:
                client, photo = waiting.pop()
                ready: bool = analyze(client, "7", photo).json()["ready_for_guest"]
                return ready

            told = service.records.at_once(2, analyze_next)
        assert sorted(told) == [False, True]
        assert service.client.get(f"{API}/status/7").json()["ready_for_guest"] is True


def test_verdict_photos_and_state_are_kept(
    client: httpx.Client, records: Records, settings: Settings, eval_data: Path
) -> None:
    body = analyze(client, "201", *room_photos(eval_data, "messy", 2), analyzed_by="EMP005").json()
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


# Evidence


def picture_at(url: str) -> Image:
    """The picture that a presigned address answers with."""
    answer = httpx.get(url)
    assert answer.status_code == 200, answer.text
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def test_tags_and_items_carry_their_place_and_a_crop_of_it(client: httpx.Client, eval_data: Path) -> None:
    photos = room_photos(eval_data, "messy", 3)
    body = analyze(client, "201", *photos).json()
    told = [*body["tags"], *body["decided_by"].values()]
    assert any(item["location"] for item in told)
    for item in told:
        shown, photo = picture_at(item["crop_url"]), photos[item["photo"]]
        if item["location"] is None:
            assert shown.shape == photo.shape
            continue
        place = item["location"]
        assert place["width"] <= shown.shape[1] <= photo.shape[1]
        found = cv2.matchTemplate(photo, shown, cv2.TM_SQDIFF)
        _, _, (x, y), _ = cv2.minMaxLoc(found)
        assert x <= place["x"] + 1
        assert y <= place["y"] + 1
        assert x + shown.shape[1] >= place["x"] + place["width"] - 1
        assert y + shown.shape[0] >= place["y"] + place["height"] - 1


def test_history_shows_what_was_before_and_what_became_of_it(client: httpx.Client, eval_data: Path) -> None:
    [messy], [clean] = room_photos(eval_data, "messy", 1), room_photos(eval_data, "clean", 1)
    first = analyze(client, "201", messy).json()
    analyze(client, "201", coffee())
    last = analyze(client, "201", clean).json()
    after, unknown, before = client.get(f"{API}/201/history").json()["items"]
    assert before["before"] is None
    assert set(before["appeared"]) == {tag["label"] for tag in first["tags"]}
    assert (unknown["before"]["analysis_id"], unknown["resolved"]) == (first["analysis_id"], [])
    assert after["before"]["analysis_id"] == first["analysis_id"]
    assert set(after["resolved"]) == {tag["label"] for tag in first["tags"]} - {tag["label"] for tag in last["tags"]}
    assert picture_at(after["photos"][0]["url"]).shape == clean.shape
    assert picture_at(after["before"]["photos"][0]["url"]).shape == messy.shape
    assert [tag["location"] for tag in before["tags"]] == [tag["location"] for tag in first["tags"]]
    shown = picture_at(before["tags"][0]["crop_url"])
    assert np.array_equal(shown, picture_at(first["tags"][0]["crop_url"]))


def test_erased_photos_take_their_crops_along_and_leave_the_verdicts(
    client: httpx.Client, records: Records, settings: Settings, eval_data: Path
) -> None:
    told = analyze(client, "erased", *room_photos(eval_data, "messy", 2)).json()
    assert any(".crop" in key for key in stored_photos(settings) if key.startswith("rooms/erased/"))
    assert client.delete(f"{API}/erased/photos").json()["photos_deleted"] == 2
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert not any(key.startswith("rooms/erased/") for key in stored_photos(settings))
    [entry] = client.get(f"{API}/erased/history").json()["items"]
    assert (entry["analysis_id"], entry["photos"]) == (told["analysis_id"], [])
    assert [tag["crop_url"] for tag in entry["tags"]] == [None] * len(told["tags"])


def test_an_analysis_from_before_there_was_evidence_is_still_shown(client: httpx.Client, records: Records) -> None:
    records.rows(
        "INSERT INTO room_analysis_logs (room_number, image_id, overall_status, ready_for_guest, confidence, tags, "
        "estimated_cleaning_time, analyzed_at) VALUES ('201', 'old', 'dirty', FALSE, 0.9, "
        """'[{"label": "bed_unmade", "confidence": 0.9, "severity": "high"}]', 10, NOW()) RETURNING id"""
    )
    [entry] = client.get(f"{API}/201/history").json()["items"]
    assert (entry["photos"], entry["decided_by"]) == ([], {})
    assert (entry["tags"][0]["label"], entry["tags"][0]["crop_url"]) == ("bed_unmade", None)


# States


def test_status_answers_as_the_spec_does(client: httpx.Client, eval_data: Path) -> None:
    told = analyze(client, "201", *room_photos(eval_data, "messy", 1), analyzed_by="EMP005").json()
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


def test_change_of_status_is_told_once(client: httpx.Client, records: Records, eval_data: Path) -> None:
    photos = room_photos(eval_data, "messy", 1)
    analyze(client, "201", *photos)
    analyze(client, "201", *photos)
    correct(client, "201", status="maintenance", given_by="EMP007")
    first, second = records.events("room.status_changed")
    assert (first["previous_status"], first["source"]) == (None, "analysis")
    assert (second["previous_status"], second["status"]) == (first["status"], "maintenance")
    assert (second["source"], second["changed_by"], second["ready_for_guest"]) == ("feedback", "EMP007", False)


def test_analyses_of_a_room_at_once_are_all_logged_and_the_last_is_its_state(
    client: httpx.Client, records: Records, eval_data: Path
) -> None:
    photos = room_photos(eval_data, "messy", 1)
    told = records.at_once(4, lambda: analyze(client, "201", *photos).json()["analysis_id"])
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


def test_maintenance_that_photos_showed_ends_with_the_next_photos(
    client: httpx.Client, records: Records, eval_data: Path
) -> None:
    photos = room_photos(eval_data, "messy", 1)
    analyze(client, "201", *photos)
    records.rows("UPDATE room_states SET status = 'maintenance' RETURNING status")
    answer = analyze(client, "201", *photos).json()
    assert answer["room_status"] == answer["overall_status"] != "maintenance"


def test_correction_counts_and_is_kept(client: httpx.Client, records: Records, eval_data: Path) -> None:
    told = analyze(client, "201", *room_photos(eval_data, "messy", 1)).json()
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


def test_corrected_rooms_and_closed_incidents_are_an_installations_own_evaluation(
    client: httpx.Client, records: Records, eval_data: Path, tmp_path: Path
) -> None:
    for room, label, status in (("1", "clean", "clean"), ("2", "messy", "dirty")):
        told = analyze(client, room, *room_photos(eval_data, label, 1)).json()["analysis_id"]
        correct(client, room, status=status, analysis_id=told, checklist={"bed_made": status == "clean"})
    done = records.run("scripts/evaluate.py", "own", "--report", str(tmp_path))
    assert done.returncode == 0, done.stderr
    shares = {share["name"]: share for share in json.loads((tmp_path / "own.json").read_text(encoding="utf-8"))}
    assert (shares["rooms called clean, told clean"]["count"], shares["rooms called clean, told clean"]["n"]) == (1, 1)
    assert shares["rooms called dirty, told dirty"]["count"] == 1
    assert shares["bed_made: answered"]["n"] == 2


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
        tags = {
            label: {tag["label"] for tag in analyze(service.client, "1", photos[label][0]).json()["tags"]}
            for label in photos
        }
        assert "room_untidy" in tags["clean"]
        assert "room_untidy" not in tags["messy"]


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
        correct(service.client, "201")
        with backends.without("valkey"):
            assert analyze(service.client, "202").status_code == 200
            assert correct(service.client, "202").status_code == 200
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

"""Reference photos over HTTP: set, replace, erase; and what analyses say beside them."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from app.config import Settings
from app.types import Box, Image
from tests.integration.records import Records
from tests.integration.test_api_room import API, analyze, picture_at, stored_objects
from tests.photos import astronaut, base64_jpeg, coffee
from tests.unit.test_room_changes import OTHER, PLACE, from_elsewhere, with_thing

pytestmark = pytest.mark.any_server


def item(name: str, place: Box, photo: int = 0) -> dict[str, Any]:
    return {"name": name, "photo": photo, "location": place.rectangle()}


def set_reference(client: httpx.Client, *images: Image, owner: str = "201", **fields: Any) -> httpx.Response:
    body = {"images": [base64_jpeg(image) for image in images]} | fields
    return client.put(f"{API}/{owner}/reference", json=body)


def test_changes_are_told_with_place_crop_and_the_place_before(client: httpx.Client) -> None:
    assert analyze(client, "201", coffee()).json()["compared_with"] == []
    assert set_reference(client, astronaut(), with_thing(coffee(), PLACE)).status_code == 200
    photo, _ = from_elsewhere(with_thing(coffee(), OTHER))
    body = analyze(client, "201", photo).json()
    assert body["compared_with"] == [1]
    [change] = body["changes"]
    assert (change["kind"], change["photo"], change["reference_photo"]) == ("moved", 0, 1)
    assert change["confidence"] > 0.9
    before = change["reference_location"]
    assert abs(before["x"] - PLACE.x1) < 20
    assert abs(before["y"] - PLACE.y1) < 20
    crop = picture_at(change["crop_url"])
    assert crop.shape[0] >= change["location"]["height"]
    [logged] = client.get(f"{API}/201/history").json()["items"][:1]
    assert [(one["kind"], one["location"]) for one in logged["changes"]] == [("moved", change["location"])]
    assert np.array_equal(picture_at(logged["changes"][0]["crop_url"]), crop)


def test_nothing_is_told_of_the_same_scene_and_another_is_not_compared(client: httpx.Client) -> None:
    set_reference(client, coffee())
    photo, _ = from_elsewhere(coffee())
    body = analyze(client, "201", photo, astronaut()).json()
    assert (body["compared_with"], body["changes"], body["items"]) == ([0, None], [], [])


def test_towels_and_amenities_are_counted_against_the_reference(client: httpx.Client) -> None:
    reference = with_thing(with_thing(coffee(), PLACE), OTHER)
    items = [item("towel", PLACE), item("soap", OTHER)]
    assert set_reference(client, reference, items=items).json()["items"] == items
    whole, _ = from_elsewhere(reference)
    body = analyze(client, "201", whole).json()
    assert [(one["name"], one["found"], one["missing"]) for one in body["items"]] == [("towel", 1, 0), ("soap", 1, 0)]
    photo, _ = from_elsewhere(with_thing(coffee(), OTHER))
    body = analyze(client, "201", photo).json()
    assert [(one["name"], one["found"], one["missing"]) for one in body["items"]] == [("towel", 0, 1), ("soap", 1, 0)]
    assert (body["checklist"]["towels_present"], body["checklist"]["amenities_complete"]) == (False, True)
    assert body["ready_for_guest"] is False
    assert picture_at(body["decided_by"]["towels_present"]["crop_url"]).size


def test_a_rooms_own_reference_goes_before_that_of_its_type(client: httpx.Client) -> None:
    assert set_reference(client, coffee(), owner="types/deluxe").json()["kind"] == "type"
    set_reference(client, astronaut(), owner="202")
    photo, _ = from_elsewhere(coffee())
    assert analyze(client, "201", photo, room_type="deluxe").json()["compared_with"] == [0]
    assert analyze(client, "201", photo).json()["compared_with"] == []
    assert analyze(client, "202", photo, room_type="deluxe").json()["compared_with"] == [None]
    assert client.delete(f"{API}/202/reference").json()["photos_deleted"] == 1
    assert analyze(client, "202", photo, room_type="deluxe").json()["compared_with"] == [0]


def test_a_reference_is_replaced_and_erased_with_its_photos(
    client: httpx.Client, records: Records, settings: Settings
) -> None:
    set_reference(client, coffee(), astronaut(), owner="R1", set_by="EMP005")
    first = client.get(f"{API}/R1/reference").json()
    assert (first["name"], first["set_by"], len(first["photo_urls"])) == ("R1", "EMP005", 2)
    assert picture_at(first["photo_urls"][0]).shape == coffee().shape
    set_reference(client, coffee(), owner="R1")
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert len(stored_objects(settings, "room_references/room/R1/")) == 1
    assert client.delete(f"{API}/R1/reference").json() == {
        "success": True,
        "kind": "room",
        "name": "R1",
        "photos_deleted": 1,
    }
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert stored_objects(settings, "room_references/room/R1/") == set()
    gone = client.get(f"{API}/R1/reference")
    assert (gone.status_code, gone.json()["code"]) == (404, "reference_unknown")
    assert client.delete(f"{API}/R1/reference").status_code == 404


def test_references_set_at_once_leave_one(client: httpx.Client, records: Records, settings: Settings) -> None:
    told = records.at_once(3, lambda: set_reference(client, coffee(), owner="R2").status_code)
    assert told == [200, 200, 200]
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert len(stored_objects(settings, "room_references/room/R2/")) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"images": []}, "validation_error"),
        ({"images": ["AAAA"] * 7}, "validation_error"),
        ({"images": ["AAAA"]}, "unsupported_image"),
        ({"items": [item("towel", PLACE, photo=1)]}, "photo_unknown"),
        ({"items": [item("towel", Box(590, 390, 610, 410))]}, "item_outside_photo"),
        ({"items": [item("", PLACE)]}, "validation_error"),
        ({"items": [item("towel", PLACE)] * 51}, "validation_error"),
    ],
    ids=str,
)
def test_bad_references_are_refused_and_change_nothing(
    client: httpx.Client, records: Records, fields: dict[str, Any], code: str
) -> None:
    answer = set_reference(client, coffee(), **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert records.count("room_references") == 0


def test_a_photo_that_shows_nothing_is_no_reference(client: httpx.Client) -> None:
    answer = set_reference(client, np.full((300, 400, 3), 200, np.uint8))
    assert (answer.status_code, answer.json()["code"]) == (422, "reference_too_plain")

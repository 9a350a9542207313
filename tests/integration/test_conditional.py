"""ETag and If-None-Match on what clients ask for again and again."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.test_api_face import enroll
from tests.photos import astronaut, base64_jpeg, coffee

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"


def tag_of(client: httpx.Client, path: str) -> str:
    answer = client.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-cache"
    return answer.headers["etag"]


def status_with(client: httpx.Client, path: str, tag: str) -> int:
    answer = client.get(f"{API}/{path}", headers={"If-None-Match": tag})
    if answer.status_code == 304:
        assert answer.content == b""
        assert "etag" in answer.headers
    return answer.status_code


def test_a_room_that_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    client.post(f"{API}/room/101/feedback", json={"status": "clean"})
    for path in ("room/status/101", "room/status"):
        tag = tag_of(client, path)
        assert [status_with(client, path, one) for one in (tag, f'"x", {tag}', "*", '"x"')] == [304, 304, 304, 200]
    tag = tag_of(client, "room/status/101")
    client.post(f"{API}/room/101/feedback", json={"status": "dirty"})
    assert status_with(client, "room/status/101", tag) == 200


def test_a_picture_is_the_same_though_its_addresses_are_signed_anew(client: httpx.Client) -> None:
    body = {"image": base64_jpeg(coffee()), "metadata": {"category": "lost_found"}}
    path = f"image/{client.post(f'{API}/image/index', json=body).json()['image_id']}"
    tag = tag_of(client, path)
    assert status_with(client, path, tag) == 304
    client.patch(f"{API}/{path}", json={"status": "disposed"})
    assert status_with(client, path, tag) == 200


def test_templates_and_people_have_tags(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    for path in ("face/EMP001", "face/embedding/EMP001"):
        assert status_with(client, path, tag_of(client, path)) == 304


def test_what_is_not_there_has_no_tag(client: httpx.Client) -> None:
    answer = client.get(f"{API}/room/status/999", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert "etag" not in answer.headers

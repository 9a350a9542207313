"""Image search over HTTP, with real backends behind it."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage

from app.types import Image
from tests.backends import BackendName, RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.photos import astronaut, base64_jpeg, cat, coffee, group, jpeg, varied

API = "/api/v1/cv/image"
TIMEOUT_S = 1.0


def index(client: httpx.Client, image: Image, *, allow_duplicate: bool = False, **metadata: object) -> httpx.Response:
    return client.post(
        f"{API}/index",
        json={
            "image": base64_jpeg(image),
            "metadata": {"category": "lost_found", **metadata},
            "allow_duplicate": allow_duplicate,
        },
    )


def indexed(client: httpx.Client, image: Image, **metadata: Any) -> str:
    answer = index(client, image, **metadata)
    assert answer.status_code == 200, answer.text
    image_id: str = answer.json()["image_id"]
    return image_id


def search(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post(f"{API}/search", json=body)


def found(client: httpx.Client, **body: object) -> list[str]:
    """Ids of the results, whatever their similarity unless the body says otherwise."""
    answer = search(client, **({"query_text": "cup", "threshold": 0.0} | body))
    assert answer.status_code == 200, answer.text
    return [result["image_id"] for result in answer.json()["results"]]


def tinted(hue: int) -> Image:
    """The cup in another colour: a picture of its own."""
    hsv = cv2.cvtColor(coffee(), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + hue) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.uint8)


def numbered_cup(number: int) -> Image:
    """A picture of its own for every number."""
    return tinted(number % 180)[number // 180 :]


def assert_problem(answer: httpx.Response, status: int, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if code is not None:
        assert answer.json()["code"] == code


# --- indexing ---


def test_index_answers_as_the_spec_says(client: httpx.Client, records: Records) -> None:
    answer = index(
        client, coffee(), category="room", room_number="201", tags=["Clean", "ready", "clean"], photographer="EMP005"
    ).json()
    today = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%Y%m%d")
    assert answer["success"] is True
    assert answer["image_id"].startswith(f"IMG_ROOM_201_{today}")
    assert answer["vector_id"].startswith("vec_img_")
    assert "duplicate_of" not in answer
    [row] = records.rows("SELECT * FROM image_metadata")
    assert row["id"] == answer["image_id"]
    assert row["vector_id"] == answer["vector_id"]
    assert row["tags"] == ["clean", "ready"]
    assert row["uploaded_by"] == "EMP005"
    assert row["storage_url"].endswith(f"/rooms/201/{answer['image_id']}.jpg")
    assert records.image_vectors() == [answer["vector_id"]]


def test_stored_pictures_can_be_fetched_without_credentials(client: httpx.Client) -> None:
    answer = index(client, astronaut()).json()
    original = httpx.get(answer["storage_url"])
    thumbnail = httpx.get(answer["thumbnail_url"])
    assert original.status_code == thumbnail.status_code == 200
    assert original.headers["content-type"] == "image/jpeg"
    assert PillowImage.open(io.BytesIO(original.content)).size == (512, 512)
    assert max(PillowImage.open(io.BytesIO(thumbnail.content)).size) == 320
    assert httpx.get(answer["storage_url"].partition("?")[0]).status_code in (401, 403)


def test_position_and_orientation_are_taken_out_of_the_file(client: httpx.Client) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif.get_ifd(0x8825)[1] = "N"  # a GPS position
    file = io.BytesIO()
    PillowImage.fromarray(coffee()[:, :, ::-1]).save(file, "JPEG", exif=exif)
    answer = client.post(
        f"{API}/index",
        files={"image": ("cup.jpg", file.getvalue(), "image/jpeg")},
        data={"metadata": '{"category": "amenity"}'},
    ).json()
    stored = PillowImage.open(io.BytesIO(httpx.get(answer["storage_url"]).content))
    assert not stored.getexif()
    height, width = coffee().shape[:2]
    assert stored.size == (height, width)


def test_the_same_picture_is_reported_and_not_stored_twice(client: httpx.Client, records: Records) -> None:
    first = indexed(client, coffee())
    again = index(client, coffee(), description="again").json()
    assert again["duplicate_of"] == again["image_id"] == first
    assert records.count("image_metadata") == 1
    assert index(client, coffee(), category="amenity").json()["image_id"] != first
    asked_for = index(client, coffee(), allow_duplicate=True).json()
    assert asked_for["image_id"] != first
    assert "duplicate_of" not in asked_for
    assert records.count("image_metadata") == 3


def test_the_same_picture_sent_at_once_is_stored_once(client: httpx.Client, records: Records) -> None:
    answers = records.at_once(4, lambda: index(client, coffee()))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["image_id"] for answer in answers}) == 1
    assert records.count("image_metadata") == 1
    Records.wait_until(lambda: len(records.image_vectors()) == 1)
    Records.wait_until(lambda: records.count("pending_removals") == 0)


# --- searching ---


def test_a_picture_finds_itself_and_another_photo_of_it(client: httpx.Client) -> None:
    cup = indexed(client, coffee(), item_type="cup", location="Floor 2 hallway", description="White cup")
    indexed(client, group())
    answer = search(client, query_image=base64_jpeg(coffee()), category="lost_found").json()
    assert answer["total_is_exact"] is True
    assert answer["search_time_ms"] >= 0
    best = answer["results"][0]
    assert best["image_id"] == cup
    assert best["similarity"] > 0.99
    assert best["metadata"]["location"] == "Floor 2 hallway"
    assert best["metadata"]["item_type"] == "cup"
    assert best["metadata"]["upload_time"].endswith("Z")
    assert httpx.get(best["thumbnail_url"]).status_code == 200
    assert found(client, query_text=None, query_image=base64_jpeg(varied(coffee())), top_k=1) == [cup]


@pytest.mark.parametrize("text", ["coffee mug", "tách cà phê", "tach ca phe"])
def test_words_find_pictures_in_both_languages(client: httpx.Client, text: str) -> None:
    cup = indexed(client, coffee())
    indexed(client, group())
    indexed(client, astronaut())
    assert found(client, query_text=text)[0] == cup


def test_words_refine_a_picture(client: httpx.Client) -> None:
    people = indexed(client, group())
    cup = indexed(client, coffee())
    alone = search(client, query_image=base64_jpeg(group()), threshold=0.0).json()["results"]
    both = search(client, query_image=base64_jpeg(group()), query_text="cup", threshold=0.0).json()["results"]
    similarity = {result["image_id"]: result["similarity"] for result in alone}
    refined = {result["image_id"]: result["similarity"] for result in both}
    assert similarity[people] > similarity[cup]
    assert refined[cup] > similarity[cup]


def test_the_threshold_bounds_results_and_total(client: httpx.Client) -> None:
    indexed(client, coffee())
    indexed(client, group())
    everything = search(client, query_image=base64_jpeg(coffee()), threshold=0.0).json()
    default = search(client, query_image=base64_jpeg(coffee())).json()
    assert everything["total_found"] == 2
    assert default["total_found"] == len(default["results"]) == 1
    assert all(result["similarity"] >= 0.7 for result in default["results"])


def test_pages_follow_each_other(client: httpx.Client) -> None:
    ids = {indexed(client, tinted(hue)) for hue in (0, 30, 60, 90, 120)}
    pages = [found(client, top_k=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert {image_id for page in pages for image_id in page} == ids


def test_results_come_most_similar_first(client: httpx.Client) -> None:
    for image in (coffee(), group(), astronaut(), tinted(60)):
        indexed(client, image)
    results = search(client, query_image=base64_jpeg(coffee()), threshold=0.0).json()["results"]
    similarities = [result["similarity"] for result in results]
    assert similarities == sorted(similarities, reverse=True)
    assert len(results) == 4


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"room_number": "201"}, True),
        ({"room_number": "202"}, False),
        ({"item_type": "Coffee  CUP"}, True),
        ({"item_type": "cup"}, False),
        ({"tags": ["red"]}, True),
        ({"tags": ["red", "100% new_ish"]}, True),
        ({"tags": ["red", "blue"]}, False),
        ({"tags": ["re"]}, False),
        ({"location": "floor 2"}, True),
        ({"location": "floor 3"}, False),
        ({"location": '50%_"quoted"'}, True),
        ({"status": "active"}, True),
        ({"status": "returned_to_guest"}, False),
        ({"tags": ['red" or "1" == "1']}, False),
        ({"location": "') OR 1=1 --"}, False),
    ],
)
def test_filters(client: httpx.Client, filters: dict[str, Any], matches: bool) -> None:
    cup = indexed(
        client,
        coffee(),
        category="room",
        room_number="201",
        item_type="coffee cup",
        tags=["Red", "100% new_ish"],
        location='Floor 2, 50%_"quoted" shelf',
    )
    indexed(client, group(), category="room", room_number="900", status="disposed")
    assert found(client, category="room", filters=filters) == ([cup] if matches else [])
    listed = client.get(API, params={"category": "room", **filters}).json()["images"]
    assert [image["image_id"] for image in listed] == ([cup] if matches else [])


def test_a_filter_never_costs_a_result(client: httpx.Client) -> None:
    """The rows that a filter leaves are far from the query and behind many nearer ones."""
    for hue in range(0, 180, 15):
        indexed(client, tinted(hue))
    far = indexed(client, group(), category="amenity")
    assert found(client, query_text=None, query_image=base64_jpeg(coffee()), category="amenity", top_k=1) == [far]


def test_date_ranges_hold_both_days(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    hotel_today = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date()
    day, before, after = (str(hotel_today + timedelta(days=shift)) for shift in (0, -1, 1))
    for start, end, expected in ((day, day, [cup]), (before, after, [cup]), (before, before, []), (after, after, [])):
        assert found(client, filters={"date_range": {"start": start, "end": end}}) == expected
        assert [
            i["image_id"] for i in client.get(API, params={"start": start, "end": end}).json()["images"]
        ] == expected
    assert found(client, filters={"date_range": {"start": day}}) == [cup]
    assert found(client, filters={"date_range": {"end": before}}) == []
    assert records.count("image_metadata") == 1


def test_an_empty_collection_has_no_results(client: httpx.Client) -> None:
    answer = search(client, query_text="cup").json()
    assert answer["results"] == []
    assert answer["total_found"] == 0
    assert answer["total_is_exact"] is True


# --- one picture ---


def test_get_change_delete(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee(), tags=["cup"], description="left in the bar")
    shown = client.get(f"{API}/{cup}").json()
    assert shown["metadata"]["description"] == "left in the bar"
    assert (shown["height"], shown["width"]) == coffee().shape[:2]
    changed = client.patch(
        f"{API}/{cup}", json={"status": "returned_to_guest", "tags": ["claimed"], "description": None}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["metadata"]["status"] == "returned_to_guest"
    assert "description" not in changed.json()["metadata"]
    assert found(client, filters={"status": "returned_to_guest", "tags": ["claimed"]}) == [cup]
    assert found(client, filters={"status": "active"}) == []
    assert found(client, filters={"tags": ["cup"]}) == []
    Records.wait_until(lambda: len(records.image_vectors()) == 1)
    url = shown["url"]
    assert client.delete(f"{API}/{cup}").json() == {"success": True, "image_id": cup}
    assert found(client) == []
    assert records.count("image_metadata") == records.count("image_assets") == 0
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    assert records.image_vectors() == []
    assert httpx.get(url).status_code == 404
    assert records.count("audit_log", f"action = 'image.delete' AND subject = '{cup}'") == 1
    for call in (client.get, client.delete):
        assert_problem(call(f"{API}/{cup}"), 404, "image_not_found")
    assert_problem(client.patch(f"{API}/{cup}", json={"status": "lost"}), 404, "image_not_found")


def test_a_new_description_leaves_the_vector_alone(client: httpx.Client) -> None:
    before = index(client, coffee()).json()
    after = client.patch(f"{API}/{before['image_id']}", json={"description": "new"}).json()
    assert after["vector_id"] == before["vector_id"]
    assert after["metadata"]["description"] == "new"


def test_lists_go_on_where_the_page_before_ended(client: httpx.Client) -> None:
    ids = [indexed(client, tinted(hue)) for hue in (0, 40, 80, 120)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get(API, params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [image["image_id"] for image in page["images"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert seen == ids[::-1]


# --- bad input ---


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query_text": "  ,. "},
        {"query_text": "cup", "category": "rooms"},
        {"query_text": "cup", "category": "lost-found"},
        {"query_text": "cup", "top_k": 0},
        {"query_text": "cup", "top_k": 10_000},
        {"query_text": "cup", "offset": -1},
        {"query_text": "cup", "threshold": 1.5},
        {"query_text": "x" * 501},
        {"query_text": "cup\x00"},
        {"query_image": "not base64!"},
        {"query_text": "cup", "filters": {"date_range": {"start": "17.01.2025"}}},
        {"query_text": "cup", "filters": {"date_range": {"start": 5}}},
        {"query_text": "cup", "filters": {"room_number": "201' or '1'='1"}},
        {"query_text": "cup", "filters": {"tags": [""]}},
    ],
)
def test_bad_searches_are_refused(client: httpx.Client, body: dict[str, object]) -> None:
    assert_problem(search(client, **body), 422)


def test_the_refusal_of_a_category_lists_those_that_there_are(client: httpx.Client) -> None:
    answer = search(client, query_text="cup", category="rooms")
    assert "'room', 'lost_found' or 'amenity'" in answer.text


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_a_threshold_that_is_no_number_is_refused(client: httpx.Client, literal: str) -> None:
    answer = client.post(
        f"{API}/search",
        content=f'{{"query_text": "cup", "threshold": {literal}}}',
        headers={"content-type": "application/json"},
    )
    assert_problem(answer, 422)


def test_a_reversed_date_range_is_refused(client: httpx.Client) -> None:
    dates = {"start": "2025-02-01", "end": "2025-01-01"}
    assert_problem(search(client, query_text="cup", filters={"date_range": dates}), 422, "reversed_date_range")
    assert_problem(client.get(API, params=dates), 422, "reversed_date_range")


def test_what_is_no_picture_is_refused(client: httpx.Client, records: Records) -> None:
    for data, code in ((b"", "empty_image"), (b"hello", "unsupported_image"), (jpeg(coffee())[:2000], "damaged_image")):
        answer = client.post(
            f"{API}/index", files={"image": ("x.jpg", data, "image/jpeg")}, data={"metadata": '{"category": "room"}'}
        )
        assert_problem(answer, 422, code)
    assert records.count("image_metadata") == 0


@pytest.mark.parametrize("image_id", ["IMG_LF_1", "x" * 100])
def test_unknown_ids_are_not_found(client: httpx.Client, image_id: str) -> None:
    assert_problem(client.get(f"{API}/{image_id}"), 404, "image_not_found")


@pytest.mark.parametrize("change", [{}, {"status": "Returned!"}, {"tags": ["x"] * 33}, {"status": None}])
def test_bad_changes_are_refused(client: httpx.Client, change: dict[str, object]) -> None:
    cup = indexed(client, coffee())
    assert_problem(client.patch(f"{API}/{cup}", json=change), 422)


@pytest.mark.parametrize("cursor", ["x", "bm90IG91cnM", "MjAyNS0wMS0wMXxh"])
def test_a_foreign_cursor_is_refused(client: httpx.Client, cursor: str) -> None:
    assert_problem(client.get(API, params={"cursor": cursor}), 422, "invalid_cursor")


# --- outages ---


@pytest.fixture
def service(start_service: Start) -> Iterator[Service]:
    with start_service(BACKEND_TIMEOUT_S=TIMEOUT_S) as service:
        yield service


@pytest.mark.parametrize("name", ["objects", "milvus", "postgres"])
def test_an_outage_while_indexing_leaves_nothing_half_done(
    service: Service, backends: RunningBackends, name: BackendName
) -> None:
    before = set(service.records.objects("lost-found/"))
    with backends.without(name):
        assert_problem(index(service.client, coffee()), 503, "backend_unavailable")
    assert service.records.count("image_metadata") == 0
    Records.wait_until(lambda: index(service.client, coffee()).status_code == 200)
    assert service.records.count("image_metadata") == 1
    Records.wait_until(lambda: service.records.count("pending_removals") == 0)
    assert len(service.records.image_vectors()) == 1
    assert len(found(service.client)) == 1
    [row] = service.records.rows("SELECT object_key, thumbnail_key FROM image_assets")
    assert set(service.records.objects("lost-found/")) - before == set(row.values())


@pytest.mark.parametrize("name", ["objects", "milvus"])
def test_a_backend_killed_while_pictures_are_indexed_leaves_whole_pictures_or_none(
    service: Service, backends: RunningBackends, name: BackendName
) -> None:
    client, records = service.client, service.records
    before = set(records.objects("lost-found/"))
    numbers, answers = itertools.count(), dict[int, int]()

    def send_until_refused() -> None:
        for number in numbers:
            answers[number] = index(client, numbered_cup(number)).status_code
            if answers[number] != 200:
                return

    with ThreadPoolExecutor(3) as threads:
        senders = [threads.submit(send_until_refused) for _ in range(3)]
        Records.wait_until(lambda: len(answers) >= 4)
        backends.kill(name)
        try:
            for sender in senders:
                sender.result()
        finally:
            backends.start(name)
    refused = [number for number, status in answers.items() if status != 200]
    assert [answers[number] for number in refused] == [503] * 3
    assert records.count("image_metadata") == len(answers) - 3
    for number in refused:
        is_indexed = partial(lambda one: index(client, numbered_cup(one)).status_code == 200, number)
        Records.wait_until(is_indexed)
    assert records.count("image_metadata") == len(answers)
    Records.wait_until(lambda: records.count("pending_removals") == 0)
    rows = records.rows("SELECT object_key, thumbnail_key FROM image_assets")
    assert set(records.objects("lost-found/")) - before == {key for row in rows for key in row.values()}
    assert len(records.image_vectors()) == len(answers)
    assert len(set(found(client, top_k=100))) == min(len(answers), 100)


def test_a_service_killed_in_the_middle_of_indexing_leaves_no_half_picture(start_service: Start) -> None:
    with start_service() as service:
        records = service.records
        acknowledged: list[str] = []
        with records.separate_process() as (process, client):
            killer = threading.Timer(0.7, process.kill)
            killer.start()
            for number in range(1000):
                try:
                    answer = index(client, tinted(number % 180), allow_duplicate=True)
                except httpx.HTTPError:
                    break
                assert answer.status_code == 200
                acknowledged.append(answer.json()["image_id"])
            killer.join()
        stored = {row["id"] for row in records.rows("SELECT id FROM image_metadata")}
        assert stored >= set(acknowledged)
        assert records.count("image_metadata") == records.count("image_assets")
        records.wait_until(lambda: set(found(service.client, top_k=100)) == stored)  # another process inserted them
        for image_id in stored:
            shown = service.client.get(f"{API}/{image_id}").json()
            assert httpx.get(shown["url"]).status_code == httpx.get(shown["thumbnail_url"]).status_code == 200


def test_searching_needs_no_object_store(service: Service, backends: RunningBackends) -> None:
    cup = indexed(service.client, coffee())
    with backends.without("objects"):
        assert found(service.client) == [cup]


def test_searching_needs_the_record(service: Service, backends: RunningBackends) -> None:
    indexed(service.client, coffee())
    with backends.without("postgres"):
        assert_problem(search(service.client, query_text="cup"), 503, "backend_unavailable")
    Records.wait_until(lambda: search(service.client, query_text="cup").status_code == 200)


def test_searching_goes_on_without_the_index(service: Service, backends: RunningBackends) -> None:
    cup = indexed(service.client, coffee())
    with backends.without("milvus"):
        assert found(service.client) == [cup]
        assert service.client.delete(f"{API}/{cup}").status_code == 200
        assert found(service.client) == []
    Records.wait_until(lambda: index(service.client, coffee()).status_code == 200)
    assert len(found(service.client)) == 1


@pytest.mark.parametrize("name", ["milvus", "postgres"])
def test_a_search_in_the_index_needs_both(start_service: Start, backends: RunningBackends, name: BackendName) -> None:
    with start_service(BACKEND_TIMEOUT_S=TIMEOUT_S, IMAGE_SEARCH="index") as service:
        cup = indexed(service.client, coffee())
        # A Milvus that the test before began again may take seconds until it finds what it was given.
        Records.wait_until(lambda: found(service.client) == [cup])
        everything = search(service.client, query_text="cup", threshold=0.0).json()
        assert (everything["total_found"], everything["total_is_exact"]) == (1, True)
        with backends.without(name):
            assert_problem(search(service.client, query_text="cup"), 503, "backend_unavailable")
        Records.wait_until(lambda: search(service.client, query_text="cup").status_code == 200)


def test_deleting_without_milvus_counts_at_once_and_is_finished_later(
    service: Service, backends: RunningBackends
) -> None:
    cup = indexed(service.client, coffee())
    with backends.without("milvus"):
        assert service.client.delete(f"{API}/{cup}").status_code == 200
        assert service.client.get(f"{API}/{cup}").status_code == 404
    Records.wait_until(lambda: service.records.image_vectors() == [])


def test_a_change_that_milvus_refuses_changes_nothing(service: Service, backends: RunningBackends) -> None:
    cup = indexed(service.client, coffee())
    with backends.without("milvus"):
        assert_problem(service.client.patch(f"{API}/{cup}", json={"status": "disposed"}), 503)
    assert service.client.get(f"{API}/{cup}").json()["metadata"]["status"] == "active"
    Records.wait_until(lambda: search(service.client, query_text="cup").status_code == 200)
    assert found(service.client) == [cup]


def test_an_orphan_vector_is_never_a_result(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    records.rows("DELETE FROM image_metadata")  # as after a crash between Milvus and PostgreSQL
    assert found(client) == []
    assert_problem(client.get(f"{API}/{cup}"), 404)


def test_urls_are_signed_for_the_public_endpoint(start_service: Start) -> None:
    with start_service(STORAGE_PUBLIC_ENDPOINT="https://pictures.hotel.example", IMAGE_URL_LIFETIME_S=60) as service:
        url = index(service.client, coffee()).json()["storage_url"]
    assert url.startswith("https://pictures.hotel.example/")
    assert "X-Amz-Expires=60" in url


def test_metrics_name_the_category(client: httpx.Client) -> None:
    indexed(client, coffee())
    found(client, category="lost_found")
    told = client.get("/api/v1/cv/metrics").text
    assert 'cv_image_search_total{category="lost_found"}' in told
    assert 'cv_image_index_total{category="lost_found",status="success"}' in told
    assert "cv_image_search_duration_seconds_count" in told


def test_the_same_picture_is_found_at_a_threshold_of_one(client: httpx.Client) -> None:
    image = index(client, coffee()).json()["image_id"]
    index(client, cat())
    body = {"query_image": base64_jpeg(coffee()), "threshold": 1.0}
    found = client.post(f"{API}/search", json=body).json()["results"]
    assert [(one["image_id"], one["similarity"]) for one in found] == [(image, 1.0)]


def test_filters_fold_marks_and_take_wildcards_for_letters(client: httpx.Client) -> None:
    about: dict[str, Any] = {
        "category": "lost_found",
        "location": "Sảnh tầng 2",
        "item_type": "Ví da",
        "tags": ["Màu Đỏ", "100%_x"],
    }
    image = index(client, coffee(), **about).json()["image_id"]
    for filters, is_found in (
        ({"location": "tang 2"}, True),
        ({"location": "TA\u0302\u0300NG"}, True),
        ({"location": "tầng_2"}, False),
        ({"item_type": "vi da"}, True),
        ({"item_type": "vi%"}, False),
        ({"tags": ["mau do"]}, True),
        ({"tags": ["100%_x"]}, True),
        ({"tags": ["100__x"]}, False),
    ):
        expected = [image] if is_found else []
        answer = client.get(API, params=filters)
        assert answer.status_code == 200, answer.text
        assert [one["image_id"] for one in answer.json()["items"]] == expected, filters
        body = {"query_image": base64_jpeg(coffee()), "threshold": 0, "filters": filters}
        found = client.post(f"{API}/search", json=body).json()["results"]
        assert [one["image_id"] for one in found] == expected, filters


def test_search_and_list_agree_on_the_end_to_the_microsecond(client: httpx.Client, records: Records) -> None:
    image = index(client, coffee()).json()["image_id"]
    records.rows("UPDATE image_metadata SET upload_time = date_trunc('second', upload_time) + INTERVAL '500001 us'")
    [row] = records.rows("SELECT upload_time FROM image_metadata")
    moment = row["upload_time"]
    for end, is_there in ((moment, True), (moment - timedelta(microseconds=1), False)):
        listed = client.get(API, params={"end": end.isoformat()}).json()["items"]
        body = {"query_image": base64_jpeg(coffee()), "filters": {"date_range": {"end": end.isoformat()}}}
        found = client.post(f"{API}/search", json=body).json()["results"]
        assert [one["image_id"] for one in listed] == [one["image_id"] for one in found] == [image] * is_there


def test_copies_of_a_picture_are_told(client: httpx.Client) -> None:
    image = index(client, coffee(), category="lost_found").json()["image_id"]
    assert index(client, cat(), category="lost_found").json()["near_duplicates"] == []
    smaller = cv2.resize(coffee(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA).astype(np.uint8)
    [told] = index(client, smaller, category="lost_found").json()["near_duplicates"]
    assert told["image_id"] == image
    assert index(client, coffee()[:-3], category="amenity").json()["near_duplicates"] == []

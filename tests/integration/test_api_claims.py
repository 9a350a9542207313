"""Claims of lost property over HTTP: held against finds of then and of later, handed over, erased."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest

from app.composition.backends import open_vault
from app.config import Settings
from app.services.database import Database
from app.workflows.claim_matching import ClaimRetention
from tests.event_schemas import problems
from tests.integration.records import Records
from tests.integration.test_api_image import indexed
from tests.integration.test_lists import pages
from tests.photos import astronaut, base64_jpeg, cat, coffee
from tests.waiting import wait_until

pytestmark = pytest.mark.any_server

API = "/api/v1/cv/lost-found/claims"
CUP: dict[str, Any] = {"description": "a red cup of coffee", "contact": "Anna, +46 70 174 06 05"}


def claim(client: httpx.Client, status: int = 201, **fields: Any) -> dict[str, Any]:
    answer = client.post(API, json=fields)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def change(client: httpx.Client, claim_id: str, status: int = 200, **fields: Any) -> dict[str, Any]:
    answer = client.patch(f"{API}/{claim_id}", json=fields)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def hand_over(client: httpx.Client, claim_id: str, image_id: str) -> httpx.Response:
    body = {"image_id": image_id, "received_by": "Anna Eriksson", "paper_seen": "passport", "handed_over_by": "DESK01"}
    return client.post(f"{API}/{claim_id}/hand-over", json=body)


def state(client: httpx.Client, claim_id: str) -> str:
    found: str = client.get(f"{API}/{claim_id}").json()["state"]
    return found


def suggested(client: httpx.Client, claim_id: str) -> list[str]:
    return [one["image_id"] for one in client.get(f"{API}/{claim_id}/suggestions").json()["suggestions"]]


def drained(records: Records) -> bool:
    return records.count("new_finds") == 0


def test_a_photo_is_matched_with_a_find_of_then(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    indexed(client, cat())
    indexed(client, coffee()[:, ::-1], category="amenity")
    wait_until(lambda: drained(records))
    made = claim(client, image=base64_jpeg(coffee()[5:]), contact="Anna")
    assert made["state"] == "matched"
    assert made["suggestions"][0]["image_id"] == cup
    assert len(made["suggestions"]) == 2
    assert made["suggestions"][0]["reasons"] == ["looks_alike"]
    [event] = records.events("lost_found.match")
    assert (event["claim_id"], event["image_id"]) == (made["claim_id"], cup)
    assert problems(event) == []


def test_a_find_of_later_is_announced_once(client: httpx.Client, records: Records) -> None:
    made = claim(client, image=base64_jpeg(coffee()[5:]))
    assert (made["state"], made["suggestions"]) == ("open", [])
    indexed(client, cat())
    cup = indexed(client, coffee())
    wait_until(lambda: state(client, made["claim_id"]) == "matched")
    records.rows("INSERT INTO new_finds (image_id) VALUES ($1)", cup)
    wait_until(lambda: drained(records))
    assert [event["image_id"] for event in records.events("lost_found.match")] == [cup]


def test_a_find_before_the_thing_was_lost_is_not_it(client: httpx.Client) -> None:
    indexed(client, coffee())
    made = claim(client, image=base64_jpeg(coffee()), lost_from="2999-01-01")
    assert (made["state"], made["suggestions"]) == ("open", [])


def test_words_and_the_room_order_suggestions_and_say_why(client: httpx.Client) -> None:
    elsewhere = indexed(client, cat(), room_number="305")
    cup = indexed(client, coffee(), room_number="201", location="Lobby bar")
    made = claim(client, **CUP, room_number="201", place="lobby")
    first, second = made["suggestions"]
    assert (first["image_id"], second["image_id"]) == (cup, elsewhere)
    assert first["reasons"] == ["as_described", "same_room", "same_place"]
    assert first["score"] > first["similarity"]
    assert second["reasons"] == ["as_described"]
    assert second["score"] == second["similarity"]


def test_a_dismissed_find_is_suggested_no_more(client: httpx.Client) -> None:
    cup = indexed(client, coffee())
    made = claim(client, image=base64_jpeg(coffee()[5:]))
    assert suggested(client, made["claim_id"]) == [cup]
    assert change(client, made["claim_id"], dismissed_finds=[cup])["state"] == "open"
    assert suggested(client, made["claim_id"]) == []


def test_new_words_are_searched_again(client: httpx.Client) -> None:
    cup, animal = indexed(client, coffee()), indexed(client, cat())
    made = claim(client, description="a cat")
    assert suggested(client, made["claim_id"])[0] == animal
    change(client, made["claim_id"], description="a cup of coffee", note="Told again")
    assert suggested(client, made["claim_id"])[0] == cup


def test_a_hand_over_is_noted_once_and_takes_the_find_away(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    mine, other = claim(client, **CUP)["claim_id"], claim(client, **CUP)["claim_id"]
    given = hand_over(client, mine, cup)
    assert given.status_code == 200, given.text
    record = given.json()["hand_over"]
    assert given.json()["state"] == "returned"
    assert (record["image_id"], record["received_by"], record["paper_seen"]) == (cup, "Anna Eriksson", "passport")
    assert hand_over(client, mine, cup).json()["hand_over"] == record
    assert client.get(f"/api/v1/cv/image/{cup}").json()["metadata"]["status"] == "returned_to_guest"
    assert hand_over(client, other, cup).json()["code"] == "find_handed_over"
    assert suggested(client, other) == []
    assert change(client, mine, 409, state="open")["code"] == "claim_returned"
    assert records.count("audit_log", "action = 'claim.hand_over'") == 1


def test_a_closed_claim_waits_no_more(client: httpx.Client, records: Records) -> None:
    made = claim(client, image=base64_jpeg(coffee()[5:]))["claim_id"]
    change(client, made, state="closed")
    cup = indexed(client, coffee())
    wait_until(lambda: drained(records))
    assert records.events("lost_found.match") == []
    assert suggested(client, made) == []
    assert hand_over(client, made, cup).json()["code"] == "claim_closed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"contact": "Anna"},
        {"description": "?!"},
        {"description": "cup", "lost_from": "2026-02-02", "lost_until": "2026-02-01"},
        {"image": "bm8="},
        {"description": "c" * 501},
    ],
)
def test_what_cannot_be_searched_is_refused(client: httpx.Client, records: Records, wrong: dict[str, Any]) -> None:
    assert 400 <= client.post(API, json=wrong).status_code < 500
    assert records.count("lost_claims") == 0


def test_a_change_that_makes_no_sense_is_refused(client: httpx.Client) -> None:
    made = claim(client, **CUP, lost_from="2026-02-02")["claim_id"]
    assert change(client, made, 422, lost_until="2026-02-01")["code"] == "lost_until_before_lost_from"
    change(client, made, 422, description=None)
    assert change(client, str(uuid4()), 404, note="x")["code"] == "claim_not_found"
    assert hand_over(client, made, "IMG_NOWHERE").status_code == 404


def test_what_a_guest_says_lies_sealed_and_who_looks_is_audited(client: httpx.Client, records: Records) -> None:
    made = claim(client, **CUP)["claim_id"]
    [row] = records.rows("SELECT * FROM lost_claims")
    assert "Anna" not in str(row)
    assert "coffee" not in str(row)
    assert client.get(f"{API}/{made}").json()["contact"] == CUP["contact"]
    assert records.count("audit_log", "action = 'claim.see'") == 1


def test_claims_are_listed_newest_first_and_narrowed(client: httpx.Client) -> None:
    made = [claim(client, **CUP, room_number=room)["claim_id"] for room in ("101", "102", "103")]
    change(client, made[0], state="closed")
    listed = [one["claim_id"] for page in pages(client, "lost-found/claims") for one in page["items"]]
    assert listed == made[::-1]
    closed = client.get(API, params={"state": "closed"}).json()["items"]
    assert [one["claim_id"] for one in closed] == made[:1]
    assert [one["claim_id"] for one in client.get(API, params={"room_number": "102"}).json()["items"]] == made[1:2]
    assert client.get(API, params={"cursor": "x"}).json()["code"] == "invalid_cursor"


def test_a_label_names_nobody(client: httpx.Client) -> None:
    made = claim(client, **CUP, room_number="201")["claim_id"]
    answer = client.get(f"{API}/{made}/label")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    texts = [node.text for node in ElementTree.fromstring(answer.content).iter() if node.text]  # noqa: S314  # our own
    assert f"#{made[:8].upper()}" in texts
    assert "Room 201" in texts
    assert "Anna" not in answer.text


def test_claims_are_erased_when_asked_for_and_by_their_retention(
    client: httpx.Client, records: Records, settings: Settings
) -> None:
    indexed(client, astronaut())
    erased, old, kept = (claim(client, **CUP)["claim_id"] for _ in range(3))
    assert client.delete(f"{API}/{erased}").status_code == 200
    assert client.delete(f"{API}/{erased}").status_code == 404
    records.rows("UPDATE lost_claims SET changed_at = NOW() - INTERVAL '91 days' WHERE public_id::text = $1", old)

    async def end() -> int:
        url = settings.DATABASE_URL.get_secret_value()
        database = Database(url, max_size=1, timeout_s=5, vault=open_vault(settings))
        await database.open()
        try:
            return await ClaimRetention(database, days=90).step()
        finally:
            await database.close()

    assert asyncio.run(end()) == 1
    assert [str(row["public_id"]) for row in records.rows("SELECT public_id FROM lost_claims")] == [kept]

"""Stays over HTTP: registered from papers, completed by hand, listed, exported, erased."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import io
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from unittest.mock import ANY
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from openpyxl import load_workbook

from app.composition.backends import open_vault
from app.config import Settings
from app.services.database import Database
from app.services.stores import key_store, stay_store
from app.services.vault import MasterKeys, Vault, new_key
from app.workflows.stays import StayRetention
from synthetic_documents import citizen_card_2021, passport
from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.integration.test_api_ocr import encoded, read_id
from tests.integration.test_lists import pages
from tests.unit.test_stays import GUEST

pytestmark = pytest.mark.any_server

API = "/api/v1/cv/stays"

T = TypeVar("T")


@pytest.fixture(scope="module")
def reader(start_service: Start) -> Iterator[Service]:
    """A service that reads documents."""
    with start_service(OCR_ENABLED=True, INFERENCE_DEADLINE_S=200.0) as own:
        own.client.timeout = httpx.Timeout(240)
        yield own


@pytest.fixture
def service(client: httpx.Client, records: Records, settings: Settings) -> Service:
    """The shared service, which reads none."""
    return Service(client, records, settings)


def register(service: Service, status: int = 201, **fields: Any) -> dict[str, Any]:
    answer = service.client.post(API, json=fields)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def values(stay: dict[str, Any]) -> dict[str, str]:
    return {name: field["value"] for name, field in stay["fields"].items()}


def test_a_card_gives_the_record_and_what_is_missing_is_asked_for(reader: Service) -> None:
    card = citizen_card_2021(3)
    stay = register(reader, images=[encoded(card.image)], room_number="201", arrival="2026-06-01")
    assert stay["papers"] == [{"document_type": "id_card", "error": None}]
    assert stay["kind"] == "vietnamese"
    assert (stay["complete"], stay["missing"]) == (False, ["departure"])
    read = values(stay)
    assert read["document_number"] == card.fields["id_number"]
    assert read["full_name"] == card.fields["full_name"]
    assert read["date_of_birth"] == card.fields["date_of_birth"]
    done = reader.client.patch(f"{API}/{stay['stay_id']}", json={"departure": "2026-06-03"}).json()
    assert (done["complete"], done["missing"]) == (True, [])
    assert reader.client.get(f"{API}/{stay['stay_id']}").json()["fields"] == done["fields"]


def test_a_paper_that_was_read_before_is_taken_by_its_public_id(reader: Service) -> None:
    document = passport(5)
    read = read_id(reader.client, encoded(document.image)).json()
    stay = register(reader, result_ids=[read["public_id"]])
    assert stay["papers"] == [{"document_type": "passport", "error": None}]
    assert values(stay)["document_number"] == read["id_number"]
    assert values(stay)["document_expiry"] == read["expiry_date"]
    assert register(reader, 404, result_ids=[str(uuid4())])["code"] == "not_found"


def test_papers_come_as_files_too_and_one_that_is_none_is_named(reader: Service) -> None:
    card = citizen_card_2021(4)
    files = [("images", ("card.jpg", base64.b64decode(encoded(card.image)), "image/jpeg"))]
    answer = reader.client.post(API, files=files, data={"room_number": "305"})
    assert answer.status_code == 201, answer.text
    assert values(answer.json())["document_number"] == card.fields["id_number"]
    blank = register(reader, images=[encoded(np.full((400, 300, 3), 255, np.uint8))])
    assert blank["papers"] == [{"document_type": None, "error": "no_text_found"}]
    assert "full_name" in blank["missing"]


def test_papers_of_two_guests_are_refused(reader: Service) -> None:
    images = [encoded(citizen_card_2021(seed).image) for seed in (3, 4)]
    before = reader.records.count("stays")
    assert register(reader, 422, images=images)["code"] == "papers_of_several_people"
    assert reader.records.count("stays") == before


def test_a_record_takes_effect_once_for_one_key(service: Service) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = (service.client.post(API, json=GUEST, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert service.records.count("stays") == 1


def test_a_guest_by_hand_lies_sealed_and_whoever_looks_is_in_the_audit(service: Service) -> None:
    stay = register(service, **GUEST, changed_by="DESK01")
    assert (stay["complete"], stay["warnings"], stay["unsure"]) == (True, [], [])
    row = str(service.records.rows("SELECT * FROM stays")[0])
    assert [secret for secret in ("ERIKSSON", "AA1234567", "1990", "Swedish") if secret in row] == []
    assert service.client.get(f"{API}/{stay['stay_id']}").json()["created_by"] == "DESK01"
    assert service.client.delete(f"{API}/{stay['stay_id']}").json() == {"success": True, "stay_id": stay["stay_id"]}
    assert service.records.count("stays") == 0
    assert service.client.get(f"{API}/{stay['stay_id']}").status_code == 404
    entries = service.records.rows(
        "SELECT action, details FROM audit_log WHERE subject = $1 ORDER BY id", stay["stay_id"]
    )
    assert [entry["action"] for entry in entries] == ["stay.create", "stay.see", "stay.delete"]
    assert "ERIKSSON" not in str(entries)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"departure": "2026-05-01"}, "departure_before_arrival"),
        ({"arrival": "1.6.2026"}, "validation_error"),
        ({"gender": "unknown"}, "validation_error"),
        ({"document_number": "=1+1"}, "validation_error"),
        ({"full_name": "a\u0000b"}, "validation_error"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(service: Service, change: dict[str, str], code: str) -> None:
    stay = register(service, **GUEST)
    answer = service.client.patch(f"{API}/{stay['stay_id']}", json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert service.client.get(f"{API}/{stay['stay_id']}").json()["fields"] == stay["fields"]


def test_stays_are_listed_last_first_and_narrowed(service: Service) -> None:
    for room, arrival, departure in (
        ("101", "2026-06-01", "2026-06-05"),
        ("102", "2026-06-03", None),
        ("103", None, None),
    ):
        register(service, **{**GUEST, "room_number": room, "arrival": arrival, "departure": departure})
    found = pages(service.client, "stays")
    rooms = [[values(stay)["room_number"] for stay in page["items"]] for page in found]
    assert rooms == [["103", "102"], ["101"]]

    def listed(**wanted: Any) -> list[str]:
        items = service.client.get(API, params=wanted).json()["items"]
        return [values(stay)["room_number"] for stay in items]

    assert listed(present_on="2026-06-04") == ["102", "101"]
    assert listed(present_on="2026-06-05") == ["102"]
    assert listed(arriving_on="2026-06-01") == ["101"]
    assert listed(complete=True) == ["101"]
    assert listed(room_number="103") == ["103"]
    assert listed(kind="vietnamese") == []
    assert service.client.get(API, params={"cursor": "x"}).json()["code"] == "invalid_cursor"


def test_the_list_of_a_day_is_exported_in_every_format(service: Service) -> None:
    register(service, **{**GUEST, "full_name": "=cmd", "nationality": "VNM", "address": "Huế"})
    register(service, **GUEST)
    register(service, **{**GUEST, "full_name": "Later", "arrival": "2026-06-02"})

    def export(**wanted: Any) -> httpx.Response:
        return service.client.get(f"{API}/export", params={"date": "2026-06-01", **wanted})

    rows = list(csv.reader(io.StringIO(export(kind="vietnamese", format="csv").content.decode("utf-8-sig"))))
    assert [row[1] for row in rows] == ["Họ tên", "'=CMD"]
    sheet = load_workbook(io.BytesIO(export(kind="foreign").content)).worksheets[0]
    assert [row[1] for row in sheet.iter_rows(values_only=True)] == ["Họ tên", "ANNA ERIKSSON"]
    xml = export(kind="foreign", format="xml", guests="present")
    assert xml.headers["content-type"] == "application/xml"
    assert xml.content.decode().count("<THONG_TIN_KHACH>") == 1
    both = export(kind="foreign", format="xml", guests="present", date="2026-06-02").content.decode()
    assert both.index("ANNA ERIKSSON") < both.index("LATER")
    assert service.records.count("audit_log", "action = 'stay.export'") >= 4


def test_a_list_that_lacks_something_is_refused_unless_asked_for(service: Service) -> None:
    stay = register(service, **{**GUEST, "purpose": None})
    wanted = {"date": "2026-06-01", "kind": "foreign", "format": "csv"}
    refused = service.client.get(f"{API}/export", params=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "stays_incomplete")
    assert refused.json()["stay_ids"] == [stay["stay_id"]]
    assert service.client.get(f"{API}/export", params={**wanted, "kind": "vietnamese"}).status_code == 200
    allowed = service.client.get(f"{API}/export", params={**wanted, "incomplete": True})
    assert b"ANNA ERIKSSON" in allowed.content


def test_stays_end_with_their_retention(service: Service) -> None:
    register(service, **GUEST)
    kept = register(service, **{**GUEST, "departure": None, "arrival": None})
    service.records.rows("UPDATE stays SET departure = CURRENT_DATE - 31 WHERE departure IS NOT NULL")
    register(service, **{**GUEST, "arrival": "9998-12-01", "departure": "9998-12-02", "room_number": "999"})
    service.records.rows("UPDATE stays SET changed_at = NOW() - INTERVAL '431 days' WHERE room_number = '999'")

    async def end(database: Database) -> int:
        return await StayRetention(database, days=30).step()

    assert asyncio.run(_with_database(service, end)) == 2
    assert [str(row["public_id"]) for row in service.records.rows("SELECT public_id FROM stays")] == [kept["stay_id"]]


class _Enough(Exception):
    """Ends a transaction without its effects."""


def test_a_rotation_seals_stays_with_the_new_key(service: Service) -> None:
    stay_id = UUID(register(service, **GUEST)["stay_id"])
    first = open_vault(service.settings).keys.find(1)
    assert first is not None
    keys = MasterKeys(f"1:{base64.b64encode(first).decode()},2:{new_key()}")
    behind, names = [], []

    async def rotate(database: Database) -> None:
        with contextlib.suppress(_Enough):
            async with database.transaction() as connection:
                await key_store.let_seal(connection, 2)
                behind.append((await key_store.count_behind(connection, 2))["stays"])
                assert await stay_store.SEALED.seal_again(connection, unless=2, after_id=0, limit=10) == (1, [], ANY)
                behind.append((await key_store.count_behind(connection, 2))["stays"])
                found = await stay_store.find_stay(connection, stay_id)
                names.append(found.record["full_name"].value if found else None)
                raise _Enough

    asyncio.run(_with_database(service, rotate, vault=Vault(keys)))
    assert (behind, names) == ([1, 0], ["ANNA ERIKSSON"])


async def _with_database(service: Service, use: Callable[[Database], Awaitable[T]], vault: Vault | None = None) -> T:
    url = service.settings.DATABASE_URL.get_secret_value()
    database = Database(url, max_size=2, timeout_s=5, vault=vault or open_vault(service.settings))
    await database.open()
    try:
        return await use(database)
    finally:
        await database.close()

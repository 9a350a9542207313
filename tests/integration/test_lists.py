"""Lists: one style for all, and those of people and of read documents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from tests.integration.records import Records
from tests.integration.test_api_face import enroll
from tests.photos import astronaut, base64_jpeg, coffee, portrait

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"


def pages(client: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list, by their Link headers."""
    answer = client.get(f"{API}/{path}", params={"limit": 2, **params})
    found = []
    while True:
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append(page)
        assert page["limit"] == 2
        assert (page["next_cursor"] is None) == ("link" not in answer.headers)
        if page["next_cursor"] is None:
            return found
        address, _, rel = answer.headers["link"].partition(">; ")
        assert rel == 'rel="next"'
        assert address.startswith(f"<{API}/")
        answer = client.get(address[1:])


def add_people(records: Records, *names: str) -> None:
    for number, name in enumerate(names, start=1):
        records.rows("INSERT INTO employees (id, name, department) VALUES ($1, $2, $3)", f"E{number}", name, "Lễ tân")
        records.rows("INSERT INTO employee_faces (employee_id, vector_id) VALUES ($1, $2)", f"E{number}", f"v{number}")


def test_people_are_listed_by_id_and_found_by_name(client: httpx.Client, records: Records) -> None:
    add_people(records, "Nguyễn Văn A", "Trần Thị B", "Đặng Văn C", "100%_B", "E")
    found = pages(client, "face/people")
    assert [[person["employee_id"] for person in page["items"]] for page in found] == [
        ["E1", "E2"],
        ["E3", "E4"],
        ["E5"],
    ]
    for name, expected in (
        ("van", ["E1", "E3"]),
        ("DANG", ["E3"]),
        ("tran thị", ["E2"]),
        ("%_", ["E4"]),
        ("_b", ["E4"]),
    ):
        items = [person for page in pages(client, "face/people", name=name) for person in page["items"]]
        assert [person["employee_id"] for person in items] == expected, name
    assert len(pages(client, "face/people", department="le tan")) == 3
    assert pages(client, "face/people", department="le")[0]["items"] == []


def test_somebody_who_is_enrolled(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    person = client.get(f"{API}/face/EMP001").json()
    assert (person["employee_id"], person["name"], person["templates"]) == ("EMP001", "Name of EMP001", 1)
    assert person["enrolled_at"] == person["last_enrolled_at"]
    assert client.get(f"{API}/face/EMP002").json()["code"] == "face_not_enrolled"


def test_a_hotels_own_table_need_not_have_our_columns(client: httpx.Client, records: Records) -> None:
    add_people(records, "A")
    records.rows("ALTER TABLE employees RENAME COLUMN department TO abteilung")
    try:
        person = client.get(f"{API}/face/E1").json()
    finally:
        records.rows("ALTER TABLE employees RENAME COLUMN abteilung TO department")
    assert (person["name"], person["department"]) == ("A", None)


def test_pictures_and_rooms_are_listed_in_the_same_style(client: httpx.Client) -> None:
    for picture in (coffee(), astronaut(), portrait(0)):
        body = {"image": base64_jpeg(picture), "metadata": {"category": "lost_found"}}
        client.post(f"{API}/image/index", json=body)
    found = pages(client, "image")
    assert [len(page["items"]) for page in found] == [2, 1]
    assert all(page["items"] == page["images"] for page in found)
    for number in ("101", "102", "103"):
        client.post(f"{API}/room/{number}/feedback", json={"status": "clean"})
    board = pages(client, "room/status")
    assert [[room["room_number"] for room in page["items"]] for page in board] == [["101", "102"], ["103"]]


@pytest.mark.parametrize(
    "path",
    [
        "face/people",
        "image",
        "room/status",
        "room/101/history",
        "room/defects",
        "anomaly/incidents",
        "cameras",
        "ocr/results",
        "jobs",
    ],
)
@pytest.mark.parametrize("cursor", ["x", "W10", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OV0", "WyJhXHUwMDAwIl0", "W3RydWVd"])
def test_a_foreign_cursor_is_refused(client: httpx.Client, path: str, cursor: str) -> None:
    answer = client.get(f"{API}/{path}", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


def add_results(records: Records, *results: Mapping[str, Any]) -> None:
    records.rows("TRUNCATE ocr_results CASCADE")
    for result in results:
        [row] = records.rows(
            "INSERT INTO ocr_results (document_type, extracted_data, confidence) VALUES ($1, $2, 0.9) RETURNING id",
            result.get("type", "invoice"),
            json.loads(json.dumps(result)),
        )
        records.rows(
            "INSERT INTO ocr_result_records (result_id, confirmed_at) VALUES ($1, CASE WHEN $2 THEN NOW() END)",
            row["id"],
            result.get("confirmed", False),
        )


def test_read_documents_are_listed_without_anybodys_identity(client: httpx.Client, records: Records) -> None:
    add_results(
        records,
        {"vendor": "Công ty Điện lực", "date": "2025-01-17", "total_amount": 100, "confirmed": True},
        {"type": "passport", "full_name": "NGUYEN VAN A"},
        {"vendor": "ABC", "date": "2025-02-01"},
    )
    items = [item for page in pages(client, "ocr/results") for item in page["items"]]
    assert [item["document_type"] for item in items] == ["invoice", "passport", "invoice"]
    assert "NGUYEN" not in json.dumps(items)
    for params, count in (
        ({"confirmed": True}, 1),
        ({"vendor": "dien luc"}, 1),
        ({"document_type": "passport"}, 1),
        ({"start": "2020-01-01", "end": "2020-01-02"}, 0),
        ({"vendor": "%"}, 0),
    ):
        assert len(pages(client, "ocr/results", **params)[0]["items"]) == count, params


def test_confirmed_invoices_are_exported(client: httpx.Client, records: Records) -> None:
    add_results(
        records,
        {
            "vendor": "=HYPERLINK(1)",
            "date": "2025-01-17",
            "total_amount": 1500000,
            "currency": "VND",
            "confirmed": True,
        },
        {"vendor": "Không xác nhận", "date": "2025-01-18"},
        {"vendor": "Tháng hai", "date": "2025-02-01", "total_amount": 12.5, "confirmed": True},
    )
    path = f"{API}/ocr/results/export"
    answer = client.get(path)
    assert answer.headers["content-disposition"] == 'attachment; filename="invoices.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["vendor"], row["total_amount"]) for row in rows] == [
        ("Tháng hai", "12.5"),
        ("'=HYPERLINK(1)", "1500000"),
    ]
    book = load_workbook(io.BytesIO(client.get(path, params={"format": "xlsx", "end": "2025-01-31"}).content))
    [header, row] = book.worksheets[0].iter_rows()
    cells = {name.value: cell for name, cell in zip(header, row, strict=True)}
    assert (cells["vendor"].value, cells["vendor"].data_type) == ("=HYPERLINK(1)", "s")
    assert cells["total_amount"].value == 1500000
    assert records.count("audit_log", "action = 'ocr.export'") == 2

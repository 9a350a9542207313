"""Checking in by PIN and card, what devices kept offline, and the attendance of a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import zxingcpp
from pydantic import SecretStr

from tests.event_schemas import problems
from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.photos import astronaut, base64_jpeg, coffee

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
PIN, OTHER_PIN = "402917", "718304"
KEY = "first-key-of-the-hotel-0123456789abcdef"


def enrol(client: httpx.Client, employee_id: str = "EMP001") -> None:
    body = {"employee_id": employee_id, "images": [base64_jpeg(astronaut())], "metadata": {"name": "Eileen"}}
    assert client.post(f"{API}/face/enroll", json=body).status_code == 200


def give_pin(client: httpx.Client, pin: str = PIN, employee_id: str = "EMP001") -> httpx.Response:
    return client.put(f"{API}/attendance/passes/{employee_id}/pin", json={"pin": pin})


def check_in(client: httpx.Client, **by: Any) -> httpx.Response:
    return client.post(f"{API}/attendance/check-in", json={"camera_id": "kiosk", **by})


def by_pin(client: httpx.Client, pin: str = PIN, employee_id: str = "EMP001", **more: Any) -> httpx.Response:
    return check_in(client, employee_id=employee_id, pin=pin, **more)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def attendance(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{API}/attendance", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
def eileen(client: httpx.Client) -> httpx.Client:
    """The service, with one person enrolled."""
    enrol(client)
    return client


def test_a_pin_checks_in_with_the_event_of_a_face_and_its_method(eileen: httpx.Client, records: Records) -> None:
    given = give_pin(eileen).json()
    assert (given["employee_id"], given["card_issued_at"], given["pin_locked_until"]) == ("EMP001", None, None)
    found = by_pin(eileen).json()
    assert (found["employee_name"], found["method"], found["warnings"]) == ("Eileen", "pin", [])
    [event] = records.events("attendance.events")
    assert problems(event) == []
    assert event["event_id"] == found["event_id"]
    said = {name: event[name] for name in ("method", "confidence", "liveness_checked", "employee_name", "offline")}
    assert said == {
        "method": "pin",
        "confidence": None,
        "liveness_checked": False,
        "employee_name": "Eileen",
        "offline": False,
    }
    assert by_pin(eileen).json()["warnings"] == ["attendance_debounced"]
    face = {"image": base64_jpeg(astronaut()), "camera_id": "kiosk", "check_liveness": False}
    assert eileen.post(f"{API}/face/recognize", json=face).json()["warnings"] == ["attendance_debounced"]
    [entry] = attendance(eileen)
    assert (entry["method"], entry["state"], entry["event_id"]) == ("pin", "counted", event["event_id"])


def test_a_pin_is_stored_as_a_slow_hash_alone(eileen: httpx.Client, records: Records) -> None:
    give_pin(eileen)
    by_pin(eileen, OTHER_PIN)
    [row] = records.rows("SELECT pin_hash FROM attendance_passes")
    assert row["pin_hash"].startswith("$argon2id$")
    kept = [str(row) for row in [*records.rows("SELECT * FROM audit_log"), *records.rows("SELECT * FROM event_outbox")]]
    assert not [row for row in kept if PIN in row or OTHER_PIN in row]


@pytest.mark.parametrize("pin", ["11111", "111111", "123456", "987654", "890123", "40291a", "٤٠٢٩١٧", "1" * 13, ""])
def test_a_pin_that_is_guessed_first_is_none(eileen: httpx.Client, pin: str) -> None:
    answer = give_pin(eileen, pin)
    assert refused(answer) == (422, "validation_error")
    assert pin == "" or pin not in answer.text


def test_wrong_pins_lock_however_many_come_at_once_and_a_new_one_unlocks(
    eileen: httpx.Client, records: Records
) -> None:
    give_pin(eileen)
    wrong = records.at_once(8, lambda: refused(by_pin(eileen, OTHER_PIN)))
    assert sorted(wrong) == [(403, "pass_refused")] * 5 + [(429, "pin_locked")] * 3
    locked = by_pin(eileen)
    assert refused(locked) == (429, "pin_locked")
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    assert eileen.get(f"{API}/attendance/passes/EMP001").json()["pin_locked_until"] is not None
    give_pin(eileen, OTHER_PIN)
    assert by_pin(eileen, OTHER_PIN).status_code == 200
    actions = [
        row["action"] for row in records.rows("SELECT action FROM audit_log WHERE action LIKE '%.%' ORDER BY id")
    ]
    assert actions.count("attendance.refuse") == 5
    assert actions.count("pass.pin_set") == 2


def test_a_lock_ends_and_the_right_pin_forgets_wrong_ones(eileen: httpx.Client, records: Records) -> None:
    give_pin(eileen)
    for _ in range(2):
        for _ in range(4):
            by_pin(eileen, OTHER_PIN)
        assert by_pin(eileen).status_code == 200
    records.rows("UPDATE attendance_passes SET failures = 5, locked_until = NOW() - INTERVAL '1 second' RETURNING 1")
    assert refused(by_pin(eileen, OTHER_PIN)) == (403, "pass_refused")
    assert by_pin(eileen).status_code == 200


def test_who_has_no_pin_is_refused_as_who_has_another(eileen: httpx.Client) -> None:
    answers = [by_pin(eileen), by_pin(eileen, employee_id="NOBODY")]
    give_pin(eileen)
    answers.append(by_pin(eileen, OTHER_PIN))
    assert {(answer.status_code, answer.json()["code"], answer.json()["detail"]) for answer in answers} == {
        (403, "pass_refused", "This number and PIN do not belong together; try again.")
    }


def test_an_address_that_tries_too_often_waits(start_service: Start) -> None:
    with start_service(PASS_TRIES_PER_MINUTE=3) as guarded:
        answers = [refused(by_pin(guarded.client, employee_id=f"EMP{number}")) for number in range(5)]
    assert answers == [(403, "pass_refused")] * 3 + [(429, "rate_limited")] * 2


def test_a_pin_can_be_taken_away(eileen: httpx.Client) -> None:
    give_pin(eileen)
    path = f"{API}/attendance/passes/EMP001/pin"
    assert eileen.delete(path).json()["pin_set_at"] is None
    assert refused(eileen.delete(path)) == (404, "pass_not_found")
    assert refused(by_pin(eileen)) == (403, "pass_refused")
    assert refused(give_pin(eileen, employee_id="NOBODY")) == (404, "employee_unknown")
    assert refused(eileen.get(f"{API}/attendance/passes/NOBODY")) == (404, "employee_unknown")


def scanned(label: str) -> str:
    """A picture of a printed card, held a little askew before a camera, as base64."""
    code = zxingcpp.create_barcode(label, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    drawn = np.array(code.to_image(scale=6, add_quiet_zones=True))
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[100 : 100 + len(drawn), 300 : 300 + len(drawn)] = drawn[..., None]
    turned = cv2.warpAffine(frame, cv2.getRotationMatrix2D((640, 360), 8, 1.0), (1280, 720))
    return base64_jpeg(turned.astype(np.uint8))


def test_a_card_checks_in_by_what_it_says_and_by_its_picture(eileen: httpx.Client, records: Records) -> None:
    path = f"{API}/attendance/passes/EMP001/card"
    first = eileen.post(path).json()
    assert first["label"].startswith("<?xml")
    assert "Eileen" in first["label"]
    assert check_in(eileen, card=first["card"]).json()["method"] == "card"
    seen = check_in(eileen, image=scanned(first["card"]))
    assert seen.json()["warnings"] == ["attendance_debounced"]
    assert refused(check_in(eileen, image=base64_jpeg(coffee()))) == (422, "no_card")
    assert refused(check_in(eileen, image=scanned("https://hotel.example"))) == (422, "no_card")
    second = eileen.post(path).json()
    assert refused(check_in(eileen, card=first["card"])) == (403, "pass_refused")
    assert check_in(eileen, card=second["card"], camera_id="gate").status_code == 200
    assert eileen.delete(path).json()["card_issued_at"] is None
    assert refused(check_in(eileen, image=scanned(second["card"]))) == (403, "pass_refused")
    [row] = records.rows("SELECT card_digest FROM attendance_passes")
    assert row["card_digest"] is None
    assert [event["method"] for event in records.events("attendance.events")] == ["card", "card"]


@pytest.mark.parametrize(
    "by", [{}, {"employee_id": "EMP001"}, {"pin": PIN}, {"employee_id": "EMP001", "pin": PIN, "card": "cvc_x"}]
)
def test_one_way_in_is_named(client: httpx.Client, by: dict[str, str]) -> None:
    assert refused(check_in(client, **by)) == (422, "validation_error")


@pytest.fixture(scope="module")
def guarded(start_service: Start) -> Iterator[Service]:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY)) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started


def test_a_kiosk_checks_in_and_sees_and_gives_nothing(guarded: Service) -> None:
    admin = {"X-API-Key": KEY}
    user = {"name": "kiosk1", "password": "mùa thu Hà Nội 1975", "roles": ["kiosk"]}
    assert guarded.client.post(f"{API}/users", json=user, headers=admin).status_code == 201
    address = str(guarded.client.base_url).rstrip("/")
    with httpx.Client(base_url=address, headers={"Origin": address}) as kiosk:
        kiosk.post(f"{API}/session", json={"name": "kiosk1", "password": user["password"]})
        assert refused(by_pin(kiosk)) == (403, "pass_refused")
        assert refused(give_pin(kiosk)) == (403, "scope_missing")
        for method, path in (
            ("GET", ""),
            ("POST", "/1/confirm"),
            ("POST", "/1/dismiss"),
            ("GET", "/passes/EMP001"),
            ("DELETE", "/passes/EMP001/pin"),
            ("POST", "/passes/EMP001/card"),
            ("DELETE", "/passes/EMP001/card"),
        ):
            assert refused(kiosk.request(method, f"{API}/attendance{path}")) == (403, "scope_missing"), path


def test_erasure_takes_passes_and_attendance_and_the_export_has_them(eileen: httpx.Client, records: Records) -> None:
    give_pin(eileen)
    by_pin(eileen)
    stored = eileen.get(f"{API}/privacy/export", params={"employee_id": "EMP001"}).json()
    assert stored["passes"]["pin_set_at"] is not None
    assert [one["camera_id"] for one in stored["attendance"]] == ["kiosk"]
    assert eileen.delete(f"{API}/face/EMP001").status_code == 200
    assert records.count("attendance_passes") == records.count("attendance_log") == 0


# A day


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def test_the_attendance_of_a_day_is_of_the_hotels_day_a_page_at_a_time(eileen: httpx.Client, records: Records) -> None:
    give_pin(eileen)
    by_pin(eileen)
    # 17:00 UTC is midnight in Ho Chi Minh City.
    moments = ["2025-01-16T16:59:59Z", "2025-01-16T17:00:00Z", "2025-01-17T03:00:00Z", "2025-01-17T16:59:59.5Z"]
    for moment in moments:
        records.rows(
            "INSERT INTO attendance_log (event_id, employee_id, camera_id, action, method, liveness, is_offline, "
            "state, happened_at, received_at) VALUES (gen_random_uuid(), 'EMP001', 'gate', 'check_in', 'face', "
            "'passive', FALSE, 'counted', $1, NOW())",
            datetime.fromisoformat(moment),
        )
    of_day = [one["happened_at"] for one in attendance(eileen, day="2025-01-17")]
    assert of_day == ["2025-01-16T17:00:00.000Z", "2025-01-17T03:00:00.000Z", "2025-01-17T16:59:59.500Z"]
    pages, cursor = [], None
    for _ in range(3):
        query: dict[str, str | int] = {"day": "2025-01-17", "limit": 2}
        if cursor:
            query["cursor"] = cursor
        page = eileen.get(f"{API}/attendance", params=query).json()
        pages += [one["happened_at"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == of_day
    assert attendance(eileen, day="2025-01-17", employee_id="EMP002") == []
    assert len(attendance(eileen)) == 5
    assert refused(eileen.get(f"{API}/attendance", params={"cursor": "x"})) == (422, "invalid_cursor")
    assert records.rows("SELECT 1 FROM audit_log WHERE action = 'attendance.list'")


# Kept offline


@pytest.fixture(scope="module")
def strict(start_service: Start) -> Iterator[Service]:
    """Where nobody is let in without a session of movements."""
    with start_service(LIVENESS_MODE="active") as started:
        yield started


@pytest.fixture
def active(strict: Service) -> Service:
    strict.records.clear()
    enrol(strict.client)
    return strict


def kept(client: httpx.Client, **more: Any) -> dict[str, Any]:
    body = {"image": base64_jpeg(astronaut()), "camera_id": "kiosk", "offline": True, **more}
    answer = client.post(f"{API}/face/recognize", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_was_kept_offline_is_confirmed_by_a_person_and_never_live(active: Service) -> None:
    moment = ago(5)
    found = kept(active.client, timestamp=moment)
    assert (found["employee_id"], found["warnings"]) == ("EMP001", ["attendance_unconfirmed"])
    assert found["is_alive"] is None
    assert "event_id" not in found
    kept(active.client, timestamp=moment)  # sent twice, written once
    assert active.records.events("attendance.events") == []
    [waiting] = attendance(active.client, state="unconfirmed")
    assert (waiting["liveness"], waiting["offline"], waiting["event_id"]) == ("none", True, None)
    confirmed = active.client.post(f"{API}/attendance/{waiting['id']}/confirm").json()
    assert (confirmed["state"], confirmed["decided_by"]) == ("confirmed", "local")
    [event] = active.records.events("attendance.events")
    assert problems(event) == []
    assert event["event_id"] == confirmed["event_id"]
    assert (event["liveness"], event["liveness_checked"], event["offline"]) == ("none", False, True)
    assert (event["method"], event["confirmed_by"]) == ("face", "local")
    assert event["timestamp"][:19] == moment[:19]
    assert refused(active.client.post(f"{API}/attendance/{waiting['id']}/confirm")) == (409, "attendance_decided")
    assert refused(active.client.post(f"{API}/attendance/{waiting['id']}/dismiss")) == (409, "attendance_decided")
    assert attendance(active.client, state="unconfirmed") == []


def test_what_a_person_dismisses_never_counts(active: Service) -> None:
    kept(active.client, timestamp=ago(3))
    [waiting] = attendance(active.client, state="unconfirmed")
    assert active.client.post(f"{API}/attendance/{waiting['id']}/dismiss").json()["state"] == "dismissed"
    assert active.records.events("attendance.events") == []
    assert refused(active.client.post(f"{API}/attendance/99999/dismiss")) == (404, "attendance_not_found")


def test_two_people_who_confirm_at_once_write_one_event(active: Service) -> None:
    kept(active.client, timestamp=ago(3))
    [waiting] = attendance(active.client)
    path = f"{API}/attendance/{waiting['id']}/confirm"
    codes = active.records.at_once(4, lambda: active.client.post(path).status_code)
    assert sorted(codes) == [200, 409, 409, 409]
    assert len(active.records.events("attendance.events")) == 1


def test_a_confirmed_entry_near_another_event_writes_none(active: Service) -> None:
    moment = ago(2)
    give_pin(active.client)
    by_pin(active.client, timestamp=moment)
    kept(active.client, timestamp=moment)
    [waiting] = attendance(active.client, state="unconfirmed")
    confirmed = active.client.post(f"{API}/attendance/{waiting['id']}/confirm").json()
    assert (confirmed["state"], confirmed["event_id"]) == ("confirmed", None)
    assert len(active.records.events("attendance.events")) == 1


def test_offline_frames_count_by_themselves_where_no_liveness_is_asked(eileen: httpx.Client, records: Records) -> None:
    found = kept(eileen, timestamp=ago(20), check_liveness=False)
    [event] = records.events("attendance.events")
    assert (event["event_id"], event["offline"], event["liveness"]) == (found["event_id"], True, "none")


def test_where_attendance_requires_liveness_an_unchecked_offline_frame_waits(start_service: Start) -> None:
    with start_service(ATTENDANCE_REQUIRE_LIVENESS=True) as demanding:
        enrol(demanding.client)
        assert kept(demanding.client, check_liveness=False)["warnings"] == ["attendance_unconfirmed"]
        give_pin(demanding.client)
        assert by_pin(demanding.client).json()["warnings"] == []  # a PIN has no face to be alive

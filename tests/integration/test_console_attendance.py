"""The kiosk without a face and without a connection, and the attendance of a day, in a real Chromium."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import cv2
import numpy as np
import pytest
import zxingcpp
from playwright.sync_api import Browser, Page, expect

from app.types import Image
from scripts.benchmark import machine
from tests.browser import WAIT_MS
from tests.integration.conftest import Service, Start
from tests.integration.console_visits import (
    API,
    BOTH,
    DESK,
    KEY,
    PROBE,
    Open,
    Visit,
    axe_script,
    console_service,
    filmed_browser,
    moving,
    picture,
    post,
    unreadable,
    visits,
    words,
)
from tests.photos import astronaut, base64_jpeg
from tests.written_tables import put

pytestmark = [pytest.mark.any_server, pytest.mark.slow, pytest.mark.timeout(900)]

PIN = "402917"
ROWS_OF_PAGE = 50
NAME = "Eileen Nguyễn"


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    """Where whoever is to be let in has to move as the kiosk asks."""
    with console_service(start_service, LIVENESS_MODE="active") as started:
        yield started


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person before the camera."""
    return moving(astronaut(), tmp_path_factory.mktemp("camera") / "camera.mjpeg")


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    with filmed_browser(film) as opened:
        yield opened


def enrol(service: Service, name: str) -> None:
    person = {"employee_id": "EMP007", "metadata": {"name": name}, "replace_existing": True}
    post(service, "/face/enroll", images=[base64_jpeg(astronaut())], **person)


@pytest.fixture
def visit(service: Service, browser: Browser) -> Open:
    service.records.rows("TRUNCATE attendance_log, attendance_passes, attendance_marks, event_outbox")
    enrol(service, NAME)
    return visits(service, browser)


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_script()


def told(page: Page, text: str) -> Any:
    return page.get_by_role("status").filter(has_text=text)


@BOTH
def test_a_pin_is_given_and_opens_and_a_wrong_one_does_not(
    service: Service, visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    with visit("lan", "people", size=size, language=language) as desk:
        page = desk.page
        desk.button(NAME).click()
        page.get_by_text(said("PIN and card", "Mã PIN và thẻ")).click()
        page.get_by_label(said("New PIN", "Mã PIN mới")).fill("123456")
        desk.button(said("Set the PIN", "Đặt mã PIN")).click()
        expect(page.get_by_role("alert")).to_contain_text("pin")
        page.get_by_label(said("New PIN", "Mã PIN mới")).fill(PIN)
        desk.button(said("Set the PIN", "Đặt mã PIN")).click()
        expect(desk.button(said("Take the PIN away", "Hủy mã PIN"))).to_be_visible()
        assert unreadable(page, axe) == []
    with visit("kiosk1", "kiosk", size=size, language=language) as kiosk:
        page = kiosk.page
        post(service, "/attendance/check-in", employee_id="EMP007", pin=PIN, camera_id="elsewhere")
        kiosk.button(said("PIN", "Mã PIN")).click()
        page.get_by_label(said("Employee number", "Mã nhân viên")).fill("EMP007")
        page.get_by_label("PIN").last.fill("999999")
        assert unreadable(page, axe) == []
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(said("do not belong together", "không đúng"))
        expect(page.get_by_label("PIN").last).to_have_value("")  # nobody who comes next finds one
        page.get_by_label("PIN").last.fill(PIN)
        page.keyboard.press("Enter")
        expect(told(page, said(f"Welcome, {NAME}", f"Xin chào {NAME}"))).to_be_visible()
        expect(page.get_by_text(NAME)).to_be_hidden(timeout=15_000)
        assert unreadable(page, axe) == []
    events = service.records.events("attendance.events")
    assert [(event["camera_id"], event["method"]) for event in events] == [("elsewhere", "pin"), ("kiosk", "pin")]


def card(said: str) -> Image:
    """A printed card, as a camera sees it."""
    code = zxingcpp.create_barcode(said, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    drawn = np.array(code.to_image(scale=8, add_quiet_zones=True))
    frame = np.full((480, 480, 3), 120, np.uint8)
    side = len(drawn)
    frame[60 : 60 + side, 60 : 60 + side] = drawn[..., None]
    return cv2.GaussianBlur(frame, (3, 3), 0).astype(np.uint8)


def test_a_card_held_before_the_kiosk_checks_in_until_it_is_revoked(service: Service, visit: Open, film: Path) -> None:
    with visit("lan", "people") as desk:
        desk.button(NAME).click()
        desk.page.get_by_text("PIN and card").click()
        desk.button("New card").click()
        shown = desk.page.get_by_role("img", name="Card")
        expect(shown).to_be_visible()
        png = cv2.imdecode(np.frombuffer(shown.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        [printed] = zxingcpp.read_barcodes(png)
        moving(card(printed.text), film)
        try:
            with visit("kiosk1", "kiosk") as kiosk:
                kiosk.button("Card").click()
                expect(told(kiosk.page, f"Welcome, {NAME}")).to_be_visible(timeout=WAIT_MS)
                desk.button("Revoke the card").click()
                expect(desk.button("Revoke the card")).to_be_hidden()
                kiosk.button("Card").click()
                expect(kiosk.page.get_by_role("alert")).to_contain_text("This card opens nothing any more")
        finally:
            moving(astronaut(), film)
    [event] = service.records.events("attendance.events")
    assert event["method"] == "card"


@BOTH
def test_the_kiosk_hints_at_the_light_and_fills_the_screen(
    visit: Open, film: Path, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    hints = {8: said("Too dark", "Tối quá"), 250: said("Too bright", "Sáng quá")}
    try:
        for tone, hint in hints.items():
            moving(np.full((480, 480, 3), tone, np.uint8), film)
            with visit("kiosk1", "kiosk", size=size, language=language) as kiosk:
                expect(told(kiosk.page, hint)).to_be_visible(timeout=WAIT_MS)
    finally:
        moving(astronaut(), film)
    with visit("kiosk1", "kiosk", size=size, language=language) as kiosk:
        kiosk.page.locator("summary").click()
        kiosk.button(said("Full screen", "Toàn màn hình")).click()
        kiosk.page.wait_for_function("document.fullscreenElement?.className === 'kiosk'")


def stored(page: Page) -> dict[str, Any]:
    """What the kiosk's browser holds, and whether a script can read the key out."""
    found: dict[str, Any] = page.evaluate(
        """async () => {
            const promised = (request) => new Promise((done, fail) => {
                request.onsuccess = () => done(request.result); request.onerror = () => fail(request.error);
            });
            const database = await promised(indexedDB.open("cv-kiosk"));
            const all = (name) => promised(database.transaction(name).objectStore(name).getAll());
            const kept = await all("kept"), keys = await all("keys");
            database.close();
            const texts = kept.map(({ sealed }) => new TextDecoder("latin1").decode(sealed));
            const exporting = keys.map((key) => crypto.subtle.exportKey("raw", key).then(() => true, () => false));
            const exported = await Promise.all(exporting);
            return { texts, exported };
        }"""
    )
    return found


@BOTH
def test_what_is_kept_offline_is_sealed_sent_wiped_and_confirmed_by_a_person(
    service: Service, visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    with visit("kiosk1", "kiosk", size=size, language=language) as kiosk:
        page = kiosk.page
        began = datetime.now(UTC)
        expect(kiosk.button(said("Check in", "Chấm công"))).to_be_enabled()
        page.context.set_offline(True)
        kiosk.button(said("Check in", "Chấm công")).click()
        expect(told(page, said("is kept here", "được lưu tại máy này"))).to_be_visible(timeout=WAIT_MS)
        expect(told(page, said("connection: 1", "1 lần chấm công đang chờ"))).to_be_visible()
        assert unreadable(page, axe) == []
        held = stored(page)
        assert len(held["texts"]) == 1
        assert not [mark for mark in ("JFIF", "kiosk", "place") if mark in held["texts"][0]]
        assert held["exported"] == [False]
        page.context.set_offline(False)
        expect(told(page, said("sent: 1; not recognised: 0", "Đã gửi 1"))).to_be_visible(timeout=WAIT_MS)
        assert stored(page) == {"texts": [], "exported": []}
        kiosk.failures.clear()  # the browser's own lines about requests that were cut
    assert service.records.events("attendance.events") == []
    with visit_as_clerk(visit, size, language) as desk:
        page = desk.page
        waiting = page.get_by_role("region", name=said("To confirm", "Chờ xác nhận")).first
        expect(waiting.get_by_role("row", name=NAME)).to_be_visible()
        assert unreadable(page, axe) == []
        picture(desk, f"attendance-{language}")
        desk.button(said("Was there", "Có mặt")).click()
        expect(waiting).to_be_hidden()
        day = page.get_by_role("region", name=said("Attendance", "Ngày công"))
        expect(day.get_by_role("row", name=NAME)).to_contain_text("lan")
    [event] = service.records.events("attendance.events")
    assert (event["offline"], event["liveness"], event["confirmed_by"]) == (True, "none", "lan")
    assert began <= datetime.fromisoformat(event["timestamp"]) + timedelta(seconds=1) <= datetime.now(UTC)


@contextmanager
def visit_as_clerk(visit: Open, size: tuple[int, int], language: str) -> Iterator[Visit]:
    """People, with the attendance of today."""
    with visit("lan", "people", size=size, language=language) as desk:
        desk.button("Attendance" if language == "en" else "Ngày công").click()
        yield desk


def test_what_is_kept_is_wiped_after_a_day(service: Service, visit: Open) -> None:
    with visit("kiosk1", "kiosk") as kiosk:
        page = kiosk.page
        expect(kiosk.button("Check in")).to_be_enabled()
        page.context.set_offline(True)
        kiosk.button("Check in").click()
        expect(told(page, "connection: 1")).to_be_visible(timeout=WAIT_MS)
        page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=24, minutes=1))
        expect(told(page, "connection: 1")).to_be_hidden(timeout=WAIT_MS)
        assert stored(page) == {"texts": [], "exported": []}
        page.context.set_offline(False)
        kiosk.failures.clear()
    assert service.records.count("attendance_log") == 0


def test_what_is_kept_survives_the_page_and_a_lost_key_does_not_block(service: Service, visit: Open) -> None:
    with visit("kiosk1", "kiosk") as kiosk:
        page = kiosk.page
        page.route("**/face/recognize", lambda route: route.abort())
        for count in (1, 2):
            expect(kiosk.button("Check in")).to_be_enabled()
            kiosk.button("Check in").click()
            expect(told(page, f"connection: {count}")).to_be_visible(timeout=WAIT_MS)
        kiosk.open("kiosk")
        expect(told(page, "connection: 2")).to_be_visible(timeout=WAIT_MS)
        page.evaluate(
            """() => new Promise((done) => {
                const asked = indexedDB.open("cv-kiosk");
                asked.onsuccess = () => {
                    const clearing = asked.result.transaction("keys", "readwrite").objectStore("keys").clear();
                    clearing.onsuccess = () => { asked.result.close(); done(); };
                };
            })"""
        )
        kiosk.open("kiosk")
        expect(kiosk.button("Check in")).to_be_enabled()
        expect(told(page, "Waiting for the connection")).to_be_hidden(timeout=WAIT_MS)
        assert stored(page) == {"texts": [], "exported": []}
        kiosk.failures.clear()
    assert service.records.count("attendance_log") == 0


def test_a_kiosk_begun_again_without_a_connection_keeps_and_delivers(service: Service, visit: Open) -> None:
    with visit("root", "kiosk") as kiosk:
        page = kiosk.page
        links = page.get_by_role("navigation", name="Views").get_by_role("link")
        expect(links).to_have_count(8, timeout=WAIT_MS)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.context.set_offline(True)
        page.reload()
        expect(page.get_by_role("heading", name="Check-in")).to_be_visible(timeout=WAIT_MS)
        expect(links).to_have_count(1, timeout=WAIT_MS)  # nothing else is known to be allowed
        expect(kiosk.button("Check in")).to_be_enabled(timeout=WAIT_MS)
        kiosk.button("Check in").click()
        expect(told(page, "connection: 1")).to_be_visible(timeout=WAIT_MS)
        page.reload()
        expect(told(page, "connection: 1")).to_be_visible(timeout=WAIT_MS)
        page.context.set_offline(False)
        expect(told(page, "sent: 1; not recognised: 0")).to_be_visible(timeout=WAIT_MS)
        expect(links).to_have_count(8, timeout=WAIT_MS)
        kiosk.failures.clear()  # the browser's own lines about requests that were cut
    [row] = service.records.rows("SELECT employee_id, is_offline, state FROM attendance_log")
    assert (row["employee_id"], row["is_offline"], row["state"]) == ("EMP007", True, "unconfirmed")


def test_a_kiosk_opens_behind_a_proxy_whose_service_is_away_until_somebody_signs_out(visit: Open) -> None:
    with visit("kiosk1", "kiosk") as kiosk:
        page = kiosk.page
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.context.route("**/*", lambda route: route.fulfill(status=502, body="Bad gateway"))
        page.reload()
        expect(kiosk.button("Check in")).to_be_visible(timeout=WAIT_MS)
        page.context.unroute_all()
        page.reload()
        kiosk.button("Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=WAIT_MS)
        page.context.set_offline(True)
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=WAIT_MS)
        expect(kiosk.button("Check in")).to_be_hidden()
        page.goto("about:blank")  # which asks for nothing more
        kiosk.failures.clear()


def test_what_people_are_called_stays_text(service: Service, visit: Open) -> None:
    enrol(service, PROBE)
    kept = {"image": base64_jpeg(astronaut()), "camera_id": "kiosk", "offline": True}
    post(service, "/face/recognize", **kept)
    service.client.put(f"{API}/attendance/passes/EMP007/pin", json={"pin": PIN}, headers={"X-API-Key": KEY})
    with visit("kiosk1", "kiosk") as kiosk:
        kiosk.button("PIN").click()
        kiosk.page.get_by_label("Employee number").fill("EMP007")
        kiosk.page.get_by_label("PIN").last.fill(PIN)
        kiosk.page.keyboard.press("Enter")
        expect(kiosk.page.get_by_text(PROBE)).to_be_visible()
    with visit_as_clerk(visit, DESK, "en") as desk:
        expect(desk.page.get_by_role("cell", name=PROBE).first).to_be_visible()
        desk.button("Was not").click()
        expect(desk.page.get_by_text("does not count")).to_be_visible()
        desk.button("Enrolled").click()
        desk.button(PROBE).click()
        desk.page.get_by_text("PIN and card").click()
        desk.button("New card").click()
        expect(desk.page.get_by_role("img", name="Card")).to_be_visible()


def first_views(page: Page, times: int) -> list[float]:
    """Milliseconds to the first words of the console, each time in a browser that has nothing of it yet."""
    browser = page.context.browser
    assert browser is not None
    taken = []
    for _ in range(times):
        context = browser.new_context()
        fresh = context.new_page()
        fresh.goto(urljoin(page.url, "/console"))
        expect(fresh.get_by_role("heading", name="Sign in")).to_be_visible()
        taken.append(fresh.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        context.close()
    return taken


def test_of_ten_thousand_rows_a_hundred_are_on_the_page(service: Service, visit: Open) -> None:
    """CV_CONSOLE_FIGURES=docs/console.md writes there what it costs, and how soon a first visitor sees something."""
    service.records.rows(
        "INSERT INTO attendance_log (event_id, employee_id, camera_id, action, method, liveness, is_offline, state, "
        "happened_at, received_at) SELECT gen_random_uuid(), 'EMP007', 'gate', 'check_in', 'face', 'passive', FALSE, "
        "'counted', TIMESTAMPTZ '2025-01-16 17:00:00Z' + n * INTERVAL '1 second', NOW() "
        "FROM generate_series(1, 10000) n"
    )
    with visit_as_clerk(visit, DESK, "en") as desk:
        page = desk.page
        page.evaluate(
            """() => {
                window.longest = 0;
                new PerformanceObserver((seen) => {
                    for (const { duration } of seen.getEntries()) window.longest = Math.max(window.longest, duration);
                }).observe({ type: "longtask" });
            }"""
        )
        page.get_by_label("Day", exact=True).fill("2025-01-17")
        rows = page.get_by_role("region", name="Attendance").get_by_role("row")
        expect(rows).to_have_count(1 + ROWS_OF_PAGE)
        turns = []
        for number in range(2, 12):
            began_s = time.monotonic()
            desk.button("Next").click()
            expect(page.get_by_text(f"Page {number}")).to_be_visible()
            expect(rows).to_have_count(1 + ROWS_OF_PAGE)
            turns.append(1000 * (time.monotonic() - began_s))
        assert page.locator("tbody tr").count() <= 100
        if path := os.environ.get("CV_CONSOLE_FIGURES"):
            longest_ms = page.evaluate("window.longest")
            said = "none over 50 ms" if longest_ms == 0 else f"{longest_ms:.0f} ms"
            views = first_views(page, 10)
            put(
                Path(path),
                "tests/integration/test_console_attendance.py",
                f"Of 10,000 rows {ROWS_OF_PAGE} are in the document. Turning a page until its rows are there, Chromium "
                f"and service on one machine of load {os.getloadavg()[0]:.0f}: median {statistics.median(turns):.0f} "
                f"ms, longest {max(turns):.0f} ms (n = {len(turns)}). Longest task of the page's thread: {said}. First "
                "contentful paint of the console for a browser that never saw it: median "
                f"{statistics.median(views):.0f} ms, longest {max(views):.0f} ms (n = {len(views)}). {machine()}.",
            )

"""The console in a real Chromium, as people use it: on a desk and a phone, in both languages, with their own scopes.

CV_CONSOLE_PICTURES=docs/console writes the pictures of docs/console.md there.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
import zxingcpp
from playwright.sync_api import Browser, Page, Route, expect
from pydantic import SecretStr

from app.api import examples
from tests.browser import WAIT_MS
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProviderForTests, running_identity_provider
from tests.integration.conftest import Service, Start
from tests.integration.console_visits import (
    API,
    BOTH,
    DESK,
    KEY,
    PASSWORD,
    PHONE,
    PROBE,
    ROLES,
    Open,
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
from tests.integration.live import PROJECT_DIR
from tests.integration.test_api_anomaly import ANYBODY
from tests.integration.test_api_ocr import pdf_of
from tests.integration.test_keys import inserted
from tests.node import ran, require_node
from tests.photos import astronaut, base64_jpeg, cat, coffee, group, jpeg

pytestmark = [pytest.mark.any_server, pytest.mark.slow, pytest.mark.timeout(900)]

PICTURES = Path(examples.__file__).with_name("example_pictures")


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProviderForTests]:
    with running_identity_provider() as running:
        yield running


@pytest.fixture(scope="module")
def service(start_service: Start, provider: IdentityProviderForTests) -> Iterator[Service]:
    # The camera of these tests shows a photo.
    with console_service(
        start_service,
        OCR_ENABLED=True,
        LIVENESS_THRESHOLD=0.0,
        OIDC_ISSUER=provider.issuer,
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=SecretStr(CLIENT_SECRET),
    ) as started:
        yield started


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With a person before the camera."""
    with filmed_browser(moving(astronaut(), tmp_path_factory.mktemp("camera") / "camera.mjpeg")) as opened:
        yield opened


@pytest.fixture
def visit(service: Service, browser: Browser) -> Open:
    return visits(service, browser)


@pytest.fixture
def unused(service: Service) -> None:
    """No rooms, finds or claims of the tests before."""
    service.records.rows(
        "TRUNCATE room_states, room_analysis_logs, room_defects, room_cleanings, image_metadata, lost_claims CASCADE"
    )


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_script()


def test_the_shipped_files_are_built_again_byte_by_byte(tmp_path: Path) -> None:
    require_node()
    ran("make", "console", f"CONSOLE={tmp_path}", folder=PROJECT_DIR, timeout_s=240)
    shipped = PROJECT_DIR / "app" / "console"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in shipped.iterdir()
    }


def test_the_page_is_strict_about_what_it_loads(service: Service) -> None:
    answer = service.client.get("/console")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "trusted-types worker" in policy
    assert service.client.get("/console/worker.js").headers["service-worker-allowed"] == "/console"
    again = service.client.get("/console", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("manifest.json", "nothing.js", "..%2Fmain.py", "%2e%2e"):
        assert service.client.get(f"/console/{name}").status_code == 404


def test_somebody_signs_in_and_out_by_keyboard(visit: Open) -> None:
    with visit(None) as desk:
        page = desk.page
        page.get_by_label("User name").fill("hoa")
        page.get_by_label("Password").fill("not her password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("name and password do not belong together")
        expect(page.get_by_role("alert")).to_contain_text("Request ")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Signed in as hoa")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        desk.button("Sign out").press("Enter")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_somebody_signs_in_by_the_hotels_account(visit: Open, provider: IdentityProviderForTests, axe: str) -> None:
    provider.person = {"sub": "u-1", "preferred_username": "thu", "roles": ["front_desk"]}
    with visit(None, size=PHONE, language="vi") as desk:
        page = desk.page
        assert unreadable(page, axe) == []
        desk.button("Đăng nhập bằng tài khoản của khách sạn").click()
        expect(page.get_by_text("Đang dùng: thu")).to_be_visible()
        assert "code=" not in page.url
        assert page.evaluate("document.cookie") == ""
        expect(desk.button("Đổi mật khẩu")).to_be_hidden()
        page.reload()
        expect(page.get_by_text("Đang dùng: thu")).to_be_visible()
        desk.button("Đăng xuất").click()
        provider.person["roles"] = []
        desk.button("Đăng nhập bằng tài khoản của khách sạn").click()
        expect(page.get_by_role("alert")).to_contain_text("chưa có vai trò")
        assert "code=" not in page.url
        assert unreadable(page, axe) == []
        # The page goes to the provider, and loads nothing of it.
        assert {one.partition("?")[0] for one in desk.failures} == {f"loads {provider.issuer}/authorization_endpoint"}
        desk.failures.clear()


def test_who_is_sent_back_unasked_is_not_signed_in(visit: Open) -> None:
    with visit(None) as desk:
        desk.page.goto(f"{desk.address}/console?error=access_denied&state={quote(PROBE)}")
        expect(desk.page.get_by_role("alert")).to_contain_text("did not let you in")
        desk.page.goto(f"{desk.address}/console?code={quote(PROBE)}&state=of-somebody-else")
        expect(desk.page.get_by_role("alert")).to_contain_text("began in another browser")
        assert desk.page.url == f"{desk.address}/console"


def test_a_kiosk_signs_in_by_a_key(visit: Open) -> None:
    with visit(None, language="vi") as desk:
        desk.button("Đăng nhập bằng khóa API, như máy chấm công").click()
        desk.page.get_by_label("Khóa API").fill(KEY)
        desk.page.keyboard.press("Enter")
        expect(desk.page.get_by_text("Đang dùng: admin")).to_be_visible()


def test_the_menu_has_what_the_scopes_open_and_an_address_opens_no_more(visit: Open) -> None:
    menus = {}
    for name in ROLES:
        with visit(name) as desk:
            menus[name] = desk.page.get_by_role("navigation", name="Views").get_by_role("link").all_text_contents()
    assert "People" in menus["lan"]
    assert "People" not in menus["hoa"]
    assert menus["kiosk1"] == ["Check-in"]
    assert menus["mai"] == ["Lost & found", "Housekeeping"]
    assert menus["van"] == ["Invoices"]
    assert menus["root"][-1] == "Operator"
    with visit(None) as desk:
        desk.page.get_by_label("User name").fill("kiosk1")
        desk.page.get_by_label("Password").fill(PASSWORD)
        desk.page.keyboard.press("Enter")
        expect(desk.page.get_by_role("heading", name="Check-in")).to_be_visible()
        desk.page.evaluate("location.hash = '#/people'")
        expect(desk.page.get_by_text("This view is not open to you")).to_be_visible()


def test_where_nobody_is_asked_every_view_is_open(start_service: Start, browser: Browser) -> None:
    """As ``make run`` starts it."""
    with start_service() as unguarded, visits(unguarded, browser)(None) as desk:
        expect(desk.page.get_by_text("Signed in as local")).to_be_visible()
        expect(desk.button("Sign out")).to_be_hidden()
        links = desk.page.get_by_role("navigation", name="Views").get_by_role("link")
        expect(links).to_have_count(8)
        for link in links.all():
            link.click()
            heading = str(link.text_content())
            expect(desk.page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def test_a_session_that_ends_asks_to_sign_in_again(service: Service, visit: Open) -> None:
    with visit("lan", "people") as desk:
        service.records.rows("UPDATE cv_sessions SET seen_at = NOW() - INTERVAL '1 day' RETURNING key_id")
        desk.page.wait_for_timeout(5500)  # as long as a session is remembered
        desk.page.get_by_label("Name").fill("x")
        desk.button("Search").click()
        expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_whoever_leaves_the_screen_is_signed_out_and_a_kiosk_is_not(service: Service, visit: Open) -> None:
    away_ms = (service.settings.SESSION_IDLE_MIN + 2) * 60_000
    with visit(None) as desk:
        desk.page.clock.install()
        for name, heading in (("kiosk1", "Check-in"), ("hoa", "Sign in")):  # who both begin before the kiosk
            desk.open("")
            desk.page.get_by_label("User name").fill(name)
            desk.page.get_by_label("Password").fill(PASSWORD)
            desk.page.keyboard.press("Enter")
            expect(desk.page.get_by_text(f"Signed in as {name}")).to_be_visible()
            desk.page.clock.fast_forward(away_ms)
            expect(desk.page.get_by_role("heading", name=heading)).to_be_visible()
            if name == "kiosk1":
                desk.button("Sign out").click()
                expect(desk.page.get_by_role("heading", name="Sign in")).to_be_visible()
        desk.page.clock.resume()


def test_who_may_look_alone_is_offered_nothing_to_change(service: Service, visit: Open) -> None:
    post(service, "/room/501/feedback", status="dirty")
    seen: dict[str, list[str]] = {}
    for scopes in (("room:read", "image:read"), ("room", "image")):
        with visit(None) as desk:
            page = desk.page
            desk.button("Sign in with an API key, as a kiosk does").click()
            page.get_by_label("API key").fill(inserted(service, *scopes))
            page.keyboard.press("Enter")
            page.get_by_role("link", name="Housekeeping").click()
            desk.button("501").click()
            expect(page.get_by_role("dialog").get_by_role("definition").first).to_be_visible()
            if "room" in scopes:
                expect(desk.button("Start cleaning")).to_be_visible()
            shown = page.locator("main button").all_text_contents()
            page.keyboard.press("Escape")
            page.get_by_role("link", name="Lost & found").click()
            expect(desk.button("Search")).to_be_visible()
            seen[scopes[0]] = shown + page.locator("main button").all_text_contents()
    changing = {"Start cleaning", "Cleaning is done", "Save", "Inspect by photos", "New find"}
    assert changing <= set(seen["room"])
    assert not changing & set(seen["room:read"])


def test_what_takes_longer_says_so(visit: Open) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with visit("lan") as desk:
        desk.page.route("**/face/people?*", hold)
        desk.page.get_by_role("link", name="People").click()
        expect(desk.page.get_by_role("status").filter(has_text="Loading")).to_be_visible()
        for route in held:
            route.continue_()
        expect(desk.page.get_by_role("status").filter(has_text="Loading")).to_be_hidden()


def test_a_person_is_enrolled_by_files_and_camera_found_and_erased(
    service: Service, visit: Open, tmp_path: Path
) -> None:
    blank, front = tmp_path / "blank.jpg", tmp_path / "front.jpg"
    blank.write_bytes(jpeg(coffee()))
    front.write_bytes(jpeg(astronaut()))
    with visit("lan", "people") as desk:
        page = desk.page
        expect(page.get_by_text("Nobody is enrolled yet")).to_be_visible()
        desk.button("Enrol a person").click()
        page.get_by_label("Photos from files").set_input_files([front, blank])
        desk.button("Use the camera").click()
        desk.button("Take a photo").click()
        expect(page.get_by_role("img", name="Photo 3")).to_be_visible()
        page.get_by_label("Employee number").fill("EMP001")
        page.get_by_label("Name", exact=True).last.fill("Nguyễn Thị Lan")
        page.get_by_label("The person has agreed").check()
        picture(desk, "enrolment", covered="img")
        desk.button("Enrol").click()
        expect(page.get_by_role("status").filter(has_text="is enrolled: 2 photos")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_role("listitem").filter(has=page.get_by_role("img", name="Photo 2"))).to_contain_text("face")
        desk.button("Close").last.click()
        page.get_by_label("Name").fill("nguyen thi")
        desk.button("Search").click()
        expect(page.get_by_role("row", name="EMP001")).to_be_visible()
        picture(desk, "people")
        [consent] = service.records.rows("SELECT text_version FROM face_consents WHERE employee_id = 'EMP001'")
        assert consent["text_version"].startswith("console-")
        [entry] = service.records.rows("SELECT actor FROM audit_log WHERE action = 'face.enroll'")
        assert entry["actor"] == "lan"
        desk.button("Nguyễn Thị Lan").click()
        desk.button("Erase").click()
        assert service.records.count("face_templates") > 0  # it asks first
        desk.button("Erase").click()
        expect(page.get_by_text("Nguyễn Thị Lan is erased: 2 templates")).to_be_visible()
        assert service.records.count("face_templates") == 0


def test_photos_that_do_not_do_are_refused_one_by_one(service: Service, visit: Open, axe: str, tmp_path: Path) -> None:
    blank, front = tmp_path / "blank.jpg", tmp_path / "front.jpg"
    blank.write_bytes(jpeg(coffee()))
    front.write_bytes(jpeg(astronaut()))
    with visit("lan", "people", size=PHONE, language="vi") as phone:
        page = phone.page
        phone.button("Đăng ký nhân viên").click()
        page.get_by_label("Ảnh từ tệp").set_input_files(blank)
        page.get_by_label("Mã nhân viên").fill("EMP002")
        page.get_by_label("Người này đã đồng ý").check()
        phone.button("Đăng ký").click()
        expect(page.get_by_role("alert")).to_contain_text("Không ảnh nào dùng được", timeout=WAIT_MS)
        photos = page.get_by_role("dialog").get_by_role("listitem")
        expect(photos).to_contain_text("Không thấy khuôn mặt")
        assert unreadable(page, axe) == []
        phone.button("Bỏ: Ảnh 1").click()
        expect(page.get_by_role("alert")).to_be_hidden()
        page.get_by_label("Ảnh từ tệp").set_input_files(front)
        phone.button("Đăng ký").click()
        expect(photos.filter(has_text="Mới có một ảnh")).to_be_visible(timeout=WAIT_MS)  # what to add
        expect(photos.filter(has=page.get_by_role("img"))).to_contain_text("tốt")
    [consent] = service.records.rows("SELECT given_on FROM face_consents WHERE employee_id = 'EMP002'")
    assert consent["given_on"] == datetime.now(ZoneInfo(service.settings.HOTEL_TIMEZONE)).date()
    service.client.delete(f"{API}/face/EMP002", headers={"X-API-Key": KEY})


@pytest.mark.parametrize(("size", "language"), [(DESK, "en"), (PHONE, "vi")])
def test_whoever_stands_before_the_kiosk_checks_in(
    service: Service, visit: Open, size: tuple[int, int], language: str
) -> None:
    button, welcome, unknown = {
        "en": ("Check in", "Welcome, Eileen", "You are not recognised"),
        "vi": ("Chấm công", "Xin chào Eileen", "Chưa nhận ra bạn"),
    }[language]
    with visit("kiosk1", "kiosk", size=size, language=language) as kiosk:
        kiosk.button(button).click()
        expect(kiosk.page.get_by_role("status").filter(has_text=unknown)).to_be_visible(timeout=WAIT_MS)
        images = [base64_jpeg(astronaut())]
        post(service, "/face/enroll", employee_id="EMP007", images=images, metadata={"name": "Eileen"})
        try:
            kiosk.button(button).click()
            expect(kiosk.page.get_by_role("status").filter(has_text=welcome)).to_be_visible(timeout=WAIT_MS)
            picture(kiosk, f"kiosk-{language}", covered="video")
            expect(kiosk.page.get_by_text(welcome)).to_be_hidden(timeout=15_000)  # the next one does not see the name
        finally:
            service.client.delete(f"{API}/face/EMP007", headers={"X-API-Key": KEY})


@pytest.mark.usefixtures("unused")
def test_a_find_is_returned_to_the_guest_who_claims_it(service: Service, visit: Open, axe: str, tmp_path: Path) -> None:
    cup = tmp_path / "cup.jpg"
    cup.write_bytes(jpeg(coffee()))
    with visit("hoa", "lost_found") as desk:
        page = desk.page
        expect(page.get_by_text("No claims.")).to_be_visible()
        desk.button("Finds").click()
        desk.button("New find").click()
        expect(desk.button("Save")).to_be_disabled()  # a photo comes first
        page.get_by_label("Photo of it").set_input_files(cup)
        page.get_by_label("What it is").fill("cup")
        page.get_by_role("dialog").get_by_label("Place").fill("Breakfast room")
        desk.button("Save").click()
        expect(page.get_by_role("listitem").filter(has_text="Breakfast room")).to_be_visible(timeout=WAIT_MS)
        page.get_by_label("Words").fill("a cup of coffee")
        desk.button("Search").click()
        expect(page.get_by_role("listitem").filter(has_text="cup")).to_be_visible(timeout=WAIT_MS)
        desk.button("Guests' claims").click()
        desk.button("New claim").click()
        page.get_by_label("Description").fill("a red cup of coffee")
        page.get_by_label("Photo of it").set_input_files(cup)
        page.get_by_label("Room").fill("201")
        page.get_by_label("Lost from").fill("2025-01-10")
        page.get_by_label("Lost until").fill("2025-01-20")
        page.get_by_label("How the guest is reached").fill("Anna, +46 70 174 06 05")
        desk.button("Save").click()
        suggestion = page.get_by_role("dialog").get_by_role("listitem").filter(has_text="% alike")
        expect(suggestion).to_be_visible(timeout=WAIT_MS)
        expect(suggestion).to_contain_text("looks alike")
        picture(desk, "claim", covered="img")
        desk.button("Label").click()
        label = page.get_by_role("img", name="Label")
        expect(label).to_be_visible()
        drawn = cv2.imdecode(np.frombuffer(label.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        assert [one.text for one in zxingcpp.read_barcodes(drawn)] != []
        assert unreadable(page, axe) == []
        desk.button("Hand over").click()
        page.get_by_label("Received by").fill("Anna Eriksson")
        page.get_by_label("Paper seen").fill("passport")
        desk.button("It was handed over").click()
        expect(page.get_by_role("dialog").get_by_text("Anna Eriksson")).to_be_visible(timeout=WAIT_MS)
        desk.button("Close").first.click()
        expect(page.get_by_role("listitem").filter(has_text="a red cup")).to_contain_text("returned")
        desk.button("Finds").click()
        expect(page.get_by_role("listitem").get_by_label("State")).to_have_value("returned_to_guest")
    [entry] = service.records.rows("SELECT actor FROM audit_log WHERE action = 'claim.hand_over'")
    assert entry["actor"] == "hoa"
    [claim] = service.records.rows("SELECT room_number, lost_from, lost_until FROM lost_claims")
    assert tuple(claim.values()) == ("201", date(2025, 1, 10), date(2025, 1, 20))


@pytest.mark.usefixtures("unused")
@BOTH
def test_finds_are_searched_by_words_and_by_picture_among_those_that_a_filter_leaves(
    service: Service, visit: Open, axe: str, tmp_path: Path, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    cup = tmp_path / "cup.jpg"
    cup.write_bytes(jpeg(coffee()))
    for photo, place, room in ((coffee(), "Pool", "305"), (cat(), "Gym", "306")):
        found = {"category": "lost_found", "location": f"{place} {language}", "room_number": room}
        post(service, "/image/index", image=base64_jpeg(photo), metadata=found)
    with visit("hoa", "lost_found", size=size, language=language) as desk:
        page = desk.page
        desk.button(said("Finds", "Đồ nhặt được")).click()
        finds = page.get_by_role("main").get_by_role("listitem")
        page.get_by_text(said("Filters", "Bộ lọc")).click()
        where = page.get_by_label(said("Place", "Nơi"))
        where.fill(f"pool {language}")
        page.get_by_label(said("Found from", "Nhặt từ ngày")).fill("2020-01-01")
        page.keyboard.press("Enter")
        expect(finds).to_have_count(1)
        expect(finds).to_contain_text(f"305 · Pool {language}")
        assert unreadable(page, axe) == []
        page.get_by_label(said("Words", "Tìm bằng lời")).fill(said("a cat", "con mèo"))
        page.keyboard.press("Enter")
        expect(finds).to_contain_text(f"305 · Pool {language}", timeout=WAIT_MS)
        where.fill(f"gym {language}")
        page.get_by_label(said("Search by a picture", "Tìm bằng ảnh")).set_input_files(cup)
        expect(finds).to_contain_text(f"306 · Gym {language}", timeout=WAIT_MS)
        expect(finds).to_have_count(1)
        page.get_by_label(said("Found until", "Nhặt đến ngày")).fill("2020-01-02")
        page.keyboard.press("Enter")
        expect(page.get_by_text(said("Nothing like this", "Không có món như vậy"))).to_be_visible()
        desk.button(said("Show all", "Hiện tất cả")).click()
        expect(finds.filter(has_text=language)).not_to_have_count(0)
        expect(where).to_have_value("")


@pytest.mark.usefixtures("unused")
def test_the_board_shows_rooms_as_they_change_and_a_persons_word_counts(
    service: Service, visit: Open, tmp_path: Path
) -> None:
    photo = tmp_path / "room.jpg"
    photo.write_bytes((PICTURES / "room.jpg").read_bytes())
    with visit("mai", "housekeeping", size=PHONE, language="vi") as phone:
        page = phone.page
        expect(page.get_by_text("Chưa có phòng nào được kiểm tra")).to_be_visible()
        page.wait_for_timeout(2000)  # the stream of events is open by then
        post(service, "/room/201/feedback", status="dirty")
        expect(page.get_by_role("region", name="Tầng 2").get_by_text("bẩn")).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("button", name="201").click()
        page.get_by_role("dialog").get_by_label("Trạng thái", exact=True).select_option("maintenance")
        page.get_by_label("Ghi chú").fill("vòi nước hỏng")
        phone.button("Lưu").click()
        expect(page.get_by_role("definition").filter(has_text="bảo trì")).to_be_visible()
        page.locator("summary").first.click()
        page.get_by_label("Ảnh phòng").set_input_files(photo)
        phone.button("Đánh giá ảnh").click()
        expect(page.get_by_role("status").filter(has_text="chắc")).to_be_visible(timeout=WAIT_MS)
        picture(phone, "room")
        page.keyboard.press("Escape")
        picture(phone, "housekeeping")
    [state] = service.records.rows("SELECT status, changed_by FROM room_states WHERE room_number = '201'")
    assert (state["status"], state["changed_by"]) == ("maintenance", "mai")


def intrude(service: Service, camera_id: str) -> int:
    """Six people where nobody may be; the number of the incident."""
    camera = {"kind": "snapshot", "url": "http://cam.invalid/", "tasks": ["anomaly"], "enabled": False}
    post(service, "/cameras", id=camera_id, rules=ANYBODY, **camera)
    frame = {"image": base64_jpeg(group()), "camera_id": camera_id, "detection_types": ["intrusion"]}
    return int(post(service, "/anomaly/detect", **frame)["anomalies"][0]["incident_id"])


def listed(service: Service, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get(f"{API}{path}", headers={"X-API-Key": KEY}).json()["items"]
    return found


def path_of(address: str | None) -> str:
    """An address without what it is signed with."""
    return urlsplit(address or "").path


def test_an_incident_is_taken_on_noted_and_told_false(service: Service, visit: Open, axe: str) -> None:
    with visit("son", "security") as desk:
        page = desk.page
        expect(page.get_by_text("No incidents.")).to_be_visible()
        page.wait_for_timeout(2000)  # the stream of events is open by then
        intrude(service, "cam_lobby_01")
        service.records.rows("UPDATE anomaly_incidents SET clip_key = 'clips/of-a-test.mp4' RETURNING id")
        desk.button("intruder · cam_lobby_01").click(timeout=WAIT_MS)
        [incident] = listed(service, "/anomaly/incidents?camera_id=cam_lobby_01")
        shown = page.get_by_role("dialog").get_by_role("img")  # with the boxes of what was found
        assert path_of(shown.get_attribute("src")) == path_of(incident["marked_frame_url"])
        assert path_of(page.get_by_label("Clip").get_attribute("src")) == path_of(incident["clip_url"])
        desk.button("I take it on").click()
        expect(page.get_by_role("listitem").filter(has_text="taken on by son")).to_be_visible()
        page.get_by_label("Note").fill("a wedding party")
        desk.button("Add the note").click()
        expect(page.get_by_role("listitem").filter(has_text="son: a wedding party")).to_be_visible()
        picture(desk, "incident", covered="img")
        assert unreadable(page, axe) == []
        expect(desk.button("Resolved")).to_be_visible()
        desk.button("False alarm").click()  # which resolves it
        expect(desk.button("It was real after all")).to_be_visible()
        desk.button("It was real after all").click()
        expect(desk.button("False alarm")).to_be_visible()
        expect(page.get_by_role("definition").filter(has_text="resolved")).to_be_visible()
        desk.button("Close").first.click()
        desk.button("Mute for 30 minutes").click()
        expect(page.get_by_text("Muted for 30 minutes.")).to_be_visible()
        desk.button("Disarm").click()
        expect(page.get_by_text("Disarmed: fire, smoke and water")).to_be_visible()
        [camera] = listed(service, "/cameras")
        assert (camera["armed"], camera["muted_until"] is None) == (False, False)
        desk.button("Arm").click()
        expect(page.get_by_text("Armed: intruders")).to_be_visible()
        desk.button("Unmute").click()
        expect(page.get_by_text("Alerts go out again")).to_be_visible()
        [camera] = listed(service, "/cameras")
        assert (camera["armed"], camera["muted_until"]) == (True, None)


def test_an_invoice_is_read_corrected_and_confirmed(visit: Open, axe: str, tmp_path: Path) -> None:
    with visit("van", "papers") as desk:
        page = desk.page
        expect(page.get_by_text("No invoices here.")).to_be_visible()
        scan = tmp_path / "invoice.pdf"
        printed_page = cv2.imread(str(PICTURES / "invoice.webp"))
        assert printed_page is not None
        scan.write_bytes(pdf_of(printed_page.astype(np.uint8)))
        page.get_by_label("Invoices (or drop").set_input_files(scan)
        page.get_by_role("dialog").wait_for(timeout=3 * WAIT_MS)
        page.keyboard.press("Escape")
        page.get_by_role("row").nth(1).get_by_role("button").click()  # as whoever comes to it later
        expect(page.get_by_label("Vendor")).not_to_have_value("")
        expect(page.get_by_role("img", name="The first page")).to_be_visible()
        printed = page.get_by_role("img", name="Where the values are printed")
        assert {one.get_attribute("data-field") for one in printed.locator("rect").all()} >= {"total_amount", "date"}
        page.get_by_label("Total").focus()
        assert {one.get_attribute("data-field") for one in printed.locator(".current").all()} == {"total_amount"}
        picture(desk, "invoice")
        assert unreadable(page, axe) == []
        page.get_by_label("Vendor").fill("Công ty Hoa Sen")
        page.get_by_label("Tax code").fill("0312345678")
        desk.button("Confirm").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_text("No invoices here.")).to_be_visible()  # nothing waits any more
        page.get_by_label("State").select_option("true")
        expect(page.get_by_role("row", name="Công ty Hoa Sen")).to_be_visible()
        with page.expect_download() as downloading:
            desk.button("Export as a table").click()
        assert downloading.value.suggested_filename == "invoices.xlsx"
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(b"no picture")
        page.get_by_label("Invoices (or drop").set_input_files(broken)
        expect(page.get_by_role("alert")).to_contain_text("Request ")


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Let files fall on the page, at its edge."""
    shown = {name: base64.b64encode(content).decode() for name, content in files.items()}
    dragged = page.evaluate_handle(
        """async (files) => {
            const dragged = new DataTransfer();
            for (const [name, content] of Object.entries(files)) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                dragged.items.add(new File([bytes], name, { type: "image/jpeg" }));
            }
            return dragged;
        }""",
        shown,
    )
    page.dispatch_event("body", "drop", {"dataTransfer": dragged})


def doubt_the_number(route: Route) -> None:
    """Let the service be unsure of an invoice's number."""
    answer = route.fetch()
    told = answer.json()
    told["extracted_data"]["fields"]["invoice_number"]["confidence"] = 0.4
    route.fulfill(response=answer, json=told)


def test_invoices_are_dropped_together_and_gone_through_by_keyboard(service: Service, visit: Open) -> None:
    scan = cv2.imread(str(PICTURES / "invoice.webp"))
    assert scan is not None
    with visit("van", "papers", size=PHONE, language="vi") as desk:
        page = desk.page
        page.get_by_label("Trạng thái").select_option("false")
        expect(page.get_by_text("Chưa có hóa đơn")).to_be_visible()
        sharp, soft = (jpeg(scan.astype(np.uint8), quality=quality) for quality in (92, 85))
        drop(page, {"1.jpg": sharp, "cup.jpg": jpeg(coffee())})
        drop(page, {"2.jpg": soft})  # while the others are read
        expect(page.get_by_role("row")).to_have_count(3, timeout=3 * WAIT_MS)
        expect(page.get_by_role("status").filter(has_text="Đang đọc")).to_be_hidden(timeout=WAIT_MS)
        expect(page.get_by_text("cup.jpg")).to_be_visible()
        expect(page.get_by_role("alert")).not_to_contain_text("tải lại trang")
        page.route("**/ocr/results/*", doubt_the_number)
        page.get_by_role("row").nth(1).get_by_role("button").press("Enter")
        number = page.get_by_label("Số hóa đơn")
        expect(number).to_be_focused()
        expect(number).to_have_accessible_description("Chỉ chắc 40 %: hãy so với bản giấy")
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("0001975")
        page.keyboard.press("Enter")
        expect(number).not_to_have_value("0001975")  # the next one
        expect(number).to_be_focused()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.press("Delete")  # it has none
        page.keyboard.press("Enter")
        expect(page.get_by_text("Chưa có hóa đơn")).to_be_visible()
    confirmed = listed(service, "/ocr/results?confirmed=true&limit=2")
    assert {one["invoice"]["invoice_number"] for one in confirmed} == {"0001975", None}


def test_an_operator_sees_health_and_gives_a_person_another_role(visit: Open) -> None:
    with visit("root", "operator") as desk:
        page = desk.page
        expect(page.get_by_role("region", name="Health").get_by_text("answers in").first).to_be_visible()
        expect(page.get_by_role("region", name="Models").get_by_role("row").nth(3)).to_be_visible()
        expect(page.get_by_role("region", name="Models").get_by_text("Apache-2.0").first).to_be_visible()
        waiting = page.locator("dt", has_text="Events not sent yet").locator("+ dd")
        expect(waiting).to_have_text(re.compile(r"^\d+$"))
        picture(desk, "operator")
        desk.button("Add a person").click()
        page.get_by_label("User name").fill("nga")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("Accounting").check()
        desk.button("Save").click()
        row = page.get_by_role("row", name="nga")
        expect(row).to_contain_text("Accounting")
        expect(desk.button("Add a person")).to_be_focused()  # where the keyboard was
        desk.button("nga").click()
        page.get_by_label("Security").check()
        desk.button("Save").click()
        expect(row).to_contain_text("Accounting, Security")
        desk.button("nga").click()
        desk.button("End access").click()
        desk.button("End access").click()
        expect(row).to_be_hidden()


def test_an_operator_sees_what_became_of_jobs(service: Service, visit: Open) -> None:
    lines = [
        json.dumps({"image": picture, "metadata": {"category": "amenity"}}) for picture in (base64_jpeg(coffee()), "")
    ]
    headers = {"Content-Type": "application/x-ndjson", "X-API-Key": KEY}
    taken = service.client.post(f"{API}/image/index/bulk", content="\n".join(lines), headers=headers)
    assert taken.status_code == 202, taken.text
    service.records.wait_until(lambda: service.records.count("jobs", "finished_at IS NOT NULL") == 1)
    with visit("root", "operator") as desk:
        jobs = desk.page.get_by_role("region", name="Jobs")
        job = jobs.get_by_role("listitem").first
        expect(job).to_contain_text("2 / 2")
        expect(job).to_contain_text("done")
        jobs.get_by_label("State").select_option(label="failed")
        expect(jobs.get_by_text("No jobs")).to_be_visible()


def test_an_operator_looks_keys_and_settings_up(visit: Open, axe: str) -> None:
    with visit("root", "operator", size=PHONE, language="vi") as desk:
        page = desk.page
        expect(page.get_by_role("region", name="Khóa API").get_by_role("row", name="admin")).to_contain_text(
            "đang dùng"
        )
        settings = page.get_by_role("region", name="Cài đặt")
        settings.get_by_label("Tìm cài đặt").fill("liveness_t")
        expect(settings.get_by_role("row")).to_have_count(2)  # with the head
        expect(settings.get_by_role("row").last).to_contain_text("đã đặt")
        settings.get_by_label("Tìm cài đặt").fill("admin_api")
        expect(settings.get_by_role("row").last).to_contain_text("bí mật")
        assert KEY not in page.content()
        assert unreadable(page, axe) == []


def test_what_a_view_asks_for_in_vain_says_what_to_do(visit: Open) -> None:
    with visit("hoa", "lost_found") as desk:
        desk.page.route("**/lost-found/claims?*", lambda route: route.abort())
        desk.open("lost_found")
        expect(desk.page.get_by_role("alert")).to_contain_text("does not answer", timeout=WAIT_MS)
        desk.page.unroute("**/lost-found/claims?*")
        desk.button("Try again").click()
        expect(desk.page.get_by_role("alert")).to_be_hidden(timeout=WAIT_MS)
        desk.failures.clear()  # the browser's own line about the request that was cut


def test_a_photo_does_not_move_as_the_kiosk_asks(start_service: Start, browser: Browser) -> None:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), LIVENESS_MODE="active") as active:
        active.records.wait_until(lambda: active.records.count("api_keys") > 0)
        post(active, "/users", name="kiosk1", password=PASSWORD, roles=["kiosk"])
        post(active, "/face/enroll", employee_id="EMP007", images=[base64_jpeg(astronaut())])
        with visits(active, browser)("kiosk1", "kiosk") as kiosk:
            kiosk.button("Check in").click()
            asked = kiosk.page.get_by_role("status").filter(has_text=re.compile("Look straight|Turn your|Come nearer"))
            expect(asked).to_be_visible(timeout=WAIT_MS)
            refused = kiosk.page.get_by_role("status").filter(has_text="This looks like a picture of a face")
            expect(refused).to_be_visible(timeout=2 * WAIT_MS)
        assert active.records.events("attendance.events") == []


@pytest.mark.usefixtures("unused")
def test_what_people_write_stays_text(service: Service, visit: Open) -> None:
    images = [base64_jpeg(astronaut())]
    person = {"name": PROBE, "department": PROBE, "position": PROBE}
    post(service, "/face/enroll", employee_id="EMP666", images=images, metadata=person)
    with visit("root", "people") as desk:
        desk.button(PROBE).click()
        expect(desk.page.get_by_role("dialog")).to_contain_text(PROBE)
        desk.button("Add photos").click()
        expect(desk.page.get_by_label("Department")).to_have_value(PROBE)
        desk.page.keyboard.press("Escape")
        expect(desk.page.get_by_role("dialog")).to_have_count(0)
        desk.page.get_by_role("searchbox", name="Name").fill(PROBE)
        desk.button("Search").click()
        expect(desk.page.get_by_role("row", name="EMP666")).to_be_visible()
    with visit("kiosk1", "kiosk") as kiosk:
        kiosk.button("Check in").click()
        expect(kiosk.page.get_by_text(PROBE)).to_be_visible(timeout=WAIT_MS)
    service.client.delete(f"{API}/face/EMP666", headers={"X-API-Key": KEY})
    place = {"category": "lost_found", "item_type": PROBE[:50], "description": PROBE, "location": PROBE}
    find = post(service, "/image/index", image=base64_jpeg(cat()), metadata=place)["image_id"]
    claim = {"description": PROBE, "place": PROBE, "contact": PROBE, "note": PROBE}
    claim_id = post(service, "/lost-found/claims", image=base64_jpeg(cat()), **claim)["claim_id"]
    with visit("root", "lost_found") as desk:
        desk.button(PROBE).click()
        expect(desk.page.get_by_role("definition").filter(has_text=PROBE)).to_have_count(4)
        expect(desk.page.get_by_role("dialog").get_by_role("listitem").first).to_contain_text(PROBE[:50])
        desk.page.keyboard.press("Escape")
        handed = {"image_id": find, "received_by": PROBE, "paper_seen": PROBE[:50]}
        post(service, f"/lost-found/claims/{claim_id}/hand-over", **handed)
        desk.button(PROBE).click()
        expect(desk.page.get_by_role("definition").filter(has_text=PROBE[:50])).to_have_count(6)
        desk.page.keyboard.press("Escape")
        desk.button("Finds").click()
        expect(desk.page.get_by_role("listitem").filter(has_text=PROBE)).to_be_visible()
    post(service, f"/anomaly/incidents/{intrude(service, 'cam_9')}/notes", text=PROBE)
    with visit("root", "security") as desk:
        desk.button("intruder · cam_9").click()
        expect(desk.page.get_by_text(PROBE)).to_be_visible()
    scan = base64.b64encode((PICTURES / "invoice.webp").read_bytes()).decode()
    read = post(service, "/ocr/invoice", image=scan)
    post(service, f"/ocr/results/{read['result_id']}/confirm", vendor=PROBE, invoice_number=PROBE)
    with visit("root", "papers") as desk:
        desk.page.get_by_label("State").select_option("")
        desk.button(PROBE).click()
        expect(desk.page.get_by_label("Vendor")).to_have_value(PROBE)


# By view what opens its forms, in both languages.
FORMS = {
    "kiosk": [[("PIN", "Mã PIN")]],
    "people": [[], [("Enrol a person", "Đăng ký nhân viên")]],
    "lost_found": [
        [("New claim", "Ghi báo mất")],
        [("Finds", "Đồ nhặt được")],
        [("Finds", "Đồ nhặt được"), ("New find", "Ghi đồ nhặt được")],
    ],
    "housekeeping": [[("Inspect by photos", "Kiểm tra bằng ảnh")]],
    "security": [
        [("Cameras", "Camera"), ("Look for cameras", "Tìm camera")],
        [("Cameras", "Camera"), ("Try a camera", "Thử camera")],
    ],
    "stays": [[("Register a guest", "Đăng ký khách")]],
    "operator": [[], [("Add a person", "Thêm tài khoản")]],
}
FIELDS = "input:is([type=text], [type=search], [type=password], :not([type])):not(.unseen), textarea"


@BOTH
def test_every_form_can_be_read_and_takes_a_probe_for_text(
    visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    found: dict[str, list[str]] = {}
    count = 0
    with visit("root", size=size, language=language) as desk:
        page = desk.page
        page.get_by_role("button", name=said("Change password", "Đổi mật khẩu")).wait_for()
        for view, ways in FORMS.items():
            for way in ways:
                desk.open(view)
                for names in way:
                    desk.button(said(*names)).click()
                page.evaluate("for (const closed of document.querySelectorAll('details')) closed.open = true")
                found[f"{view} {way}"] = unreadable(page, axe)
                # What the browser would not let pass goes to the service too, whose refusal names it.
                page.evaluate("for (const form of document.forms) form.noValidate = true")
                for one in page.locator(f"main :is({FIELDS}):visible").all():
                    one.fill(PROBE)
                    count += 1
                form = "dialog form" if page.locator("dialog").count() else "main form"
                sending = page.locator(f"{form} button:not([type]):visible:enabled").last
                if sending.count():
                    sending.click()
                    page.wait_for_timeout(700)  # until it is refused, or shown
    assert not {way: problems for way, problems in found.items() if problems}
    assert count > 25


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_every_view(visit: Open, axe: str, size: tuple[int, int], theme: str) -> None:
    found: dict[str, list[str]] = {}
    with visit(None, size=size, theme=theme) as desk:
        found["sign in"] = unreadable(desk.page, axe)
    language = "vi" if theme == "dark" else "en"
    with visit("root", size=size, theme=theme, language=language) as desk:
        menu = desk.page.locator("header nav a").all()
        views = [str(link.get_attribute("href")).removeprefix("#/") for link in menu]
        assert len(views) == 8
        for view in views:
            desk.open(view)
            desk.page.wait_for_timeout(500)
            found[view] = unreadable(desk.page, axe)
            assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is too wide"
            assert not re.search(r"\{\w+\}", desk.page.locator("#content").inner_text()), view
    assert not {view: problems for view, problems in found.items() if problems}

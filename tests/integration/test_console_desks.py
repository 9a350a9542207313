"""Stays, the work in rooms, and cameras in the console, in a real Chromium: on desk and phone, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from app.api import examples
from app.services.streams.ws_discovery import PORT as ONVIF_PORT
from tests.browser import WAIT_MS, opened_browser
from tests.camera_servers import http_camera
from tests.integration.conftest import Service, Start
from tests.integration.console_visits import (
    API,
    BOTH,
    KEY,
    PHONE,
    PROBE,
    Open,
    axe_script,
    console_service,
    picture,
    post,
    unreadable,
    visits,
    words,
)
from tests.integration.test_api_room import room_photos
from tests.onvif_server import USER, WORD, OnvifCamera, onvif_camera
from tests.photos import base64_jpeg, coffee, jpeg
from tests.unit.test_room_changes import OTHER, PLACE, from_elsewhere, with_thing

pytestmark = [pytest.mark.any_server, pytest.mark.slow, pytest.mark.timeout(900)]

PICTURES = Path(examples.__file__).with_name("example_pictures")


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    with console_service(
        start_service,
        OCR_ENABLED=True,
        INFERENCE_DEADLINE_S=120,  # on a machine that does other things besides
        CAMERAS_PER_REPLICA=2,
        CAMERA_ALLOWED_CIDRS="127.0.0.1/32",
        CAMERA_PORTS="1-65535",
    ) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def visit(service: Service, browser: Browser) -> Open:
    service.records.rows("TRUNCATE stays, room_defects, room_cleanings, room_references, room_states, cameras CASCADE")
    return visits(service, browser)


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_script()


@BOTH
def test_a_guest_is_registered_completed_exported_and_erased(
    service: Service, visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    with visit("hoa", "stays", size=size, language=language) as desk:
        page = desk.page
        expect(page.get_by_text(said("No guest arrives on this day", "Không có khách đến"))).to_be_visible()
        assert unreadable(page, axe) == []
        desk.button(said("Register a guest", "Đăng ký khách")).click()
        page.get_by_label(said("The guest's papers", "Giấy tờ của khách")).set_input_files(PICTURES / "id_card.webp")
        page.get_by_role("dialog").get_by_label(said("Room", "Phòng")).fill("201")
        assert unreadable(page, axe) == []
        desk.button(said("Read and register", "Đọc và đăng ký")).click()
        name = page.get_by_label(said("Full name", "Họ tên"))
        expect(name).not_to_have_value("", timeout=2 * WAIT_MS)
        expect(page.get_by_role("dialog").get_by_text(said("Missing: Departure", "Còn thiếu: Ngày đi"))).to_be_visible()
        assert unreadable(page, axe) == []
        name.fill(PROBE)
        page.get_by_label(said("Note", "Ghi chú")).fill(PROBE)
        page.get_by_role("dialog").get_by_label(said("Departure", "Ngày đi")).fill("2030-01-02")
        page.get_by_role("dialog").get_by_label(said("Arrival", "Ngày đến")).fill("2030-01-01")
        desk.button(said("Save", "Lưu")).click()
        expect(page.get_by_role("dialog").get_by_text(said("Missing: Departure", "Còn thiếu: Ngày đi"))).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)  # hidden it is at once, and gone a moment later
        page.get_by_label(said("Arrival", "Ngày đến")).fill("2030-01-01")
        expect(page.get_by_role("row", name=PROBE)).to_be_visible()
        picture(desk, f"stays-{language}")
        page.get_by_label(said("Guests", "Khách"), exact=True).select_option("vietnamese")
        desk.button(said("Export as a table", "Xuất bảng tính")).click()
        expect(page.get_by_role("alert")).to_contain_text(said("lack something", "Còn hồ sơ thiếu"))
        page.get_by_label(said("Also records that lack something", "Kể cả hồ sơ còn thiếu")).check()
        with page.expect_download() as downloading:
            desk.button(said("Export as a table", "Xuất bảng tính")).click()
        assert downloading.value.suggested_filename == "stays-vietnamese-2030-01-01.xlsx"
        assert Path(downloading.value.path()).read_bytes()[:2] == b"PK"
        page.get_by_role("button", name=PROBE).click()
        desk.button(said("Erase", "Xóa")).click()
        desk.button(said("Erase", "Xóa")).click()
        expect(page.get_by_text(said("No guest arrives on this day", "Không có khách đến"))).to_be_visible()
    assert service.records.count("stays") == 0
    changes = service.records.rows("SELECT actor, details FROM audit_log WHERE action = 'stay.change' ORDER BY id")
    assert changes[-1]["actor"] == "hoa"
    assert set(changes[-1]["details"]["fields"]) == {
        "full_name",
        "note",
        "arrival",
        "departure",
    }


@BOTH
def test_a_room_is_cleaned_compared_and_its_tickets_are_worked_on(
    service: Service, visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    photo = PICTURES / "room.jpg"
    post(service, "/room/analyze", room_number="201", images=[base64_jpeg(coffee())])
    post(service, "/room/201/feedback", status="dirty", note=PROBE, defects=[{"label": "lamp_broken", "note": PROBE}])
    with visit("mai", "housekeeping", size=size, language=language) as desk:
        page = desk.page
        page.get_by_role("button", name="201").click()
        desk.button(said("Start cleaning", "Bắt đầu dọn")).click()
        expect(page.get_by_text(said("mai is cleaning.", "mai đang dọn."))).to_be_visible()
        desk.button(said("Cleaning is done", "Dọn xong")).click()
        expect(page.get_by_text(said("Cleaned in 0", "Dọn trong 0"))).to_be_visible()
        page.get_by_text(said("Compare with the reference", "So với ảnh mẫu")).click()
        page.get_by_label(said("Reference photos", "Ảnh mẫu mới")).set_input_files(photo)
        desk.button(said("Set the reference", "Đặt ảnh mẫu")).click()
        shown = page.get_by_role("img", name=said("As it should be: Photo 1", "Ảnh mẫu: Ảnh 1"))
        expect(shown).to_be_visible(timeout=WAIT_MS)
        assert unreadable(page, axe) == []
        page.keyboard.press("Escape")
        desk.button(said("Tickets", "Phiếu hỏng hóc")).click()
        ticket = page.get_by_role("listitem").filter(has_text="lamp broken")
        expect(ticket.get_by_label(said("Note", "Ghi chú"))).to_have_value(PROBE)
        assert unreadable(page, axe) == []
        picture(desk, f"tickets-{language}", covered="img")
        ticket.get_by_label(said("State", "Trạng thái")).select_option("done")
        ticket.get_by_role("button", name=said("Save", "Lưu")).click()
        expect(ticket).to_be_hidden()
        page.get_by_label(said("State of tickets", "Trạng thái phiếu")).select_option("done")
        expect(ticket).to_be_visible()
    [row] = service.records.rows("SELECT state, changed_by FROM room_defects")
    assert (row["state"], row["changed_by"]) == ("done", "mai")
    [cleaning] = service.records.rows("SELECT started_by, stopped_by FROM room_cleanings")
    assert set(cleaning.values()) == {"mai"}


@BOTH
def test_what_an_inspection_finds_is_shown_cut_out_of_its_photo(
    service: Service, visit: Open, axe: str, eval_data: Path, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    messy = room_photos(eval_data, "messy", 1)
    found = post(service, "/room/analyze", room_number="305", images=[base64_jpeg(one) for one in messy])["tags"]
    reference = {"images": [base64_jpeg(with_thing(coffee(), PLACE))]}
    service.client.put(f"{API}/room/201/reference", json=reference, headers={"X-API-Key": KEY}).raise_for_status()
    moved, _ = from_elsewhere(with_thing(coffee(), OTHER))
    post(service, "/room/analyze", room_number="201", images=[base64_jpeg(moved)])
    post(service, "/room/201/feedback", status="dirty")
    with visit("mai", "housekeeping", size=size, language=language) as desk:
        page = desk.page
        page.get_by_role("button", name="305").press("Enter")
        last = page.get_by_role("dialog").get_by_role("list").last
        expect(last.get_by_role("img")).to_have_count(len(found))
        last.scroll_into_view_if_needed()
        page.wait_for_function("[...document.querySelectorAll('.lines img')].every((one) => one.naturalWidth > 0)")
        assert unreadable(page, axe) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="305")).to_be_focused()
        page.get_by_role("button", name="201").press("Enter")
        page.get_by_text(said("Compare with the reference", "So với ảnh mẫu")).click()
        expect(page.get_by_role("img", name=said("moved · Photo 1", "bị dời · Ảnh 1"))).to_be_visible()


@BOTH
def test_a_camera_that_answers_is_tried_by_what_it_says(
    visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    name = f"Cửa sau {language}"  # other tests' cameras may answer too
    with (
        http_camera(jpeg(coffee())) as camera,
        onvif_camera(OnvifCamera(name=name, snapshot_uri=camera.url("/snapshot.jpg")), discovery_port=ONVIF_PORT),
        visit("son", "security", size=size, language=language) as desk,
    ):
        page = desk.page
        desk.button(said("Cameras", "Camera")).click()
        desk.button(said("Look for cameras", "Tìm camera")).click()
        found = page.get_by_role("listitem").filter(has_text=name)
        desk.button(said("Look", "Tìm")).click()
        expect(found.locator(".bad")).to_be_visible(timeout=WAIT_MS)  # it asks for a login
        page.get_by_label(said("User name", "Tên đăng nhập")).fill(USER)
        page.get_by_label(said("Password", "Mật khẩu")).fill(WORD)
        desk.button(said("Look", "Tìm")).click()
        expect(found).to_contain_text("Dome 4", timeout=WAIT_MS)
        assert unreadable(page, axe) == []
        found.get_by_role("button", name=said("Try the stills of main", "Thử ảnh tĩnh của main")).click()
        expect(page.get_by_label(said("Address", "Địa chỉ"))).to_have_value(camera.url("/snapshot.jpg"))
        desk.button(said("Try it", "Thử")).click()
        expect(page.get_by_text(said("It works:", "Hoạt động:"))).to_be_visible(timeout=WAIT_MS)


@BOTH
def test_a_camera_is_tried_added_watched_and_drawn_on(
    service: Service, visit: Open, axe: str, size: tuple[int, int], language: str
) -> None:
    said = words(language)
    zone = PROBE[:50]
    with (
        http_camera(jpeg(coffee())) as camera,
        visit("son", "security", size=size, language=language) as desk,
    ):
        page = desk.page
        desk.button(said("Cameras", "Camera")).click()
        expect(page.get_by_text(said("No cameras yet", "Chưa có camera"))).to_be_visible()
        assert unreadable(page, axe) == []
        desk.button(said("Try a camera", "Thử camera")).click()
        page.get_by_label(said("Kind", "Loại")).select_option("snapshot")
        page.get_by_label(said("Address", "Địa chỉ")).fill(f"http://127.0.0.1:{camera.port}/nothing-here")
        desk.button(said("Try it", "Thử")).click()
        expect(page.get_by_role("status").filter(has_text=":")).to_be_visible(timeout=WAIT_MS)
        expect(desk.button(said("Add the camera", "Thêm camera"))).to_be_hidden()
        page.get_by_label(said("Address", "Địa chỉ")).fill(camera.url("/snapshot.jpg"))
        desk.button(said("Try it", "Thử")).click()
        expect(page.get_by_text(said("It works:", "Hoạt động:"))).to_be_visible(timeout=WAIT_MS)
        assert unreadable(page, axe) == []
        page.get_by_label("Camera *", exact=True).fill("cam_1")
        desk.button(said("Add the camera", "Thêm camera")).click()
        expect(page.get_by_role("img", name="cam_1")).to_be_visible(timeout=WAIT_MS)
        assert unreadable(page, axe) == []
        desk.button("cam_1").click()
        plane = page.get_by_role("img", name=said("Zones and masks", "Vùng và vùng che"))
        box = plane.bounding_box()
        assert box is not None
        for x, y in ((0.1, 0.2), (0.9, 0.2)):
            plane.click(position={"x": x * box["width"], "y": y * box["height"]})
        page.get_by_label(said("% from the left", "% từ trái")).fill("50")  # the third one without a mouse
        page.get_by_label(said("% from the top", "% từ trên")).fill("80")
        desk.button(said("Add the corner", "Thêm góc")).press("Enter")
        page.get_by_label(said("For", "Dùng để"), exact=True).select_option("intrusion")
        page.get_by_label(said("Name of the zone", "Tên vùng")).fill(zone)
        desk.button(said("Finish the zone", "Kết thúc vùng")).click()
        expect(page.get_by_role("listitem").filter(has_text=zone)).to_be_visible()
        assert unreadable(page, axe) == []
        picture(desk, f"zones-{language}", covered="dialog img")
        desk.button(said("Save", "Lưu")).click()
        service.records.wait_until(lambda: [one["name"] for one in zones_of(service)] == [zone])
        [drawn] = zones_of(service)
        assert [[round(part, 1) for part in point] for point in drawn["points"]] == [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]
        # What was watched for still is.
        assert set(rules_of(service)["anomalies"]) == {"fire", "flood", "intrusion"}
        desk.button(f"{said('Remove', 'Bỏ')}: {zone}").click()
        desk.button(said("Save", "Lưu")).click()
        service.records.wait_until(lambda: zones_of(service) == [])
        desk.button(said("Remove the camera", "Gỡ camera")).click()
        desk.button(said("Remove the camera", "Gỡ camera")).click()
        expect(page.get_by_text(said("No cameras yet", "Chưa có camera"))).to_be_visible()
        desk.failures.clear()  # the picture of a camera that is gone


def test_the_wall_shows_twelve_cameras_and_says_how_they_do_without_being_asked(service: Service, visit: Open) -> None:
    with visit("son", "security", size=PHONE, language="vi") as phone:
        page = phone.page
        phone.button("Camera").click()
        expect(page.get_by_text("Chưa có camera")).to_be_visible()
        page.wait_for_timeout(2000)  # the stream of events is open by then
        away = {"kind": "snapshot", "url": "http://127.0.0.1:9/", "tasks": ["anomaly"]}
        post(service, "/cameras", id="cam_00", **away)
        card = page.get_by_role("listitem").filter(has_text="cam_00")
        expect(card).to_contain_text("không hoạt động", timeout=WAIT_MS)
        for number in range(1, 14):
            post(service, "/cameras", id=f"cam_{number:02}", enabled=False, **away)
        phone.button("Xem lại").click()
        expect(page.get_by_role("listitem")).to_have_count(12)
        phone.button("Sau").click()
        expect(page.get_by_role("listitem")).to_have_count(2)
        expect(page.get_by_role("listitem").last).to_contain_text("đang tắt")


def rules_of(service: Service) -> dict[str, Any]:
    """Of the one camera, as the API shows them."""
    [camera] = service.client.get("/api/v1/cv/cameras", headers={"X-API-Key": KEY}).json()["items"]
    rules: dict[str, Any] = camera["rules"]
    return rules


def zones_of(service: Service) -> list[dict[str, Any]]:
    return list((rules_of(service)["intrusion"] or {"zones": []})["zones"])

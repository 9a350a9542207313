"""The console in a real Chromium, for tests: visits by people with roles, what went wrong on their pages, and axe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request
from pydantic import SecretStr

from app.types import Image
from tests.browser import WAIT_MS, opened_browser
from tests.integration.conftest import Service, Start
from tests.integration.live import PROJECT_DIR
from tests.node import ran, require_node
from tests.photos import jpeg

API = "/api/v1/cv"
KEY = "key-of-the-console-test-0123456789abcdef"
PASSWORD = "mùa thu Hà Nội 1975"
PROBE = """"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'{{7*7}}"""
DESK, PHONE = (1280, 900), (390, 844)
BOTH = pytest.mark.parametrize(("size", "language"), [(DESK, "en"), (PHONE, "vi")], ids=["desk", "phone"])
ROLES = {
    "lan": "personnel",
    "kiosk1": "kiosk",
    "hoa": "front_desk",
    "mai": "housekeeping",
    "son": "security",
    "van": "accounting",
    "root": "admin",
}


@dataclass
class Visit:
    """A page of the console, and what went wrong on it."""

    page: Page
    address: str
    failures: list[str] = field(default_factory=list)

    def open(self, view: str) -> None:
        self.page.goto(f"{self.address}/console#/{view}")
        self.page.reload()  # another hash alone loads nothing
        self.page.get_by_role("heading", level=1).wait_for()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


Open = Callable[..., Any]


def words(language: str) -> Callable[[str, str], str]:
    """Of a text in English and in Vietnamese that which a page in ``language`` has."""
    return lambda english, vietnamese: english if language == "en" else vietnamese


@contextmanager
def console_service(start_service: Start, **settings: object) -> Iterator[Service]:
    """A service with somebody of each role, and an admin's key."""
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), SIGN_INS_PER_MINUTE=0, **settings) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        for name, role in ROLES.items():
            post(started, "/users", name=name, password=PASSWORD, roles=[role])
        yield started


def post(service: Service, path: str, **body: Any) -> dict[str, Any]:
    answer = service.client.post(f"{API}{path}", json=body, headers={"X-API-Key": KEY})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def moving(picture: Image, path: Path) -> Path:
    """A file that Chromium plays in the place of a camera: JPEG after JPEG."""
    scaled = cv2.resize(picture, (480, 480))
    frame = cv2.copyMakeBorder(scaled, 0, 0, 80, 80, cv2.BORDER_REPLICATE)
    frames = [np.roll(frame, shift, axis=1) for shift in (0, 1, 2, 1)]
    path.write_bytes(b"".join(jpeg(one.astype(np.uint8)) for one in frames))
    return path


@contextmanager
def filmed_browser(film: Path) -> Iterator[Browser]:
    """Chromium with a camera that shows what ``film`` is when a page opens it."""
    with opened_browser(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ) as opened:
        yield opened


def visits(service: Service, browser: Browser) -> Open:
    """Opens the console as somebody; whatever the page complains of fails the test."""

    @contextmanager
    def opened(
        name: str | None, view: str = "", *, size: tuple[int, int] = DESK, language: str = "en", theme: str = "light"
    ) -> Iterator[Visit]:
        address = str(service.client.base_url).rstrip("/")
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=language, permissions=["camera"]
        )
        context.add_init_script(
            f"localStorage.setItem('cv.language', '{language}'); localStorage.setItem('cv.theme', '{theme}')"
        )
        if name is not None:
            answer = context.request.post(
                f"{address}{API}/session",
                data={"name": name, "password": PASSWORD},
                headers={"Origin": address},
            )
            assert answer.ok, answer.text()
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        found = Visit(page, address)
        own = (address, f"http://{service.settings.MINIO_ENDPOINT}", "blob:", "data:")

        def hear_error(error: Error) -> None:
            found.failures.append(str(error))

        def hear_console(said: ConsoleMessage) -> None:
            # What the API refuses is logged by the browser too; that is for each test to expect.
            if said.type == "error" and "status of" not in said.text:
                found.failures.append(said.text)

        def hear_request(sent: Request) -> None:
            if not sent.url.startswith(own):
                found.failures.append(f"loads {sent.url}")

        page.on("pageerror", hear_error)
        page.on("console", hear_console)
        page.on("request", hear_request)
        found.open(view)
        yield found
        assert page.evaluate("window.hacked") is None
        assert not found.failures
        context.close()

    return opened


def picture(visit: Visit, name: str, *, covered: str | None = None) -> None:
    """For the docs, where somebody asks for them; ``covered`` selects photos that no repository should hold."""
    if folder := os.environ.get("CV_CONSOLE_PICTURES"):
        mask = [visit.page.locator(covered)] if covered else []
        path = Path(folder) / f"{name}.jpg"
        visit.page.screenshot(path=path, type="jpeg", quality=70, mask=mask, mask_color="#7d8a88")


def axe_script() -> str:
    """The source of axe."""
    require_node()
    ran("make", "console/node_modules", folder=PROJECT_DIR, timeout_s=240)
    return (PROJECT_DIR / "console" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def unreadable(page: Page, axe: str) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA."""
    page.evaluate(axe)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]

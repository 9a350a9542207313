"""Swagger UI in a browser, as somebody uses it who has just started the service: each operation by one click.

CV_TRIED_OUT=docs/try-it-out.md writes the table there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request
from pydantic import SecretStr

from app.api import examples
from app.config import Settings
from app.main import create_app
from tests.browser import browser_page
from tests.integration.conftest import Service, Start
from tests.written_tables import put

pytestmark = pytest.mark.any_server

KEY = "key-of-the-browser-test-0123456789abcdef"
PICTURES = Path(examples.__file__).with_name("example_pictures")
FORM = "multipart/form-data"
# What is on the page first is executed first, so some things are not there yet, and others not any more.
PICTURE_OF = {"face": "face.jpg", "readInvoice": "invoice.webp", "readIdentity": "id_card.webp"}


@dataclass(frozen=True)
class Operation:
    """One block of the page."""

    id: str
    tag: str
    method: str
    path: str
    media_types: tuple[str, ...]
    statuses: frozenset[str]

    @property
    def picture(self) -> Path:
        return PICTURES / PICTURE_OF.get(self.id, PICTURE_OF.get(self.tag, "room.jpg"))


def operations() -> list[Operation]:
    """In the order of the page."""
    document = create_app(Settings.model_construct()).openapi()
    tags = [tag["name"] for tag in document["tags"]]
    found = [
        Operation(
            operation["operationId"],
            operation["tags"][0],
            method.upper(),
            path,
            tuple(operation.get("requestBody", {}).get("content", {})),
            frozenset(operation["responses"]),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(found, key=lambda operation: tags.index(operation.tag))


@pytest.fixture(scope="module")
def fresh(start_service: Start) -> Iterator[Service]:
    """As ``make run`` starts it."""
    with start_service(OCR_ENABLED=True, CAMERA_ALLOWED_CIDRS="192.0.2.0/24") as started:
        yield started


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser_page() as opened:
        yield opened


def open_docs(page: Page, service: Service) -> set[str]:
    """Load Swagger UI; the hosts that it asks for anything, from now on."""
    hosts: set[str] = set()

    def note(request: Request) -> None:
        if request.url.startswith("http"):
            hosts.add(re.sub(r"^https?://([^/]+).*", r"\1", request.url))

    page.on("request", note)
    page.goto(f"{service.client.base_url}/docs")
    page.locator(".opblock").first.wait_for()
    return hosts


def block_of(page: Page, operation: Operation) -> Locator:
    """The operation's block, opened to try it out."""
    block = page.locator(f"#operations-{operation.tag}-{operation.id}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    return block


def execute(block: Locator) -> str:
    """Click, and read the status that the page shows."""
    block.locator("button.execute").click()
    shown = block.locator(".live-responses-table .response .response-col_status").first
    shown.wait_for()
    status = str(shown.text_content()).strip()[:3]
    block.locator(".opblock-summary-control").click()
    return status


def works(operation: Operation, status: str) -> bool:
    # On a fresh service nobody has the example's PIN, and its picture shows no card.
    is_refused = operation.id == "checkInByPass" and status in ("403", "422")
    return status in operation.statuses and (status.startswith("2") or status == "404" or is_refused)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # each opening takes the page seconds, on two busy cores
def test_every_operation_works_by_one_click(fresh: Service, page: Page) -> None:
    hosts = open_docs(page, fresh)
    statuses = {operation: execute(block_of(page, operation)) for operation in operations()}
    if report := os.environ.get("CV_TRIED_OUT"):
        put(Path(report), "tests/integration/test_swagger_ui.py", table(statuses))
    assert not {o.id: status for o, status in statuses.items() if not works(o, status)}
    assert {o.id for o in statuses if statuses[o].startswith("2")} >= {"enrollFace", "recognizeFace", "readIdentity"}
    assert hosts == {fresh.client.base_url.netloc.decode()}  # a closed network has no other


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_form_takes_a_file_and_leaves_out_what_is_optional(fresh: Service, page: Page) -> None:
    open_docs(page, fresh)
    statuses: dict[str, str] = {}
    for operation in (one for one in operations() if FORM in one.media_types):
        block = block_of(page, operation)
        block.get_by_label("Request content type").select_option(FORM)
        for chooser in block.locator("input[type=file]").all():
            chooser.set_input_files(operation.picture)
        status = execute(block)
        if not works(operation, status):
            statuses[operation.id] = status
    assert not statuses


def test_a_key_is_entered_by_authorize(start_service: Start, page: Page) -> None:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY)) as service:
        service.records.wait_until(lambda: service.records.count("api_keys") > 0)
        open_docs(page, service)
        [models] = [one for one in operations() if one.id == "listModels"]
        assert execute(block_of(page, models)) == "401"
        page.get_by_role("button", name="Authorize", exact=True).first.click()
        dialog = page.locator(".modal-ux")
        dialog.get_by_role("textbox").first.fill(KEY)
        dialog.get_by_role("button", name="Apply credentials").first.click()
        dialog.get_by_role("button", name="Close").last.click()
        block = page.locator(f"#operations-{models.tag}-{models.id}")
        block.locator(".opblock-summary-control").click()
        assert execute(block) == "200"


def table(statuses: dict[Operation, str]) -> str:
    rows = [f"| `{one.id}` | {one.method} `{one.path}` | {status} |" for one, status in statuses.items()]
    return "\n".join(["| operation | request | status |", "|---|---|---|", *rows])

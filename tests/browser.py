"""A real browser: Chromium as the distribution has it, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

WAIT_MS = 90_000  # for whatever a page does, on a machine that does other things besides
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]  # CI runs as root, in containers


@contextmanager
def opened_browser(*arguments: str) -> Iterator[Browser]:
    """A browser, started with further arguments. Where Chromium is not installed the test is skipped, or fails if
    CV_REQUIRE_CHROMIUM is set."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CV_REQUIRE_CHROMIUM"):
            pytest.fail("no Chromium (Debian: chromium)")
        pytest.skip("no Chromium (Debian: chromium)")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=[*_ARGUMENTS, *arguments]) as browser,
    ):
        yield browser


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a browser of its own."""
    with opened_browser() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1400})
        page.set_default_timeout(WAIT_MS)
        yield page

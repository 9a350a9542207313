"""``make run HTTPS=1``, the whole way: from the command to a tablet that trusts it, signs in and uses its camera."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import expect

from scripts.local.layout import PROJECT_DIR
from scripts.local.ports import choose_free_port, is_free
from tests.backends import folder_for_servers
from tests.browser import opened_browser

pytestmark = [pytest.mark.any_server, pytest.mark.slow, pytest.mark.timeout(900)]

START_LIMIT_S = 400.0  # a machine that does other things besides loads models slowly
KEEPS = ("PATH", "HOME", "LANG", "TMPDIR", "MODEL_WEIGHTS_DIR")


def port_pair() -> int:
    """A free port whose next one is free too."""
    return next(port for port in iter(choose_free_port, None) if is_free(port + 1))


@contextmanager
def running(environment: Mapping[str, str], output: Path) -> Iterator[None]:
    """What ``make run`` runs, until the block ends; it leaves nothing running."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "scripts/run_local.py"],
            cwd=PROJECT_DIR,
            env=dict(environment),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        ends_s = time.monotonic() + START_LIMIT_S
        while "cv users add NAME" not in output.read_text():  # the last line of what it says in the beginning
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < ends_s, output.read_text()
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(120)
    assert (status, "nothing is left running" in output.read_text()) == (0, True)


def test_a_tablet_trusts_it_signs_in_and_uses_its_camera(tmp_path: Path) -> None:
    port = port_pair()
    with folder_for_servers() as folder:
        kept = {name: os.environ[name] for name in KEEPS if name in os.environ}
        host = "0.0.0.0"  # noqa: S104  # as a tablet reaches it
        given = {"HTTPS": "1", "HOST": host, "PORT": str(port), "CV_DATA_DIR": str(folder), "OCR_ENABLED": "false"}
        with running(kept | given, tmp_path / "output.txt"):
            authority = trusted_authority(port, (tmp_path / "output.txt").read_text())
            origin = f"https://127.0.0.1:{port}"
            trust = ssl.create_default_context(cadata=authority)
            with httpx.Client(base_url=origin, verify=trust, timeout=60) as client:
                assert client.get("/console").status_code == 200
                assert client.get("/api/v1/cv/face/people").status_code == 401  # other machines need keys
            added = subprocess.run(
                [sys.executable, "-m", "app.cli", "users", "add", "kiosk1", "--role", "kiosk", "--generate"],
                cwd=PROJECT_DIR,
                env=kept | given,
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
            (tmp_path / "authority.pem").write_text(ssl.DER_cert_to_PEM_cert(authority))
            # Verified here as a tablet does by what it has installed; Chromium is told to trust this very key.
            found = ssl.get_server_certificate(
                ("127.0.0.1", port), ca_certs=str(tmp_path / "authority.pem"), timeout=30
            )
            sign_in_at_the_kiosk(origin, x509.load_pem_x509_certificate(found.encode()), password=added.stdout.strip())


def trusted_authority(port: int, terminal: str) -> bytes:
    """The authority's certificate as the page gives it; its fingerprint is the one on the terminal."""
    page = httpx.get(f"http://127.0.0.1:{port + 1}/", timeout=30).text
    [fingerprint] = set(re.findall(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", page))
    found = httpx.get(f"http://127.0.0.1:{port + 1}/cv-service-authority.crt", timeout=30).content
    assert hashlib.sha256(found).hexdigest() == fingerprint.replace(":", "").lower()
    assert fingerprint in re.sub(r"\s", "", terminal)
    assert f"https://127.0.0.1:{port}/console" in page
    return found


def sign_in_at_the_kiosk(origin: str, certificate: x509.Certificate, *, password: str) -> None:
    encoded = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    spki = base64.b64encode(hashlib.sha256(encoded).digest()).decode()
    with opened_browser(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--ignore-certificate-errors-spki-list={spki}",
    ) as browser:
        context = browser.new_context(locale="en", permissions=["camera"])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{origin}/console")
        page.get_by_label("User name").fill("kiosk1")
        page.get_by_label("Password").fill(password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Check-in")).to_be_visible(timeout=60_000)
        assert page.evaluate("isSecureContext")
        [cookie] = [one for one in context.cookies() if one["name"] == "cv_session"]
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        while page.locator("video").evaluate("found => found.videoWidth") == 0:
            page.wait_for_timeout(200)  # the policy of the page lets nothing be evaluated in it again and again

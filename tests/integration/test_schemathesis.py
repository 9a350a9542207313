"""The running service against its own document: whatever it says, it does.

Requests are made up from the document, so most are refused, and none may crash, hang or be answered in another shape.
CV_SCHEMATHESIS_S is the time that is given to it, in seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.integration.conftest import Service, Start

pytestmark = pytest.mark.any_server

BUDGET_S = int(os.environ.get("CV_SCHEMATHESIS_S", "60"))
HOOKS = Path(__file__).resolve().parents[1] / "schemathesis_hooks.py"
# The first never ends by itself; of cameras that were made up the others rightly answer 503, as there is no picture.
EXCLUDED = (
    "/api/v1/cv/events",
    "/api/v1/cv/cameras/{camera_id}/snapshot",
    "/api/v1/cv/cameras/{camera_id}/stream",
)
KEY = "key-of-the-document-test-0123456789abcdef"
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    # With OCR: a request that is right by the document must not be answered 503.
    with start_service(
        OCR_ENABLED=True, AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), RATE_LIMIT_PER_MINUTE=0
    ) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started


def asked(service: Service) -> Counter[tuple[str, str, str]]:
    """How many requests there were, by method, route and status."""
    text = service.client.get("/api/v1/cv/metrics").text
    found = re.findall(r'cv_http_requests_total\{method="(.+?)",route="(.+?)",status="(.+?)"\} (\S+)', text)
    return Counter({(method, route, status): int(float(count)) for method, route, status, count in found})


def test_the_service_keeps_to_its_document(service: Service, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{service.client.base_url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        f"--header=X-API-Key: {KEY}",
        *(f"--exclude-path={path}" for path in EXCLUDED),
        "--phases=examples,coverage,fuzzing",
        "--max-examples=20",
        f"--max-time={BUDGET_S}",
        "--request-timeout=20",
        "--generation-with-security-parameters=false",
        "--seed=1",
        "--generation-database=none",
        "--no-color",
    ]
    before = asked(service)
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=BUDGET_S + 180
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-1000:]
    # A refusal of the key would be an answer by the document, too.
    new = asked(service) - before
    paths = service.client.get("/openapi.json").json()["paths"]
    operations = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert operations - {(method, path) for method, path, _ in new} == {("GET", path) for path in EXCLUDED}
    refused = {(path, status) for _, path, status in new if status in ("401", "403", "500")}
    # Signing in is for pages of our own, and nobody has the PINs that are made up.
    ours = ("session", "session/provider", "attendance/check-in")
    assert refused <= {(f"/api/v1/cv/{path}", "403") for path in ours}

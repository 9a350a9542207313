"""The clients as they are packed, against the running service: their own tests, which stand beside them in sdk/."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from pydantic import SecretStr

from app.api import examples
from tests.integration.conftest import Start
from tests.integration.live import PROJECT_DIR
from tests.node import ran, require_node

pytestmark = [pytest.mark.any_server, pytest.mark.slow]

KEY = "key-of-the-clients-0123456789abcdef"
PICTURES = Path(examples.__file__).with_name("example_pictures")
TYPESCRIPT = PROJECT_DIR / "sdk" / "typescript"
PYTHON = PROJECT_DIR / "sdk" / "python"


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[dict[str, str]]:
    """The environment of the clients' tests."""
    with start_service(
        AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), WEBHOOK_ALLOWED_CIDRS="127.0.0.1/32"
    ) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield {"CV_URL": str(started.client.base_url), "CV_API_KEY": KEY, "CV_PICTURES": str(PICTURES)}


@pytest.mark.timeout(400)
def test_the_typescript_client_as_it_is_packed(service: dict[str, str], tmp_path: Path) -> None:
    require_node()
    ran("make", "sdk-typescript", folder=PROJECT_DIR, timeout_s=240)
    ran("npm", "run", "types", folder=TYPESCRIPT, timeout_s=60)
    [package] = (PROJECT_DIR / "dist").glob("cv-service-client-*.tgz")
    (tmp_path / "package.json").write_text('{"private": true}')
    ran("npm", "install", "--offline", "--no-audit", package, folder=tmp_path, timeout_s=60)
    for test in (TYPESCRIPT / "test").glob("*.test.mjs"):
        shutil.copy(test, tmp_path)
    told = ran("node", "--test", ".", folder=tmp_path, timeout_s=120, environment=service)
    print(told)
    assert re.search(r"^# skipped 0$", told, re.MULTILINE)


@pytest.mark.timeout(600)
def test_the_python_client_as_it_is_packed(service: dict[str, str], tmp_path: Path) -> None:
    ran("make", "sdk-python", folder=PROJECT_DIR, timeout_s=300)
    python = PROJECT_DIR / ".venv-sdk" / "bin" / "python"
    [package] = (PROJECT_DIR / "dist").glob("cv_service_client-*.whl")
    with ZipFile(package) as wheel:
        wheel.extractall(tmp_path)
    packed = {"PYTHONPATH": str(tmp_path), "MYPYPATH": str(tmp_path)}
    checked = [*(tmp_path / "cv_service_client").glob("*.py"), PYTHON / "tests"]
    ran(
        python, "-m", "mypy", "--strict", "--config-file=", *checked, folder=tmp_path, timeout_s=200, environment=packed
    )
    told = ran(
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", tmp_path),
        PYTHON / "tests",
        folder=tmp_path,
        timeout_s=120,
        environment=service | packed,
    )
    print(told)
    assert "skipped" not in told


def test_the_clients_have_the_version_of_the_document() -> None:
    document = json.loads((PROJECT_DIR / "docs" / "openapi.json").read_text(encoding="utf-8"))
    package = json.loads((TYPESCRIPT / "package.json").read_text(encoding="utf-8"))
    wheel = tomllib.loads((PYTHON / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert package["version"] == wheel["version"] == document["info"]["version"]

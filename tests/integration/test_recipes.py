"""The recipes of docs/recipes and the requests of the Postman collection, run as they stand on a fresh service."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from pydantic import SecretStr

from app.api import examples
from tests.integration.conftest import Start
from tests.integration.live import PROJECT_DIR
from tests.node import ran, require_node

pytestmark = [pytest.mark.any_server, pytest.mark.slow]

KEY = "key-of-the-recipes-0123456789abcdef"
PICTURES = Path(examples.__file__).with_name("example_pictures")
RECIPES = [path for path in sorted((PROJECT_DIR / "docs" / "recipes").glob("[a-z]*.md")) if ".vi" not in path.suffixes]
BLOCK = re.compile(r"^```(js|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[httpx.Client]:
    with start_service(
        OCR_ENABLED=True,
        AUTH_REQUIRED=True,
        ADMIN_API_KEY=SecretStr(KEY),
        CAMERA_ALLOWED_CIDRS="192.0.2.0/24",
        RATE_LIMIT_PER_MINUTE=0,
        INFERENCE_DEADLINE_S=100,  # on a machine that does other things besides
    ) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started.client


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both clients as they are packed, and the pictures."""
    require_node()
    ran("make", "sdk", folder=PROJECT_DIR, timeout_s=300)
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copytree(PICTURES, folder / "photos")
    [wheel] = (PROJECT_DIR / "dist").glob("cv_service_client-*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(folder)
    [tarball] = (PROJECT_DIR / "dist").glob("cv-service-client-*.tgz")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    ran("npm", "install", "--offline", "--no-audit", tarball, folder=folder, timeout_s=60)
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_prints_what_it_says(recipe: Path, service: httpx.Client, clients: Path) -> None:
    blocks: list[tuple[str, str]] = BLOCK.findall(recipe.read_text(encoding="utf-8"))
    [language] = {language for language, _ in blocks} - {"text"}
    program = clients / f"{recipe.stem}.{'js' if language == 'js' else 'py'}"
    program.write_text("\n".join(text for kind, text in blocks if kind == language), encoding="utf-8")
    command = ["node"] if language == "js" else [str(PROJECT_DIR / ".venv-sdk" / "bin" / "python")]
    given = {"CV_URL": str(service.base_url), "CV_API_KEY": KEY, "PYTHONPATH": str(clients), "PYTHONUTF8": "1"}
    printed = ran(*command, program, folder=clients, timeout_s=TIMEOUT_S, environment=given)
    [expected] = [text for kind, text in blocks if kind == "text"]
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    assert re.fullmatch(pattern, printed.strip()), printed


def test_every_recipe_is_listed() -> None:
    listed = re.findall(
        r"\]\(([\w-]+\.md)\)", (PROJECT_DIR / "docs" / "recipes" / "README.md").read_text(encoding="utf-8")
    )
    assert listed
    assert set(listed) == {path.name for path in RECIPES}


@pytest.mark.timeout(600)
def test_every_request_of_the_collection_works(service: httpx.Client) -> None:
    ran(sys.executable, PROJECT_DIR / "sdk" / "postman" / "generate.py", folder=PROJECT_DIR, timeout_s=30)
    collection = json.loads((PROJECT_DIR / "dist" / "cv-service.postman_collection.json").read_text(encoding="utf-8"))
    document = json.loads((PROJECT_DIR / "docs" / "openapi.json").read_text(encoding="utf-8"))
    requests = [one for folder in collection["item"] for one in folder["item"]]
    operations = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert {one["name"] for one in requests} == operations
    statuses = {one["name"]: sent(one["request"], service) for one in requests}
    assert statuses.pop("beginSession") == 403, "only a page of our own signs in"
    assert statuses.pop("beginProviderSignIn") == 403, "likewise"
    assert statuses.pop("checkInByPass") == 403, "nobody has that PIN yet"
    assert not {name: status for name, status in statuses.items() if not (200 <= status < 300 or status == 404)}
    assert statuses["enrollFace"] == statuses["readInvoice"] == 200


def sent(request: dict[str, Any], service: httpx.Client) -> int:
    """The status that a request of the collection is answered with."""
    url = request["url"]
    path = [next((one["value"] for one in url["variable"] if f":{one['key']}" == part), part) for part in url["path"]]
    headers = {one["key"]: one["value"] for one in request["header"] if not one.get("disabled")}
    if "Idempotency-Key" in headers:
        assert headers.pop("Idempotency-Key") == "{{$guid}}"
    if "auth" not in request:
        headers["X-API-Key"] = KEY
    params = [(one["key"], one["value"]) for one in url["query"] if not one["disabled"]]
    body = request.get("body", {}).get("raw")
    answer = service.request(
        request["method"], "/" + "/".join(path), params=params, headers=headers, content=body, timeout=TIMEOUT_S
    )
    return answer.status_code

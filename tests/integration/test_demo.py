"""make demo: the walk over a fresh service, and that everything it filled can be read afterwards."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from scripts.demo.tour import Tour
from tests.integration.conftest import Start

pytestmark = [pytest.mark.slow, pytest.mark.any_server, pytest.mark.timeout(420)]

_STREAMS = ("/events", "/stream")


def test_after_the_walk_every_get_answers(start_service: Start, tmp_path: Path) -> None:
    said: list[str] = []
    changes = {"MINIO_BUCKET": f"demo-{uuid.uuid4().hex[:12]}", "OCR_ENABLED": True, "INFERENCE_DEADLINE_S": 120.0}
    with start_service(**changes, CAMERA_ALLOW_FILES=True, CAMERAS_PER_REPLICA=4, CV_DATA_DIR=tmp_path) as service:
        client = service.client
        ids = Tour(client, said.append, tmp_path / "demo").walk()
        document = client.get("/openapi.json").json()
        answers = {}
        for path, operations in document["paths"].items():
            if "get" not in operations:
                continue
            wanted = [one["name"] for one in operations["get"].get("parameters", []) if one.get("required")]
            query = {name: ids[name] for name in wanted if f"{{{name}}}" not in path}
            address = re.sub(r"{(\w+)}", lambda found: ids[found[1]], path)
            if path.endswith(_STREAMS):
                with client.stream("GET", address, params=query) as answer:
                    answers[path] = answer.status_code
            else:
                answers[path] = client.get(address, params=query).status_code
        assert len(answers) > 35
        assert {path: status for path, status in answers.items() if not 200 <= status < 300} == {}
    steps = [line for line in said if line.startswith("\n== ")]
    assert len(steps) == 11
    assert any("checked in Eileen Collins" in line for line in said)
    assert any("by picture: ginger cat" in line for line in said)

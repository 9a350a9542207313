"""The API's document: committed as the code has it, and complete where FastAPI leaves gaps."""

from __future__ import annotations

import json

import jsonschema
import pytest

from scripts import export_asyncapi
from scripts.export_openapi import TARGET, document
from tests.event_schemas import documented

OPEN_PATHS = {f"/api/v1/cv/{path}" for path in ("health", "health/live", "health/ready")}


def test_the_committed_document_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == document(), "the API has changed; run: make openapi"


def test_every_operation_but_the_probes_asks_for_a_key() -> None:
    for path, operations in json.loads(document())["paths"].items():
        for method, operation in operations.items():
            assert ("security" in operation) == (path not in OPEN_PATHS), f"{method} {path}"


def test_every_operation_is_described_and_names_its_errors() -> None:
    for path, operations in json.loads(document())["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            assert {"422", "429", "503"} <= set(operation["responses"]), f"{method} {path}"


SCHEMAS = json.loads(document())["components"]["schemas"]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_has_an_example_that_fits_it(name: str) -> None:
    example = SCHEMAS[name]["example"]
    whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    jsonschema.Draft202012Validator(whole).validate(example)
    known = set(SCHEMAS[name].get("properties", {}))
    assert not isinstance(example, dict) or not known or set(example) <= known


def test_every_reference_is_resolved() -> None:
    text = document()
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= set(SCHEMAS)
    assert "HTTPValidationError" not in text


def test_the_committed_document_of_events_is_current() -> None:
    committed = export_asyncapi.TARGET.read_text(encoding="utf-8")
    assert committed == export_asyncapi.document(), "an event has changed; run: make openapi"


def test_every_documented_event_is_in_it_and_every_reference_leads_somewhere() -> None:
    whole = json.loads(export_asyncapi.document())
    messages = whole["components"]["messages"]
    assert set(messages) == set(documented())
    assert all(message["examples"][0]["payload"]["type"] == name for name, message in messages.items())
    pending: list[object] = [whole]
    count = 0
    while pending:
        node = pending.pop()
        if isinstance(node, dict) and "$ref" in node:
            place = whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                place = place[part.replace("~1", "/")]
            count += 1
        pending += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    assert count > 50

"""The API's document: committed as the code has it, and complete where FastAPI leaves gaps."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from app.api.problems import validation_problem
from scripts import export_asyncapi, export_errors
from scripts.export_openapi import TARGET, document
from tests.event_schemas import documented

DOCUMENT = json.loads(document())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPEN_PATHS = {f"/api/v1/cv/{path}" for path in ("health", "health/live", "health/ready")}
SIGN_IN = {
    ("post", "/api/v1/cv/session"),
    ("post", "/api/v1/cv/session/provider"),
    ("get", "/api/v1/cv/session/ways"),
}


def resolved(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer, where it is one of the components."""
    if "$ref" not in answer:
        return answer
    found: dict[str, Any] = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return found


def test_the_committed_document_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == document(), "the API has changed; run: make openapi"


def test_every_operation_but_the_probes_asks_for_a_key() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            is_open = path in OPEN_PATHS or (method, path) in SIGN_IN
            assert bool(operation["security"]) != is_open, f"{method} {path}"


def test_every_operation_is_described_and_names_its_errors() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            assert {"422", "429", "503"} <= set(operation["responses"]), f"{method} {path}"


def test_every_problem_names_its_headers_and_a_body_may_come_too_slowly() -> None:
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            answers = {status: resolved(answer) for status, answer in operation["responses"].items()}
            headers = {status: set(answer["headers"]) for status, answer in answers.items()}
            assert all("X-Request-ID" in names for names in headers.values()), operation["operationId"]
            assert "Retry-After" in headers["429"] & headers["503"], operation["operationId"]
            assert ("requestBody" not in operation) or "408" in answers, operation["operationId"]


def test_what_takes_an_idempotency_key_may_be_under_way_already() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    keyed = [one for one in operations if "Idempotency-Key" in {p["name"] for p in one.get("parameters", ())}]
    assert {one["operationId"] for one in keyed if "409" not in one["responses"]} == set()
    assert len(keyed) > 20


def test_every_status_lists_its_codes_and_has_an_example_of_its_own() -> None:
    for name, answer in DOCUMENT["components"]["responses"].items():
        content = answer["content"]["application/problem+json"]
        own = content["schema"]["allOf"][1]["properties"]
        assert content["example"]["code"] in own["code"]["enum"], name
        assert content["example"]["status"] == own["status"]["const"], name
        validator = jsonschema.Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
        validator.validate(content["example"])
        assert not validator.is_valid({**content["example"], "code": "no_such_code"}), name


def test_the_committed_codes_are_those_that_are_raised() -> None:
    for target, text in export_errors.documents().items():
        assert target.read_text(encoding="utf-8") == text, "the codes of errors have changed; run: make openapi"


def test_codes_are_found_wherever_they_are_raised() -> None:
    codes = json.loads(export_errors.CODES.read_text(encoding="utf-8"))
    assert {"damaged_image", "invalid_json", "camera_address_refused", "validation_error"} <= set(codes["422"])
    assert {"person_unknown", "not_found"} <= set(codes["404"])
    assert "schema_missing" in codes["503"]  # raised by its class alone
    assert "configuration_error" not in codes["503"]


def test_a_problem_of_shape_fits_its_schema() -> None:
    found = [{"type": "missing", "loc": ("body", "image"), "msg": "Field required"}]
    body = json.loads(bytes(validation_problem(found).body))
    assert body["errors"] == [{"field": "body.image", "message": "Field required"}]
    assert set(body) <= set(SCHEMAS["Problem"]["properties"])
    jsonschema.Draft202012Validator(SCHEMAS["Problem"]).validate(body)


def test_operation_ids_are_a_verb_and_what_it_is_done_to_and_each_is_given_once() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert "recognizeFace" in ids
    assert not [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)]
    assert len(set(ids)) == len(ids)


def test_what_has_to_be_given_has_an_example_to_try_it_out_with() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    for operation in operations:
        assert all("example" in one for one in operation.get("parameters", ()) if one["required"]), operation[
            "operationId"
        ]


def test_a_form_has_files_for_pictures_and_no_null() -> None:
    forms = {name: schema for name, schema in SCHEMAS.items() if name.endswith("Form")}
    assert {"FaceEnrollmentForm", "RoomAnalysisForm"} <= set(forms)
    for name, form in forms.items():
        assert "null" not in json.dumps(form["properties"]), name
        assert "base64" not in json.dumps(form["properties"]), name
    file = {"type": "string", "format": "binary", "description": "A JPEG, PNG or WebP file"}
    assert forms["FaceEnrollmentForm"]["properties"]["images"]["items"] == file


def test_every_list_is_in_the_table_of_lists() -> None:
    page = (export_errors.PROJECT_DIR / "docs" / "api.md").read_text(encoding="utf-8")
    table = page.partition("## Lists")[2].partition("## ")[0]
    told = {re.sub(r"{\w+}", "{}", path) for path in re.findall(r"`(?:GET )?(/[\w/{}-]+)`", table)}
    lists = {
        re.sub(r"{\w+}", "{}", path.removeprefix("/api/v1/cv"))
        for path, operations in DOCUMENT["paths"].items()
        if "cursor" in {parameter["name"] for parameter in operations.get("get", {}).get("parameters", ())}
    }
    assert lists - told == set()


def test_every_tag_is_described_and_used() -> None:
    used = {tag for path in DOCUMENT["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_has_an_example_that_fits_it(name: str) -> None:
    example = SCHEMAS[name]["examples"][0] if "enum" in SCHEMAS[name] else SCHEMAS[name]["example"]
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

"""What clients of the release before send and read is still taken and answered, as docs/api.md promises."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.release import files_of_release

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
Json = dict[str, Any]
ARGUED: set[str] = set()
"""What is otherwise than in the release before, and why."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """A schema of each document at one place, to be compared.

    Attributes:
        sent: by clients, who must not be refused; else answered to them, who must not miss anything.
        above: pairs of names that are being compared, which may contain themselves.
    """

    old: Json
    new: Json
    old_document: Json
    new_document: Json
    sent: bool
    above: frozenset[tuple[str, str]] = frozenset()

    def broken(self, place: str) -> Iterator[str]:
        names = self.old.get("$ref", ""), self.new.get("$ref", "")
        if any(names):
            if names not in self.above:
                old, new = _named(self.old_document, self.old), _named(self.new_document, self.new)
                yield from replace(self, old=old, new=new, above=self.above | {names}).broken(place)
            return
        if "type" in self.old and self.old["type"] != self.new.get("type"):
            yield f"{place}: another type"
        had, has = set(self.old.get("required", [])), set(self.new.get("required", []))
        if self.sent:
            yield from (f"{place}.{name}: required" for name in has - had)
            if "enum" in self.new:
                yield from (
                    f"{place}: {value} refused" for value in self.old.get("enum", []) if value not in self.new["enum"]
                )
        else:
            yield from (f"{place}.{name}: may be missing" for name in had - has)
        for name, old in self.old.get("properties", {}).items():
            if name in self.new.get("properties", {}):
                yield from replace(self, old=old, new=self.new["properties"][name]).broken(f"{place}.{name}")
            else:
                yield f"{place}.{name}: gone"
        if "items" in self.old:
            yield from replace(self, old=self.old["items"], new=self.new.get("items", {})).broken(f"{place}[]")


def _named(document: Json, schema: Json) -> Json:
    if "$ref" not in schema:
        return schema
    found: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def broken(old: Json, new: Json) -> list[str]:
    """Every promise to clients of the old document that the new one breaks."""
    return [
        reason
        for path, operations in old["paths"].items()
        for method, operation in operations.items()
        for reason in _of_operation(f"{method} {path}", operation, new["paths"].get(path, {}).get(method), old, new)
    ]


def _of_operation(place: str, before: Json, now: Json | None, old: Json, new: Json) -> Iterator[str]:
    if now is None:
        yield f"{place}: gone"
        return
    if before["operationId"] != now["operationId"]:
        yield f"{place}: another name"
    had, has = ({(one["in"], one["name"]): one for one in each.get("parameters", [])} for each in (before, now))
    yield from (f"{place} {name}: gone" for name in had.keys() - has.keys())
    needed = {name for name, one in has.items() if one.get("required")}
    yield from (f"{place} {name}: required" for name in needed if not had.get(name, {}).get("required"))
    bodies = (("request", True, before.get("requestBody", {}), now.get("requestBody", {})),)
    answers = (
        (status, False, one, now["responses"].get(status, {}))
        for status, one in before["responses"].items()
        if status < "300"
    )
    for name, sent, one, other in (*bodies, *answers):
        for media, content in one.get("content", {}).items():
            if media not in other.get("content", {}):
                yield f"{place} {name} {media}: gone"
                continue
            schemas = content.get("schema", {}), other["content"][media].get("schema", {})
            yield from Schemas(*schemas, old, new, sent).broken(f"{place} {name}")


@pytest.fixture
def document() -> Json:
    found: Json = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def test_clients_of_the_release_before_are_served(document: Json) -> None:
    with tarfile.open(fileobj=io.BytesIO(files_of_release("docs/openapi.json"))) as archive:
        member = archive.extractfile("docs/openapi.json")
        assert member is not None
        released: Json = json.load(member)
    assert set(broken(released, document)) == ARGUED


def test_a_broken_promise_is_seen(document: Json) -> None:
    changed = deepcopy(document)
    schemas, paths = changed["components"]["schemas"], changed["paths"]
    del schemas["FaceRecognitionResponse"]["properties"]["confidence"]
    schemas["FaceRecognitionResponse"]["required"].remove("success")
    schemas["FaceRecognitionRequest"]["required"].append("timestamp")
    schemas["FaceRecognitionRequest"]["properties"]["camera_id"]["type"] = "integer"
    del paths["/api/v1/cv/health"]["get"]
    paths["/api/v1/cv/face/verify"]["post"]["operationId"] = "compareFaces"
    seen = broken(document, changed)
    place = "post /api/v1/cv/face/recognize"
    for reason in (
        f"{place} 200.confidence: gone",
        f"{place} 200.success: may be missing",
        f"{place} request.timestamp: required",
        f"{place} request.camera_id: another type",
        "get /api/v1/cv/health: gone",
        "post /api/v1/cv/face/verify: another name",
    ):
        assert reason in seen
    assert broken(document, document) == []

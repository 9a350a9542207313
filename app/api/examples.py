"""An example for every schema of the OpenAPI document.

Bodies have theirs at the model or in ``examples.json``; what is inside a body takes its part of that example. Where a
picture belongs they say ``picture:NAME``, for which the file of that name in ``example_pictures`` stands as base64.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

Schemas = dict[str, dict[str, Any]]  # JSON Schema is as free as JSON

_FILE = Path(__file__).with_name("examples.json")
_PICTURES = Path(__file__).with_name("example_pictures")
_PICTURE_MARK = "picture:"
_REFERENCE = "#/components/schemas/"


def add_examples(schemas: Schemas) -> None:
    """Give each schema the ``example`` that the file or a body around it has for it, where it has none."""
    for name, example in json.loads(_FILE.read_text(encoding="utf-8")).items():
        if name in schemas:
            schemas[name].setdefault("example", example)
    for schema in list(schemas.values()):
        if "example" in schema:
            _hand_down(schema, schema["example"], schemas)
    for schema in schemas.values():
        if "enum" in schema:
            # Not as ``example``, which Swagger UI would send for a parameter that is left out.
            schema["examples"] = [schema.pop("example", schema["enum"][0])]
        if "example" in schema:
            schema["example"] = with_pictures(schema["example"])


def with_pictures(example: Any) -> Any:  # noqa: ANN401  # any JSON value
    """``example`` with pictures where it names them."""
    if isinstance(example, dict):
        return {key: with_pictures(value) for key, value in example.items()}
    if isinstance(example, list):
        return [with_pictures(value) for value in example]
    if isinstance(example, str) and example.startswith(_PICTURE_MARK):
        return _picture(example.removeprefix(_PICTURE_MARK))
    return example


@cache
def _picture(name: str) -> str:
    return base64.b64encode((_PICTURES / name).read_bytes()).decode()


def _hand_down(schema: dict[str, Any], example: Any, schemas: Schemas) -> None:  # noqa: ANN401  # any JSON value
    """Give the schemas that ``schema`` is made of their part of its example."""
    name = schema.get("$ref", "").removeprefix(_REFERENCE)
    if name and example is not None:
        schemas[name].setdefault("example", example)
        _hand_down(schemas[name], example, schemas)
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            _hand_down(choice, example, schemas)
    if isinstance(example, dict):
        for key, value in example.items():
            _hand_down(schema.get("properties", {}).get(key) or _of_values(schema), value, schemas)
    elif isinstance(example, list) and example:
        _hand_down(schema.get("items", {}), example[0], schemas)


def _of_values(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table's values."""
    values = schema.get("additionalProperties")
    return values if isinstance(values, dict) else {}

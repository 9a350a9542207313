"""The schema of a body that is sent as ``multipart/form-data``, made from the schema of the same body in JSON."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]  # JSON Schema is as free as JSON

_FILE: Schema = {"type": "string", "format": "binary"}


def form_name(name: str) -> str:
    """``FaceEnrollmentForm`` for ``FaceEnrollmentRequest``."""
    return name.removesuffix("Request") + "Form"


def form_schema(schema: Schema) -> Schema:
    """Pictures are files, and what is optional is left out: a form has no null."""
    properties = {name: _in_form(field) for name, field in schema["properties"].items()}
    example = {name: _example(properties[name], value) for name, value in schema["example"].items()}
    for name, value in example.items():
        if not is_file(properties[name]):  # Swagger UI fills the field with it
            properties[name] |= {"examples": [value]}
            properties[name].pop("default", None)
    return schema | {"title": form_name(schema["title"]), "properties": properties, "example": example}


def form_encoding(schema: Schema) -> dict[str, Schema]:
    """Each element of a list is a part of its own."""
    lists = (name for name, field in schema["properties"].items() if field.get("type") == "array")
    return {name: {"style": "form", "explode": True} for name in lists if not is_file(schema["properties"][name])}


def is_file(field: Schema) -> bool:
    """Whether a field is a file or several."""
    return bool(field.get("items", field).get("format") == "binary")


def _in_form(field: Schema) -> Schema:
    if "anyOf" in field:
        choices = [choice for choice in field["anyOf"] if choice.get("type") != "null"]
        kept = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
        field = choices[0] | kept if len(choices) == 1 else kept | {"anyOf": choices}
    if field.get("contentEncoding") == "base64":
        return {key: value for key, value in field.items() if key != "contentEncoding"} | _FILE
    return field | ({"items": _in_form(field["items"])} if "items" in field else {})


def _example(field: Schema, value: Any) -> Any:  # noqa: ANN401  # any JSON value
    """The value as in JSON, but a file's name in the place of a picture."""
    if field.get("format") == "binary":
        return "photo.jpg"
    return [_example(field["items"], item) for item in value] if field.get("type") == "array" else value

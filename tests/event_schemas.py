"""The schemas and samples of docs/events.md, as data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "events.md"
_SECTION = re.compile(
    r"^## (?P<type>\w+\.[\w.]+)$.*?^```json schema\n(?P<schema>.*?)^```.*?^```json sample\n(?P<sample>.*?)^```",
    re.M | re.S,
)


def documented() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Schema and sample of every documented type."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    return {m["type"]: (json.loads(m["schema"]), json.loads(m["sample"])) for m in _SECTION.finditer(text)}


def problems(event: dict[str, Any]) -> list[str]:
    """In what an event contradicts the document; empty if it fits."""
    schema, _ = documented()[event["type"]]
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(event)]

"""Manifests, and tables of them, with something changed in them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.ml_models.data_files import PACKS_DIR, Table

Change = Callable[[dict[str, Any]], object]


def write_changed_pack(folder: Path, changes: Mapping[str, Change], *, pack: str = "compact") -> Path:
    """A shipped manifest as ``changed.toml``, with the tables of some roles changed."""
    document = tomllib.loads((PACKS_DIR / f"{pack}.toml").read_text(encoding="utf-8"))
    tables = {table["role"]: table for table in document["model"]}
    for role, change in changes.items():
        change(tables[role])
    path = folder / "changed.toml"
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in document.items()), encoding="utf-8")
    return path


def revised(table: Table, **values: object) -> Table:
    """The table with other values, checked as if they stood in the file."""
    stated = {name: getattr(table, name) for name in table.model_fields_set} | values
    aliases = {name: field.alias or name for name, field in type(table).model_fields.items()}
    return type(table).model_validate({aliases[name]: value for name, value in stated.items()})


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)

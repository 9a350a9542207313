"""Our files of data, TOML and JSON, as pydantic models. What is wrong in one is said at once, each with file, key and
reason."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.types import Strict
from pydantic_core import ErrorDetails

from app.errors import ConfigurationError

PACKS_DIR = Path(__file__).parent / "packs"
_PROJECT_DIR = Path(__file__).resolve().parents[2]

_LAX = Strict(strict=False)  # TOML and JSON have lists alone, and strings for everything that is written in letters

Numbers = Annotated[tuple[float, ...], _LAX]
Texts = Annotated[tuple[str, ...], _LAX]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class FileTable(BaseModel):
    """A table of a file: no key that is not known, and no value that only looks like its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Table = TypeVar("Table", bound=FileTable)


def read_toml(path: Path, table: type[Table]) -> Table:
    """The file as that table.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or does not fit.
    """
    return _checked(table, parse_toml(path), path)


def parse_toml(path: Path) -> dict[str, object]:
    """The file's tables as they are.

    Raises:
        ConfigurationError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{shown(path)} cannot be read, it is not valid TOML: {error}.") from error


def read_json(path: Path, table: type[Table]) -> Table:
    """The file as that table.

    Raises:
        ConfigurationError: the file cannot be read, is not JSON, or does not fit.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{shown(path)} is not a JSON file.") from error
    return _checked(table, values, path)


def wrong_file(path: Path, found: Sequence[str]) -> ConfigurationError:
    """The error that names the file and each problem in it, in one line."""
    return ConfigurationError(f"{shown(path)}: {'; '.join(found)}.")


def _checked(table: type[Table], values: object, path: Path) -> Table:
    try:
        return table.model_validate(values)
    except ValidationError as error:
        raise wrong_file(path, problems(error)) from error


def shown(path: Path) -> str:
    """The path from the project's folder on, where it is below that."""
    resolved = path.resolve()
    return str(resolved.relative_to(_PROJECT_DIR) if resolved.is_relative_to(_PROJECT_DIR) else path)


def problems(error: ValidationError, *, within: str = "") -> list[str]:
    """Each as ``key reason``; ``within`` is the place of the validated table in the file."""
    return [_problem(details, within) for details in error.errors(include_url=False)]


_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "value_error": "{error}",
    "too_short": "must name at least {min_length}",
}
_WANTED = {
    "string_type": "a string",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "path_type": "a path",
    "enum": "{expected}",
    "literal_error": "{expected}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
}


def _problem(details: ErrorDetails, within: str) -> str:
    key = within + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"])
    kind, limits, found = details["type"], details.get("ctx", {}), repr(details["input"])
    if kind in _REASONS:
        reason = _REASONS[kind].format(**limits)
    else:
        wanted = _WANTED.get(kind, details["msg"].removeprefix("Input should be ")).format(**limits).replace("'", "")
        reason = f"must be {wanted}, and is {found if len(found) <= 60 else found[:57] + '...'}"
    return f"{key.removeprefix('.') or 'the file'} {reason}"

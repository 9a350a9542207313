"""The lists of guests as the police ask for them: columns from a file that a hotel can change.

A form is TOML: ``title`` of the sheet, ``root`` and ``row``, the elements of the XML, ``date_format``, and for each
``[[column]]`` its ``title``, its XML ``tag`` and the ``value``: a field of the stay, ``number`` (counts the rows),
``nationality_code`` (ICAO's letters), or nothing where ``text`` is the same for everybody. ``[words.FIELD]`` says how
values of a field are written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app.core.ocr.identity_fields import state_code
from app.core.stays.record import FIELDS, Record, StayKind
from app.errors import ConfigurationError
from app.utils.tables import Cell

FORMS_DIR = Path(__file__).with_name("forms")

_VALUES = frozenset({*FIELDS, "number", "nationality_code", ""})
_DATES = frozenset({"date_of_birth", "document_expiry", "visa_expiry", "entry_date", "arrival", "departure"})
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,60}")
_TITLE = re.compile(r"[^\[\]:*?/\\]{1,31}")  # what a spreadsheet takes
_MAX_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class FormColumn:
    """One column; ``text`` is what stands in it where ``value`` is empty."""

    title: str
    tag: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class StayForm:
    """A list's layout."""

    title: str
    root: str
    row: str
    date_format: str
    columns: tuple[FormColumn, ...]
    words: Mapping[str, Mapping[str, str]]

    def rows(self, records: Iterable[Record]) -> list[list[Cell]]:
        """A row for each guest."""
        return [
            [self._cell(column, number, record) for column in self.columns]
            for number, record in enumerate(records, start=1)
        ]

    def _cell(self, column: FormColumn, number: int, record: Record) -> Cell:
        name = "nationality" if column.value == "nationality_code" else column.value
        if name == "number":
            return number
        if name not in record:
            return column.text or None
        value = record[name].value
        if column.value == "nationality_code":
            return state_code(value)
        if name in _DATES:
            return date.fromisoformat(value).strftime(self.date_format)
        return self.words.get(name, {}).get(value, value)


def load_forms(folder: Path | None) -> dict[StayKind, StayForm]:
    """The form of each list: ``vietnamese.toml`` and ``foreign.toml`` in ``folder``, ours where it has none.

    Raises:
        ConfigurationError: the folder is none, or a file is no form.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"STAY_FORMS_DIR: {folder} is no folder.")
    forms = {}
    for kind in StayKind:
        own = folder / f"{kind}.toml" if folder else None
        path = own if own is not None and own.is_file() else FORMS_DIR / f"{kind}.toml"
        try:
            forms[kind] = parse_form(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigurationError(f"STAY_FORMS_DIR: {path.name} is no form: {error!r}.") from error
    return forms


def parse_form(text: str) -> StayForm:
    """A form of its TOML.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    data = tomllib.loads(text)
    columns = tuple(
        FormColumn(str(entry["title"]), _tag(entry["tag"]), entry.get("value", ""), str(entry.get("text", "")))
        for entry in data["column"]
    )
    if not 0 < len(columns) <= _MAX_COLUMNS:
        raise ValueError(f"a form has 1 to {_MAX_COLUMNS} columns")
    if unknown := {column.value for column in columns} - _VALUES:
        raise ValueError(f"no such value: {', '.join(sorted(unknown))}")
    words = {
        name: {str(key): str(word) for key, word in table.items()} for name, table in data.get("words", {}).items()
    }
    title, date_format = str(data["title"]), str(data["date_format"])
    if not _TITLE.fullmatch(title):
        raise ValueError("a title has 1 to 31 characters and none of []:*?/\\")
    return StayForm(title, _tag(data["root"]), _tag(data["row"]), date_format, columns, words)


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise ValueError(f"no XML tag: {text}")
    return text

"""A table of a TOML file whose values are checked where they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from app.errors import ConfigurationError


class Table(Mapping[str, object]):
    """A mapping with typed look-ups; each raises ``ConfigurationError`` that names the place and the key.

    Args:
        values: the table as ``tomllib`` read it.
        place: where it stands, for messages: pack, role and table.
    """

    def __init__(self, values: Mapping[str, object], *, place: str) -> None:
        self._values = values
        self._place = place

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Table({dict(self._values)!r}, place={self._place!r})"

    @property
    def place(self) -> str:
        return self._place

    def text(self, key: str) -> str:
        """A string that must be there."""
        value = self._values.get(key)
        return value if isinstance(value, str) else self._refuse(key, "a string")

    def number(self, key: str) -> float:
        """A number that must be there."""
        value = self._values.get(key)
        return float(value) if _is_number(value) and isinstance(value, int | float) else self._refuse(key, "a number")

    def integer(self, key: str) -> int:
        """A whole number that must be there."""
        value = self._values.get(key)
        return value if _is_number(value) and isinstance(value, int) else self._refuse(key, "a whole number")

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean, or the default where it is left out."""
        value = self._values.get(key, default)
        return value if isinstance(value, bool) else self._refuse(key, "true or false")

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers that must be there."""
        return tuple(float(str(value)) for value in self._list(key, _is_number, "a list of numbers"))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings that must be there."""
        return tuple(str(value) for value in self._list(key, _is_text, "a list of strings"))

    def table(self, key: str) -> Table:
        """A table within; empty where it is left out."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self._refuse(key, "a table")
        return Table(value, place=f"{self._place}.{key}")

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables; empty where it is left out."""
        if key not in self._values:
            return ()
        values = self._list(key, _is_table, "a list of tables")
        return tuple(
            Table(value, place=f"{self._place}.{key}[{position}]")
            for position, value in enumerate(values)
            if isinstance(value, dict)
        )

    def _list(self, key: str, accepts: Callable[[object], bool], wanted: str) -> list[object]:
        value = self._values.get(key)
        if not isinstance(value, list) or not all(accepts(item) for item in value):
            self._refuse(key, wanted)
        return value

    def _refuse(self, key: str, wanted: str) -> NoReturn:
        found = f"is {self._values[key]!r}" if key in self._values else "is missing"
        raise ConfigurationError(f"{self._place}: {key} must be {wanted}, and {found}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)

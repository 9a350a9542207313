"""Characters of a machine-readable zone that readers take for one another: forced into their class, or exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from app.core.ocr.mrz_layouts import ZoneLayout, check_digit, valid_checks

_DIGIT_OF = {
    "O": "0",
    "Q": "0",
    "D": "0",
    "U": "0",
    "I": "1",
    "L": "1",
    "Z": "2",
    "S": "5",
    "G": "6",
    "B": "8",
    "T": "7",
}
_LETTER_OF = {"0": "O", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
_CONFUSABLE = {
    "0": "O", "O": "0", "1": "I", "I": "1", "2": "Z", "Z": "2", "5": "S", "S": "5", "6": "G", "G": "6",
    "8": "B", "B": "8",
}  # fmt: skip
"""Only the pairs that are alike in OCR-B: each further one makes it likelier that a wrong exchange fits by chance."""


_FILLED = re.compile(r"([A-Z])\1{3,}")
"""No name has a letter four times in a row: fillers were read as letters."""
_MAX_LOOK_ALIKES = 6
"""Zeros and letters O in a number; so many are tried in every combination."""


def spellings(number: str) -> tuple[str, ...]:
    """``number`` with its zeros and letters O exchanged in every way that leaves its check digit as it is."""
    places = [index for index, character in enumerate(number) if character in "0O"]
    if len(places) > _MAX_LOOK_ALIKES:
        return ()
    digit = check_digit(number)
    found = []
    for letters in product("0O", repeat=len(places)):
        spelling = list(number)
        for place, letter in zip(places, letters, strict=True):
            spelling[place] = letter
        if check_digit("".join(spelling)) == digit:
            found.append("".join(spelling).replace("<", ""))
    return tuple(found)


def without_false_letters(names: str) -> str:
    """``names`` with the fillers that were read as letters: what follows a letter four times in a row is filler, and
    where no filler is left, that letter twice in a row parts the names."""
    run = _FILLED.search(names)
    if run is None:
        return names
    kept = names[: run.start()]
    if "<<" not in kept and kept.count(run[1] * 2) == 1:
        kept = kept.replace(run[1] * 2, "<<")
    return kept


def force_classes(lines: Sequence[str], layout: ZoneLayout) -> list[str]:
    """Digits where only digits can stand, letters where only letters can."""
    grid = [list(line) for line in lines]
    for name in {"birth", "expiry"} & set(layout.fields):
        field = layout.fields[name]
        _translate(grid[field.line], range(field.start, field.end), _DIGIT_OF)
    for field in layout.fields.values():
        if field.check is not None:
            _translate(grid[field.line], [field.check], _DIGIT_OF)
    for name in {"nationality", "issuer", "given"} & set(layout.fields):
        field = layout.fields[name]
        _translate(grid[field.line], range(field.start, field.end), _LETTER_OF)
    _translate(grid[layout.names.line], range(layout.names.start, layout.names.end), _LETTER_OF)
    if layout.composite_at:
        _translate(grid[layout.composite_at[0]], [layout.composite_at[1]], _DIGIT_OF)
    sex = layout.fields["sex"]
    if grid[sex.line][sex.start] in "HN":
        grid[sex.line][sex.start] = "M"
    return ["".join(row) for row in grid]


def _translate(row: list[str], positions: Sequence[int] | range, table: dict[str, str]) -> None:
    for position in positions:
        row[position] = table.get(row[position], row[position])


def repair(lines: Sequence[str], layout: ZoneLayout, name: str) -> list[str] | None:
    """The one exchange in a field, or in its check digit, after which its check and the composite agree."""
    field = layout.fields[name]
    fixed = []
    for changed in _exchanges(lines[field.line], [*range(field.start, field.end), field.check or 0]):
        attempt = [*lines[: field.line], changed, *lines[field.line + 1 :]]
        valid = valid_checks(attempt, layout)
        numeric = name == "number" or changed[field.start : field.end].isdigit()
        if name in valid and numeric and (layout.composite_at is None or "composite" in valid):
            fixed.append(attempt)
    return fixed[0] if len(fixed) == 1 else None


def _exchanges(line: str, positions: Sequence[int]) -> Iterator[str]:
    for position in positions:
        for other in _CONFUSABLE.get(line[position], ""):
            yield line[:position] + other + line[position + 1 :]

"""Machine-readable zones of passports, visas and cards (ICAO Doc 9303): layout, check digits, careful repair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE_OF = {character: value for value, character in enumerate(_ALPHABET)} | {"<": 0}

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


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a field stands: line, start, end, and where its check digit is (same line)."""

    line: int
    start: int
    end: int
    check: int | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    lines: int
    width: int
    fields: dict[str, _Field]
    names: _Field
    composite: tuple[tuple[int, int, int], ...]
    composite_at: tuple[int, int] | None


_FILLED = re.compile(r"([A-Z])\1{3,}")
"""No name has a letter four times in a row: fillers were read as letters."""

_LONG_NUMBER = re.compile(r"([A-Z\d]{1,14})(\d)<")
_MAX_LOOK_ALIKES = 6
"""Zeros and letters O in a number; so many are tried in every combination."""

_SECOND_LINE = {
    "number": _Field(1, 0, 9, 9), "nationality": _Field(1, 10, 13), "birth": _Field(1, 13, 19, 19),
    "sex": _Field(1, 20, 21), "expiry": _Field(1, 21, 27, 27), "kind": _Field(0, 0, 2), "issuer": _Field(0, 2, 5),
}  # fmt: skip
_LAYOUTS = (
    _Layout(
        "TD3", 2, 44, _SECOND_LINE | {"personal": _Field(1, 28, 42)}, _Field(0, 5, 44),
        ((1, 0, 10), (1, 13, 20), (1, 21, 43)), (1, 43),
    ),
    _Layout("MRV-A", 2, 44, _SECOND_LINE, _Field(0, 5, 44), (), None),
    _Layout("TD2", 2, 36, _SECOND_LINE, _Field(0, 5, 36), ((1, 0, 10), (1, 13, 20), (1, 21, 35)), (1, 35)),
    _Layout("MRV-B", 2, 36, _SECOND_LINE, _Field(0, 5, 36), (), None),
    _Layout(
        "FRA36", 2, 36,
        {
            "kind": _Field(0, 0, 2), "issuer": _Field(0, 2, 5), "number": _Field(1, 0, 12, 12),
            "birth": _Field(1, 27, 33, 33), "sex": _Field(1, 34, 35), "given": _Field(1, 13, 27),
        },
        _Field(0, 5, 30), ((0, 0, 36), (1, 0, 35)), (1, 35),
    ),
    _Layout(
        "TD1", 3, 30,
        {
            "kind": _Field(0, 0, 2), "issuer": _Field(0, 2, 5), "number": _Field(0, 5, 14, 14),
            "personal": _Field(0, 15, 30), "birth": _Field(1, 0, 6, 6), "sex": _Field(1, 7, 8),
            "expiry": _Field(1, 8, 14, 14), "nationality": _Field(1, 15, 18),
        },
        _Field(2, 0, 30), ((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29)), (1, 29),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mrz:
    """A zone that was read.

    Attributes:
        layout: ``TD1``, ``TD2``, ``TD3``, ``MRV-A``, ``MRV-B``, or ``FRA36`` of French cards before 2021.
        kind: ``P``, ``ID``, ``V`` ….
        personal: the optional field; on Vietnamese papers the twelve-digit number.
        sex: ``M``, ``F`` or empty.
        valid: the names of the checks that agree, of ``number``, ``birth``, ``expiry`` and ``composite``.
        checks: how many checks the layout has.
        repaired: whether one character was changed to make a check agree.
        numbers: the readings of the number, its zeros and letters O exchanged, that its check digit allows.
        names_doubtful: whether fillers were read as letters among the names.
    """

    layout: str
    kind: str
    issuer: str
    number: str
    nationality: str
    surname: str
    given_names: str
    birth: date | None
    sex: str
    expiry: date | None
    personal: str
    valid: frozenset[str]
    checks: int
    repaired: bool
    numbers: tuple[str, ...] = ()
    names_doubtful: bool = False

    @property
    def all_valid(self) -> bool:
        return len(self.valid) == self.checks

    @property
    def share_valid(self) -> float:
        """Of the layout's checks, 0 to 1."""
        return len(self.valid) / self.checks


def check_digit(text: str) -> str:
    """ICAO Doc 9303-3 §4.9: weights 7, 3, 1 on 0–9, A–Z = 10–35, ``<`` = 0; modulo 10."""
    total = sum(_VALUE_OF[character] * (7, 3, 1)[index % 3] for index, character in enumerate(text))
    return str(total % 10)


def parse_mrz(lines: Sequence[str], *, today: date) -> Mrz | None:
    """The best reading of ``lines`` (of characters ``A–Z 0–9 <``), or None when they fit no layout.

    Characters are forced into the class of their field, and one confusable character is exchanged in a field whose
    check digit disagrees when exactly one such exchange makes the field's check and the composite agree.
    """
    candidates: list[tuple[int, Mrz]] = []
    for layout in _LAYOUTS:
        if layout.lines != len(lines) or not _may_be(layout, lines[0]):
            continue
        fitted = [_fit(line, layout.width) for line in lines]
        if all(line is not None for line in fitted):
            changed = sum(abs(len(line) - layout.width) for line in lines)
            candidates.append((changed, _read([line for line in fitted if line], layout, today=today)))
    # Of equally valid layouts the one whose width the lines really have: fillers can make up for the difference.
    best = max(candidates, key=lambda item: (len(item[1].valid) / item[1].checks, -item[0]), default=None)
    return best[1] if best else None


def _may_be(layout: _Layout, first_line: str) -> bool:
    if layout.lines == 2 and (layout.name == "FRA36" or first_line.startswith("IDFRA")):
        return layout.name == "FRA36" and first_line.startswith("IDFRA")
    return layout.name.startswith("MRV") == first_line.startswith("V")


def _fit(line: str, width: int) -> str | None:
    """``line`` at the layout's width: fillers are added to or taken from its longest run; None when too far off."""
    excess = len(line) - width
    if excess == 0:
        return line
    if abs(excess) > max(6, width // 5) and not line.endswith("<"):
        return None
    runs = sorted(re.finditer(r"<+", line), key=lambda run: run.end() - run.start())
    if not runs:
        return None
    longest = runs[-1]
    kept = longest.end() - longest.start() - excess
    if kept < 1:
        return None
    return line[: longest.start()] + "<" * kept + line[longest.end() :]


def _read(lines: Sequence[str], layout: _Layout, *, today: date) -> Mrz:
    lines = _force_classes(lines, layout)
    valid, repaired = _checks(lines, layout), False
    for name in ("number", "birth", "expiry"):
        if name in layout.fields and name not in valid:
            better = _repair(lines, layout, name)
            if better is not None:
                lines, repaired = better, True
                valid = _checks(lines, layout)
    value = {name: lines[field.line][field.start : field.end] for name, field in layout.fields.items()}
    names = lines[layout.names.line][layout.names.start : layout.names.end]
    if "given" in value:  # the French card has them in its second line, two of them parted by two fillers
        names = f"{names}<<{value['given'].rstrip('<').replace('<<', '<')}"
    cleared = _without_false_letters(names)
    surname, given = _names(cleared)
    sex = value["sex"] if value["sex"] in "MF" else ""
    long_number = _long_number(lines[0]) if layout.name == "TD1" else None
    if long_number:
        value["number"], valid = long_number, valid | {"number"}
    return Mrz(
        layout=layout.name,
        kind=value["kind"].replace("<", ""),
        issuer=value["issuer"].replace("<", ""),
        number=value["number"].replace("<", ""),
        nationality=value.get("nationality", value["issuer"]).replace("<", ""),
        surname=surname,
        given_names=given,
        birth=_date(value["birth"], latest=today),
        sex=sex,
        expiry=_date(value.get("expiry", ""), latest=date(today.year + 50, 12, 31)),
        personal=value.get("personal", "").rstrip("<").split("<")[0],
        valid=frozenset(valid),
        checks=2 + ("expiry" in layout.fields) + (layout.composite_at is not None),
        repaired=repaired,
        numbers=_spellings(value["number"]) if "number" in valid else (),
        names_doubtful=cleared != names,
    )


def _long_number(first_line: str) -> str | None:
    """A card's number of more than nine characters: a filler stands in the place of its check digit, and the rest of it
    with the digit at the beginning of the optional data (Doc 9303-5 §4.2.2)."""
    rest = _LONG_NUMBER.match(first_line[15:])
    if first_line[14] != "<" or rest is None:
        return None
    number = first_line[5:14] + rest[1]
    # Belgium's digit covers the filler too.
    return number if rest[2] in (check_digit(number), check_digit(f"{first_line[5:14]}<{rest[1]}")) else None


def _spellings(number: str) -> tuple[str, ...]:
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


def _without_false_letters(names: str) -> str:
    """``names`` with the fillers that were read as letters: what follows a letter four times in a row is filler, and
    where no filler is left, that letter twice in a row parts the names."""
    run = _FILLED.search(names)
    if run is None:
        return names
    kept = names[: run.start()]
    if "<<" not in kept and kept.count(run[1] * 2) == 1:
        kept = kept.replace(run[1] * 2, "<<")
    return kept


def _force_classes(lines: Sequence[str], layout: _Layout) -> list[str]:
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


def _checks(lines: Sequence[str], layout: _Layout) -> set[str]:
    valid = {
        name
        for name, field in layout.fields.items()
        if field.check is not None
        and check_digit(lines[field.line][field.start : field.end]) == lines[field.line][field.check].replace("<", "0")
    }
    if layout.composite_at:
        covered = "".join(lines[line][start:end] for line, start, end in layout.composite)
        if check_digit(covered) == lines[layout.composite_at[0]][layout.composite_at[1]]:
            valid.add("composite")
    return valid


def _repair(lines: Sequence[str], layout: _Layout, name: str) -> list[str] | None:
    """The one exchange in a field, or in its check digit, after which its check and the composite agree."""
    field = layout.fields[name]
    fixed = []
    for changed in _exchanges(lines[field.line], [*range(field.start, field.end), field.check or 0]):
        attempt = [*lines[: field.line], changed, *lines[field.line + 1 :]]
        valid = _checks(attempt, layout)
        numeric = name == "number" or changed[field.start : field.end].isdigit()
        if name in valid and numeric and (layout.composite_at is None or "composite" in valid):
            fixed.append(attempt)
    return fixed[0] if len(fixed) == 1 else None


def _exchanges(line: str, positions: Sequence[int]) -> Iterator[str]:
    for position in positions:
        for other in _CONFUSABLE.get(line[position], ""):
            yield line[:position] + other + line[position + 1 :]


def _names(text: str) -> tuple[str, str]:
    """``(surname, given names)``; a filler of two parts them, of one stands for a space."""
    surname, _, given = text.partition("<<")
    given = re.split(r"<{2,}", given.lstrip("<"))[0]
    return surname.replace("<", " ").strip(), given.replace("<", " ").strip()


def _date(text: str, *, latest: date) -> date | None:
    """``yymmdd`` in the latest century that does not pass ``latest``."""
    if not text.isdigit():
        return None
    year = latest.year // 100 * 100 + int(text[:2])
    try:
        value = date(year, int(text[2:4]), int(text[4:]))
    except ValueError:
        return None
    return value if value <= latest else value.replace(year=year - 100)

"""Machine-readable zones of passports, visas and cards (ICAO Doc 9303)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.core.ocr.mrz_layouts import LAYOUTS, ZoneLayout, check_digit, valid_checks
from app.core.ocr.mrz_repair import force_classes, repair, spellings, without_false_letters

_MOVED_NUMBER = re.compile(r"<([A-Z\d]{6,9})<")
_LONG_NUMBER = re.compile(r"([A-Z\d]{1,14})(\d)<")


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


def parse_mrz(lines: Sequence[str], *, today: date) -> Mrz | None:
    """The best reading of ``lines`` (of characters ``A–Z 0–9 <``), or None when they fit no layout.

    Characters are forced into the class of their field, and one confusable character is exchanged in a field whose
    check digit disagrees when exactly one such exchange makes the field's check and the composite agree.
    """
    candidates: list[tuple[int, Mrz]] = []
    for layout in LAYOUTS:
        if layout.lines != len(lines) or not _may_be(layout, lines[0]):
            continue
        fitted = [_fit(line, layout.width) for line in lines]
        if all(line is not None for line in fitted):
            changed = sum(abs(len(line) - layout.width) for line in lines)
            candidates.append((changed, _read([line for line in fitted if line], layout, today=today)))
    # Of equally valid layouts the one whose width the lines really have: fillers can make up for the difference.
    best = max(candidates, key=lambda item: (len(item[1].valid) / item[1].checks, -item[0]), default=None)
    return best[1] if best else None


def _may_be(layout: ZoneLayout, first_line: str) -> bool:
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


def _read(lines: Sequence[str], layout: ZoneLayout, *, today: date) -> Mrz:
    lines = force_classes(lines, layout)
    valid, repaired = valid_checks(lines, layout), False
    for name in ("number", "birth", "expiry"):
        if name in layout.fields and name not in valid:
            better = repair(lines, layout, name)
            if better is not None:
                lines, repaired = better, True
                valid = valid_checks(lines, layout)
    value = {name: lines[field.line][field.start : field.end] for name, field in layout.fields.items()}
    names = lines[layout.names.line][layout.names.start : layout.names.end]
    if "given" in value:  # the French card has them in its second line, two of them parted by two fillers
        names = f"{names}<<{value['given'].rstrip('<').replace('<<', '<')}"
    cleared = without_false_letters(names)
    surname, given = _names(cleared)
    sex = value["sex"] if value["sex"] in "MF" else ""
    long_number = _long_number(lines[0]) if layout.name == "TD1" else None
    if long_number:
        value["number"], valid = long_number, valid | {"number"}
    moved = _MOVED_NUMBER.match(lines[layout.fields["number"].line][layout.fields["number"].start :])
    if moved:  # a state that leaves its first place free uses the digit's place too: what agrees agrees by chance
        value["number"], valid = moved[1], valid - {"number"}
    expiry = _date(value.get("expiry", ""), latest=date(today.year + 50, 12, 31))
    return Mrz(
        layout=layout.name,
        kind=value["kind"].replace("<", ""),
        issuer=value["issuer"].replace("<", ""),
        number=value["number"].replace("<", ""),
        nationality=value.get("nationality", value["issuer"]).replace("<", ""),
        surname=surname,
        given_names=given,
        # No paper is issued on its holder's first day, and none runs out before: that was a hundred years ago.
        birth=_date(value["birth"], latest=min(today, expiry or today) - timedelta(days=1)),
        sex=sex,
        expiry=expiry,
        personal=value.get("personal", "").rstrip("<").split("<")[0],
        valid=frozenset(valid),
        checks=2 + ("expiry" in layout.fields) + (layout.composite_at is not None),
        repaired=repaired,
        numbers=spellings(value["number"]) if "number" in valid else (),
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

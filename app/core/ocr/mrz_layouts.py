"""Where the fields of machine-readable zones stand, and their check digits (ICAO Doc 9303)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE_OF = {character: value for value, character in enumerate(_ALPHABET)} | {"<": 0}


@dataclass(frozen=True, slots=True)
class ZoneField:
    """Where a field stands: line, start, end, and where its check digit is (same line)."""

    line: int
    start: int
    end: int
    check: int | None = None


@dataclass(frozen=True, slots=True)
class ZoneLayout:
    name: str
    lines: int
    width: int
    fields: dict[str, ZoneField]
    names: ZoneField
    composite: tuple[tuple[int, int, int], ...]
    composite_at: tuple[int, int] | None


_SECOND_LINE = {
    "number": ZoneField(1, 0, 9, 9), "nationality": ZoneField(1, 10, 13), "birth": ZoneField(1, 13, 19, 19),
    "sex": ZoneField(1, 20, 21), "expiry": ZoneField(1, 21, 27, 27), "kind": ZoneField(0, 0, 2),
    "issuer": ZoneField(0, 2, 5),
}  # fmt: skip
LAYOUTS = (
    ZoneLayout(
        "TD3", 2, 44, _SECOND_LINE | {"personal": ZoneField(1, 28, 42)}, ZoneField(0, 5, 44),
        ((1, 0, 10), (1, 13, 20), (1, 21, 43)), (1, 43),
    ),
    ZoneLayout("MRV-A", 2, 44, _SECOND_LINE, ZoneField(0, 5, 44), (), None),
    ZoneLayout("TD2", 2, 36, _SECOND_LINE, ZoneField(0, 5, 36), ((1, 0, 10), (1, 13, 20), (1, 21, 35)), (1, 35)),
    ZoneLayout("MRV-B", 2, 36, _SECOND_LINE, ZoneField(0, 5, 36), (), None),
    ZoneLayout(
        "FRA36", 2, 36,
        {
            "kind": ZoneField(0, 0, 2), "issuer": ZoneField(0, 2, 5), "number": ZoneField(1, 0, 12, 12),
            "birth": ZoneField(1, 27, 33, 33), "sex": ZoneField(1, 34, 35), "given": ZoneField(1, 13, 27),
        },
        ZoneField(0, 5, 30), ((0, 0, 36), (1, 0, 35)), (1, 35),
    ),
    ZoneLayout(
        "TD1", 3, 30,
        {
            "kind": ZoneField(0, 0, 2), "issuer": ZoneField(0, 2, 5), "number": ZoneField(0, 5, 14, 14),
            "personal": ZoneField(0, 15, 30), "birth": ZoneField(1, 0, 6, 6), "sex": ZoneField(1, 7, 8),
            "expiry": ZoneField(1, 8, 14, 14), "nationality": ZoneField(1, 15, 18),
        },
        ZoneField(2, 0, 30), ((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29)), (1, 29),
    ),
)  # fmt: skip


def check_digit(text: str) -> str:
    """ICAO Doc 9303-3 §4.9: weights 7, 3, 1 on 0–9, A–Z = 10–35, ``<`` = 0; modulo 10."""
    total = sum(_VALUE_OF[character] * (7, 3, 1)[index % 3] for index, character in enumerate(text))
    return str(total % 10)


def valid_checks(lines: Sequence[str], layout: ZoneLayout) -> set[str]:
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

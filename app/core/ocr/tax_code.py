"""Vietnamese tax codes (mã số thuế, MST)."""

from __future__ import annotations

import re

_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)
_CODE = re.compile(r"(?<!\d)(\d(?:[\s.]?\d){9})(?:\s?[-–]\s?(\d{3}))?(?!\d)")
_PERSONAL = re.compile(r"(?<!\d)\d{12}(?!\d)")


def is_tax_code(code: str) -> bool:
    """Whether the tenth digit checks the first nine: ``10 − (Σ weight·digit mod 11)`` (Circular 105/2020, art. 5).

    A branch adds a hyphen and three digits. Since July 2025 twelve-digit personal numbers are tax codes too; they
    carry no check digit.
    """
    if re.fullmatch(r"\d{12}", code):
        return True
    found = re.fullmatch(r"(\d{10})(?:-\d{3})?", code)
    if not found:
        return False
    digits = [int(digit) for digit in found[1]]
    remainder = sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=False)) % 11
    return digits[9] == 10 - remainder


def find_tax_codes(text: str) -> list[str]:
    """Codes in ``text`` whose check digit agrees, left to right, ``0123456789`` or ``0123456789-001``."""
    codes = []
    for match in _CODE.finditer(text):
        code = re.sub(r"\D", "", match[1]) + (f"-{match[2]}" if match[2] else "")
        if is_tax_code(code):
            codes.append(code)
    return codes


def find_personal_codes(text: str) -> list[str]:
    """Twelve-digit codes in ``text``; only to be asked where a label says that a tax code follows."""
    return [match[0] for match in _PERSONAL.finditer(text)]

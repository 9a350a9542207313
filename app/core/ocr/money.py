"""Amounts of money as receipts print them, Vietnamese and English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_DIGIT_OF = str.maketrans({"O": "0", "o": "0", "Q": "0", "D": "0", "l": "1", "I": "1", "|": "1", "S": "5", "B": "8"})
"""What recognisers make of digits. Applied only inside tokens that hold more digits than letters."""

_D = r"[\dOoQDlI|SB]"
_TOKEN = re.compile(
    rf"""
    (?<![a-wyz0-9à-ỹ_.,/:])                   # an x before is a times sign
    (?P<sign>[-−–]\s?|\((?=[^()]*\)))?
    (?P<before>vnđ|vnd|rm|usd|us\$|eur|\$|€|£|₫|đ)?\s?
    (?P<sign2>[-−–])?
    (?P<number>
        \d(?:\d|[Oo](?![a-z])|[QDlI|SB](?=[.,]?\d)  # a digit, or what was read for one
            |[.,](?={_D})                          # a separator
            |[.,']\s(?={_D}{{3}}(?!{_D}))           # "227, 040"
            |\s(?={_D}{{3}}(?:\D|$)))*+            # "15 000"; possessive: never a part of a number
        |[.,]\d{{2}}                               # ".02"
    )
    (?<=[\dOo])
    \)?+(?:\s?(?P<after>vnđ|vnd|đồng|dong|rm|usd|eur|[$€£₫đ]))?+
    (?!\s?%|:|/\d|[.,]\d|[a-zA-Z]{{2}}|-[a-zA-Z]|[lg](?![a-zA-Z]))  # nor "1.25L"
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CURRENCY_OF = {
    "vnđ": "VND", "vnd": "VND", "đ": "VND", "₫": "VND", "đồng": "VND", "dong": "VND",
    "rm": "MYR", "usd": "USD", "us$": "USD", "$": "USD", "eur": "EUR", "€": "EUR", "£": "GBP",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that may be money. ``grouped``: printed with thousands separators, ``decimals``: digits after the
    decimal mark; ``text[start:end]`` is where it stood."""

    value: Decimal
    currency: str | None
    grouped: bool
    decimals: int
    start: int
    end: int


def find_amounts(text: str) -> list[Amount]:
    """Every amount in ``text``, left to right. Times, dates, phone numbers with separators and percentages are none."""
    amounts = []
    for match in _TOKEN.finditer(text):
        parsed = parse_number(match["number"])
        if parsed is None:
            continue
        value, grouped, decimals = parsed
        if match["sign"] or match["sign2"]:
            value = -value
        mark = (match["before"] or match["after"] or "").lower()
        amounts.append(Amount(value, _CURRENCY_OF.get(mark), grouped, decimals, match.start(), match.end()))
    return amounts


def parse_amount(text: str) -> Decimal | None:
    """The value of a text that is one amount and nothing else; None otherwise (``1.5tr`` is none)."""
    stripped = text.strip()
    amounts = find_amounts(stripped)
    if len(amounts) == 1 and amounts[0].end - amounts[0].start == len(stripped):
        return amounts[0].value
    return None


def parse_number(token: str) -> tuple[Decimal, bool, int] | None:
    """``(value, grouped, decimals)`` of digits with separators.

    The last separator is the decimal mark when one or two digits follow it, or when it differs from the ones
    before; three digits after it are a thousands group unless a lone zero stands before (``0.254``).
    """
    compact = re.sub(r"\s", " ", token.strip())
    digits = sum(character.isdigit() for character in compact)
    if digits * 2 < len(re.sub(r"[.,' ]", "", compact)) + 1:
        return None
    compact = compact.translate(_DIGIT_OF)
    groups = re.split(r"[.,']\s?|\s", compact)
    separators = re.findall(r"[.,']\s?|\s", compact)
    if not separators:
        return _to_decimal(compact, grouped=False, decimals=0)
    head, *middle, last = groups if len(groups) > 1 else [groups[0], ""]
    if any(len(group) != 3 for group in middle) or (middle and len(head) > 3):
        return None
    if len(last) == 3 and _is_thousands(head, separators):
        return _to_decimal("".join(groups), grouped=True, decimals=0)
    if len(last) in (1, 2, 3) and separators[-1].strip() in (".", ","):
        if middle and len(last) < 3 and separators[-1].strip() == separators[0].strip():
            return None  # 1.500.00: a digit was lost, and guessing which would invent money
        return _to_decimal("".join([head, *middle]) + "." + last, grouped=bool(middle), decimals=len(last))
    return None


def _is_thousands(head: str, separators: list[str]) -> bool:
    """Three digits behind the mark are a group, also where a dot was read for a comma before it; ``0.254`` is none."""
    return len(head) <= 3 and not (len(separators) == 1 and head in ("0", ""))


def _to_decimal(text: str, *, grouped: bool, decimals: int) -> tuple[Decimal, bool, int] | None:
    try:
        return Decimal(text), grouped, decimals
    except InvalidOperation:
        return None

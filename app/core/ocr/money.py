"""Amounts of money as receipts print them, in the notations of two dozen countries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_DIGIT_OF = str.maketrans({"O": "0", "o": "0", "Q": "0", "D": "0", "l": "1", "I": "1", "|": "1", "S": "5", "B": "8"})
"""What recognisers make of digits. Applied only inside tokens that hold more digits than letters."""

_D = r"[\dOoQDlI|SB]"
_CURRENCY_OF = {
    "vnđ": "VND", "vnd": "VND", "đ": "VND", "₫": "VND", "đồng": "VND", "dong": "VND",
    "rm": "MYR", "myr": "MYR", "usd": "USD", "us$": "USD", "$": "USD", "eur": "EUR", "€": "EUR", "gbp": "GBP",
    "£": "GBP",
    "chf": "CHF", "fr.": "CHF", "sfr.": "CHF", "a$": "AUD", "au$": "AUD", "aud": "AUD", "c$": "CAD", "ca$": "CAD",
    "cad": "CAD", "s$": "SGD", "sgd": "SGD", "hk$": "HKD", "hkd": "HKD", "nt$": "TWD", "twd": "TWD", "r$": "BRL",
    "¥": "JPY", "￥": "JPY", "円": "JPY", "jpy": "JPY", "cny": "CNY", "rmb": "CNY", "元": "CNY", "₩": "KRW",
    "원": "KRW",
    "krw": "KRW", "฿": "THB", "บาท": "THB", "thb": "THB", "rp.": "IDR", "rp": "IDR", "idr": "IDR", "₱": "PHP",
    "php": "PHP",
    "₹": "INR", "rs.": "INR", "rs": "INR", "inr": "INR", "kr.": "SEK", "kr": "SEK", "sek": "SEK", "nok": "NOK",
    "dkk": "DKK",
    "zł": "PLN", "pln": "PLN", "kč": "CZK", "czk": "CZK", "nzd": "NZD", "zar": "ZAR", "npr": "NPR", "aed": "AED",
}  # fmt: skip
"""The commonest currency of each mark; which one a page means is told by :mod:`app.core.ocr.currency`."""

_MARKS = "|".join(sorted((re.escape(mark) for mark in _CURRENCY_OF), key=len, reverse=True))
# What goes on with a number. Possessive quantifiers would say it shorter, but Python before 3.11.5 misreads them.
_MORE = rf"""(?:
    \d|[Oo](?![a-z])|[QDlI|SB](?=[.,]?\d)        # a digit, or what was read for one
    |[.,'’](?={_D})                               # a separator
    |[.,'’]\s(?={_D}{{3}}(?!{_D}))                 # "227, 040"
    |\s(?={_D}{{3}}(?:\D|$))                      # "15 000"
)"""
_TOKEN = re.compile(
    rf"""
    (?<![a-wyz0-9À-ɏḀ-ỹ_.,/:])                 # an x before is a times sign; scripts without spaces may stand before
    (?P<sign>[-−–]\s?|\((?=[^()]*\)))?
    (?P<before>{_MARKS})?\s?
    (?P<sign2>[-−–])?
    (?P<number>
        \d(?:{_MORE})*(?!{_MORE})                   # never a part of a number
        |[.,]\d{{2}}                               # ".02"
    )
    (?<=[\dOo])
    (?:\.[-−–]+|(?!\.[-−–]))                       # Swiss "25.-"
    (?:(?P<sign3>[-−–](?=\s|$))|(?![-−–](?:\s|$)))(?:\)|(?!\)))
    (?:\s?(?P<after>{_MARKS})(?![a-z])|(?!\s?(?:{_MARKS})(?![a-z])))
    (?!\s?%|:|/\d|[.,]\d|[a-zA-Z]{{2}}|-[a-zA-Z]|[lg](?![a-zA-Z]))  # nor "1.25L"
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SHORT = re.compile(
    r"(?<![\w.,])(?P<whole>\d{1,4})(?:[.,](?P<part>\d{1,3}))?\s?(?P<unit>k|tr|trieu|triệu|nghin|nghìn|ngan|ngàn)"
    r"(?P<rest>\d{1,3})?(?![\w])",
    re.IGNORECASE,
)
_UNIT_OF = {"k": 1000, "nghin": 1000, "nghìn": 1000, "ngan": 1000, "ngàn": 1000}


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
        if match["sign"] or match["sign2"] or match["sign3"]:
            value = -value
        mark = (match["before"] or match["after"] or "").lower()
        amounts.append(Amount(value, _CURRENCY_OF.get(mark), grouped, decimals, match.start(), match.end()))
    return amounts


def find_short_amounts(text: str) -> list[Amount]:
    """Amounts as Vietnamese write them by hand: ``145k``, ``1tr5``, ``12 triệu``."""
    amounts = []
    for match in _SHORT.finditer(text):
        scale = _UNIT_OF.get(match["unit"].lower(), 10**6)
        fraction = match["part"] or match["rest"]
        if match["part"] and match["rest"]:
            continue
        value = Decimal(f"{match['whole']}.{fraction}" if fraction else match["whole"]) * scale
        amounts.append(Amount(value.normalize().quantize(Decimal(1)), "VND", True, 0, match.start(), match.end()))
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
    before; three digits after it are a thousands group unless a lone zero stands before (``0.254``). Indian groups,
    ``1,47,500.00``, are read too.
    """
    compact = re.sub(r"\s", " ", token.strip()).replace("’", "'")
    digits = sum(character.isdigit() for character in compact)
    if digits * 2 < len(re.sub(r"[.,' ]", "", compact)) + 1:
        return None
    compact = compact.translate(_DIGIT_OF)
    if indian := re.fullmatch(r"(\d{1,2}(?:,\d{2})+,\d{3})(?:\.(\d{1,2}))?", compact):
        decimals = indian[2] or ""
        return _to_decimal(indian[1].replace(",", "") + "." + (decimals or "0"), grouped=True, decimals=len(decimals))
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

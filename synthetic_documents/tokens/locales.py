"""How countries write their papers: language, money, dates, taxes, places, companies. All companies are invented."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any  # TOML values

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Language:
    """What is printed beside each field; every entry is one way to print it."""

    invoice: tuple[str, ...]
    receipt: tuple[str, ...]
    number: tuple[str, ...]
    date: tuple[str, ...]
    due_date: tuple[str, ...]
    order_date: tuple[str, ...]
    order_number: tuple[str, ...]
    customer_number: tuple[str, ...]
    buyer: tuple[str, ...]
    ship_to: tuple[str, ...]
    heads: tuple[tuple[str, str, str, str], ...]
    subtotal: tuple[str, ...]
    tax: tuple[str, ...]
    discount: tuple[str, ...]
    shipping: tuple[str, ...]
    total: tuple[str, ...]
    paid: tuple[str, ...]
    change: tuple[str, ...]
    rounding: tuple[str, ...]
    cashier: tuple[str, ...]
    thanks: tuple[str, ...]
    months: tuple[str, ...]
    of: tuple[str, ...]
    prepaid: tuple[str, ...]
    due: tuple[str, ...]
    previous: tuple[str, ...]
    period: tuple[str, ...]
    until: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Locale:
    """``money`` are templates for an amount ``{}``; ``separators`` thousands and decimal mark; ``decimals`` digits
    behind it. ``dates`` are strftime formats, ``{m}`` standing for the month's name. ``#`` in other templates is a
    digit."""

    currency: str
    language: str
    money: tuple[str, ...]
    separators: tuple[tuple[str, str], ...]
    decimals: int
    scale: int
    dates: tuple[str, ...]
    tax_rates: tuple[int, ...]
    tax_id: tuple[str, ...]
    forms: tuple[str, ...]
    streets: tuple[str, ...]
    places: tuple[str, ...]
    phones: tuple[str, ...]
    domain: str


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    """By their ISO 639 codes."""
    table = tomllib.loads((_FOLDER / "languages.toml").read_text(encoding="utf-8"))
    return {code: Language(**{name: _frozen(value) for name, value in entry.items()}) for code, entry in table.items()}


@lru_cache(maxsize=1)
def locales() -> tuple[Locale, ...]:
    """Every country, in the order of the file."""
    table = tomllib.loads((_FOLDER / "locales.toml").read_text(encoding="utf-8"))
    return tuple(Locale(**{name: _frozen(value) for name, value in entry.items()}) for entry in table["locale"])


def _frozen(value: Any) -> Any:  # noqa: ANN401  # TOML values in, the same as tuples out
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value

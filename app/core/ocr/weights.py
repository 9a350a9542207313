"""Goods by weight: how much it was, and the price of a kilogram, out of the words of a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.core.ocr.money import parse_amount

_PRICE_FIRST = re.compile(r"(?P<price>[\d.,]+)/kg\s?[x×*]?(?:\s?(?P<weight>[\d.,]+))?(?:\s?kg\b)?", re.IGNORECASE)
"""``71.900/KG x 2,430 KG``; the weight may have stood alone in the next line."""

_WEIGHT_FIRST = re.compile(
    r"(?P<weight>\d+[.,]\d{1,3})\s?kg\s?[x×*@]\s?(?:[€£$]|rm)?\s?(?P<price>\d+[.,]\d{2})\s?(?:[a-z]{3}|[€£$])?"
    r"\s?/\s?kg\s",
    re.IGNORECASE,
)
"""``0,410 kg x 1,99 EUR/kg 0,82``: below the name of the goods."""

_WEIGHTS_KG = (Decimal("0.005"), Decimal(200))


@dataclass(frozen=True, slots=True)
class Weighed:
    """``price`` is that of a kilogram; ``words`` are the line's others."""

    weight_kg: Decimal
    price: Decimal
    words: str


def is_weight_first(text: str) -> bool:
    return _WEIGHT_FIRST.search(text) is not None


def weight_first(text: str, amount: Decimal, *, tolerance: Decimal) -> Weighed | None:
    """The weight in a row that has its price and ``amount`` behind it, where they agree.

    Args:
        tolerance: share of the amount.
    """
    match = _WEIGHT_FIRST.search(text)
    if match is None:
        return None
    weight, price = _decimal(match["weight"]), _decimal(match["price"])
    if weight is None or price is None or abs(weight * price - amount) > tolerance * abs(amount):
        return None
    return Weighed(weight, price, text[: match.start()].strip())


def weight_in(text: str, amount: Decimal, *, tolerance: Decimal) -> Weighed | None:
    """The price of a kilogram in a description, with the weight behind it or the one that ``amount`` makes."""
    match = _PRICE_FIRST.search(text)
    price = parse_amount(match["price"]) if match else None
    if match is None or not price:
        return None
    weight = _decimal(match["weight"] or "") or (amount / price).quantize(Decimal("0.001"))
    if abs(price * weight - amount) > tolerance * abs(amount) or not _WEIGHTS_KG[0] < weight < _WEIGHTS_KG[1]:
        return None
    return Weighed(weight, price, (text[: match.start()] + text[match.end() :]).strip())


def _decimal(text: str) -> Decimal | None:
    """A weight, or a price of cents: its mark is a decimal one, also before three digits."""
    return Decimal(text.replace(",", ".")) if re.fullmatch(r"\d+(?:[.,]\d+)?", text) else None

"""What stands on a paper of a country: parties, lines, sums, dates and numbers that never existed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from synthetic_documents.tokens.locales import Language, Locale, languages, locales

_NAMES = (
    "Aurora", "Blue Lagoon", "Kestrel", "Golden Bridge", "Silverleaf", "Northgate", "Maple Court", "Sunrise", "Lotus",
    "Harbour View", "Old Mill", "Three Oaks", "Star", "Amber", "Cedar Hill", "Riverside", "Phoenix", "Delta", "Orchid",
    "Panorama", "Bellevue", "Alpenblick", "Zum Goldenen Hirsch", "La Belle Époque", "El Faro", "Da Mario",
    "Saigon Xanh",
    "Minh Anh", "Berjaya Jaya", "Kuching", "Sakura", "Han River", "Pearl", "Krone", "Vega", "Nordlys", "Hoa Sen",
)  # fmt: skip
_TRADES = (
    "Supplies", "Foods", "Trading", "Hardware", "Restaurant", "Cafe", "Bakery", "Books", "Laundry", "Electronics",
    "Pharmacy", "Market", "Hotel", "Services", "Textil", "Getränke", "Solutions", "Design", "Mart", "Garden", "", "",
)  # fmt: skip
_PEOPLE = (
    "Anna Berg",
    "John Miller",
    "Maria Lopez",
    "Nguyễn Văn An",
    "Lim Wei",
    "Priya Nair",
    "Luca Rossi",
    "Eva Novak",
)
_GOODS = (
    "Bath towel", "Bed linen", "Coffee beans", "Mineral water", "Shampoo 30ml", "Laundry service", "Cleaning agent",
    "LED bulb 9W", "Pasta", "Cordon bleu", "Espresso", "Green tea", "Notebook A5", "Printer paper", "Consulting",
    "Web design", "Maintenance", "Room night", "Set menu", "Cappuccino", "Handtuch", "Agua mineral", "Cà phê sữa",
    "Nasi goreng", "Croissant", "Batteries AA", "Screws M8 x 40", "Light panel 60x60", "Delivery", "Gift box",
)  # fmt: skip
_EARLIEST = date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class DraftLine:
    """Price and amount before tax or with it, as the paper prints them."""

    text: str
    quantity: int
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """A paper before it is laid out; sums are exact."""

    locale: Locale
    language: Language
    seller: str
    seller_lines: tuple[str, ...]
    address: tuple[str, ...]
    tax_id: str
    phone: str
    website: str
    buyer: str
    buyer_address: tuple[str, ...]
    number: str
    other_number: str
    day: date
    due: date
    other_day: date
    date_format: str
    lines: tuple[DraftLine, ...]
    subtotal: Decimal
    discount: Decimal
    charge: Decimal
    taxes: tuple[tuple[int, Decimal, Decimal], ...]
    total: Decimal
    separators: tuple[str, str]
    money: str

    @property
    def tax(self) -> Decimal:
        return sum((amount for _, _, amount in self.taxes), Decimal(0))

    def amount(self, value: Decimal, *, marked: bool = False) -> str:
        """As the paper prints it, with the currency's mark where it is ``marked``."""
        thousands, mark = self.separators
        whole, _, part = f"{abs(value):,.{self.locale.decimals}f}".partition(".")
        text = whole.replace(",", thousands) + (mark + part if part else "")
        if marked:
            text = self.money.format(text)
        return f"-{text}" if value < 0 else text

    def written(self, day: date) -> str:
        month = self.language.months[day.month - 1]
        return day.strftime(self.date_format.replace("{m}", month))


def fill(rng: random.Random, template: str) -> str:
    """``template`` with a digit for each ``#``, the first of a run not a zero."""
    text = "".join(str(rng.randint(0, 9)) if character == "#" else character for character in template)
    return text if text[:1] != "0" or template[:1] == "0" else f"{rng.randint(1, 9)}{text[1:]}"


def draft(rng: random.Random, locale: Locale | None = None) -> Draft:
    """A paper of that country, or of any."""
    locale = locale or rng.choice(locales())
    language = languages()[locale.language]
    seller, seller_lines = _company(rng, locale)
    buyer = rng.choice(_PEOPLE) if rng.random() < 0.3 else _company(rng, locale)[0]
    quantum = Decimal(1).scaleb(-locale.decimals)
    lines = tuple(_line(rng, locale, quantum) for _ in range(rng.choice((1, 1, 2, 3, 4, 5, 7, 9))))
    subtotal = sum((line.amount for line in lines), Decimal(0))
    discount = (subtotal / 10).quantize(quantum) if rng.random() < 0.2 else Decimal(0)
    charge = (subtotal / 20).quantize(quantum) if rng.random() < 0.2 else Decimal(0)
    taxes = _taxes(rng, locale, subtotal - discount + charge, quantum)
    day = _EARLIEST + timedelta(days=rng.randint(0, 4000))
    prefix = rng.choice(("", "", "INV-", "R-", "F", "RE", "2025-", "A/", "IN"))
    return Draft(
        locale, language, seller, seller_lines,
        (fill(rng, rng.choice(locale.streets)), fill(rng, rng.choice(locale.places))),
        fill(rng, rng.choice(locale.tax_id)), fill(rng, rng.choice(locale.phones)),
        f"www.{seller.split()[0].lower()}.{locale.domain}",
        buyer, (fill(rng, rng.choice(locale.streets)), fill(rng, rng.choice(locale.places))),
        prefix + fill(rng, "#" * rng.choice((1, 2, 3, 3, 4, 5, 6, 8))),
        rng.choice(("PO-", "", "SO", "K")) + fill(rng, "#" * rng.choice((4, 5, 6))),
        day, day + timedelta(days=rng.choice((7, 10, 14, 30, 45))), day - timedelta(days=rng.randint(1, 25)),
        rng.choice(locale.dates), lines, subtotal, discount, charge, taxes,
        subtotal - discount + charge + sum((amount for _, _, amount in taxes), Decimal(0)),
        rng.choice(locale.separators), rng.choice(locale.money),
    )  # fmt: skip


def _company(rng: random.Random, locale: Locale) -> tuple[str, tuple[str, ...]]:
    """Its name, and the lines that print it."""
    form = rng.choice(locale.forms)
    name = f"{rng.choice(_NAMES)} {rng.choice(_TRADES)}".strip()
    before = locale.language == "vi"
    whole = " ".join(part for part in ((form, name) if before else (name, form)) if part)
    whole = whole.upper() if rng.random() < 0.4 else whole
    words = whole.split()
    if len(words) >= 3 and rng.random() < 0.2:
        cut = rng.randint(1, len(words) - 1)
        return whole, (" ".join(words[:cut]), " ".join(words[cut:]))
    return whole, (whole,)


def _line(rng: random.Random, locale: Locale, quantum: Decimal) -> DraftLine:
    price = (Decimal(rng.randint(80, 9900)) / 100 * locale.scale).quantize(quantum)
    if locale.decimals == 0 and locale.scale >= 1000:
        price = Decimal(round(price / 500) * 500 or 500)
    quantity = rng.choice((1, 1, 1, 2, 3, 4, 10, 24))
    return DraftLine(rng.choice(_GOODS), quantity, price, price * quantity)


def _taxes(
    rng: random.Random, locale: Locale, base: Decimal, quantum: Decimal
) -> tuple[tuple[int, Decimal, Decimal], ...]:
    """``(rate, base, tax)`` of one rate or, sometimes, of two."""
    rates: Sequence[int] = locale.tax_rates
    if len(rates) > 1 and rng.random() < 0.25:
        first = (base * rng.randint(2, 8) / 10).quantize(quantum)
        parts: tuple[tuple[int, Decimal], ...] = ((rates[0], first), (rates[1], base - first))
    else:
        parts = ((rng.choice(rates), base),)
    return tuple((rate, part, (part * rate / 100).quantize(quantum)) for rate, part in parts)

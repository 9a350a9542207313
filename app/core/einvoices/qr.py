"""The QR code of Vietnamese e-invoices: which invoice it is and what it comes to, as the seller's program wrote it.

Tags of two digits, lengths and values after one another, as EMV codes have them; some programs write the lengths below
ten in one digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

_MAX_LENGTH = 400
_INVOICE = "99"
_FORMS = {
    "00": re.compile(r"[0-9A-Za-z-]{32,36}"),
    "01": re.compile(r"\d{10}(?:-?\d{3})?|\d{12}"),
    "02": re.compile(r"\d{1,2}"),
    "03": re.compile(r"[CK]\d{2}[TDLMNBGHX][A-Z0-9]{2}"),
    "04": re.compile(r"\d{1,8}"),
    "05": re.compile(r"20\d{6}"),
    "06": re.compile(r"-?\d{1,15}(?:[.,]\d{1,6})?"),
}
"""The invoice's tags: its id, the seller's tax code, the form, the serial, the number, the day, the total."""


@dataclass(frozen=True, slots=True)
class InvoiceCode:
    """``serial`` is with the form's number before it, as invoices print it; ``total`` is None where the code has
    none."""

    tax_code: str
    serial: str
    number: str
    day: date
    total: Decimal | None


def read_invoice_code(text: str) -> InvoiceCode | None:
    """What the text of a code says; None where it is no e-invoice's."""
    if len(text) > _MAX_LENGTH or not text.startswith("000201"):
        return None
    start = text.find(f"{_INVOICE}", 6)
    tags = _tags(text, start) if start >= 0 else None
    if tags is None or not {"01", "03", "04", "05"} <= set(tags):
        return None
    try:
        day = date(int(tags["05"][:4]), int(tags["05"][4:6]), int(tags["05"][6:]))
    except ValueError:
        return None
    code = tags["01"]
    total = Decimal(tags["06"].replace(",", ".")) if "06" in tags else None
    return InvoiceCode(
        tax_code=f"{code[:10]}-{code[10:]}" if len(code) == 13 else code,
        serial=tags.get("02", "") + tags["03"],
        number=tags["04"],
        day=day,
        total=total,
    )


def _tags(text: str, start: int) -> dict[str, str] | None:
    """The tags of the template at ``start``, up to the checksum; the template's own length has two digits or three."""
    for head in (4, 5):
        for tags in _parsed(text, start + head, {}):
            return tags
    return None


def _parsed(text: str, at: int, found: dict[str, str]) -> Iterator[dict[str, str]]:
    """Every reading from ``at`` on, each tag once and in its form, so that there are few."""
    if at == len(text) or re.fullmatch(r"6304[0-9A-Fa-f]{4}", text[at:]):
        yield found
        return
    tag = text[at : at + 2]
    if tag not in _FORMS or tag in found:
        return
    for digits in (2, 1):
        length = text[at + 2 : at + 2 + digits]
        if not length.isascii() or not length.isdigit():
            continue
        begin = at + 2 + digits
        value = text[begin : begin + int(length)]
        if len(value) == int(length) and _FORMS[tag].fullmatch(value):
            yield from _parsed(text, begin + int(length), {**found, tag: value})

"""What the two syntaxes of the European norm EN 16931, CII and UBL, have in common."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal

from app.core.einvoices.document import DocumentKind, InvoiceReference, TaxAtRate
from app.utils.xml_tree import Element

_CREDIT_TYPES = {"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"}
_PRO_FORMA_TYPES = {"325", "780"}


def kind_of(type_code: str | None) -> DocumentKind:
    """By the code of UNTDID 1001."""
    if type_code in _CREDIT_TYPES:
        return DocumentKind.CREDIT_NOTE
    return DocumentKind.PRO_FORMA if type_code in _PRO_FORMA_TYPES else DocumentKind.INVOICE


def percent(rate: Decimal | None) -> str | None:
    """A rate as it is shown."""
    return None if rate is None else f"{rate}%"


def tax_at_rate(rate: Decimal | None, category: str | None, *, base: Decimal | None, tax: Decimal | None) -> TaxAtRate:
    """The tax of one rate, or of a category that has none."""
    return TaxAtRate(percent(rate) or category or "", rate, base, tax)


def in_currency(
    totals: Iterable[Element], currency: str | None, *, amount_of: Callable[[Element], Element | None]
) -> Element | None:
    """The total in the invoice's currency: a second one may be given in that of the books."""
    amounts = [(total, amount_of(total)) for total in totals]
    own = [total for total, amount in amounts if amount is None or amount.get("currencyID") in (currency, None)]
    return next(iter(own or [total for total, _ in amounts]), None)


def relates_to(number: str | None, day: dt.date | None) -> InvoiceReference | None:
    """The invoice that this one names."""
    return InvoiceReference("relates_to", number, date=day) if number else None

"""OASIS UBL 2 invoices and credit notes, as Peppol and the national profiles of EN 16931 use them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.core.einvoices.document import (
    DocumentKind,
    EInvoice,
    Fee,
    InvoiceReference,
    Line,
    LineKind,
    Party,
    Standard,
    TaxAtRate,
)
from app.core.einvoices.en16931 import in_currency, kind_of, percent, relates_to, tax_at_rate
from app.utils.xml_tree import Element, children, day, find, name_of, number, text

_NAMESPACE = "urn:oasis:names:specification:ubl:"


def is_ubl(root: Element) -> bool:
    """Whether the file is one: other standards call their root ``Invoice`` too."""
    return name_of(root) in ("Invoice", "CreditNote") and str(root.tag).startswith("{" + _NAMESPACE)


def read(root: Element) -> EInvoice:
    """Every field of the invoice or the credit note."""
    credit = name_of(root) == "CreditNote"
    sums = find(root, "LegalMonetaryTotal")
    changes = list(children(root, "AllowanceCharge"))
    currency = text(root, "DocumentCurrencyCode")
    tax, total = _tax_total(root, currency), number(sums, "TaxInclusiveAmount")
    return EInvoice(
        standard=Standard.UBL,
        kind=DocumentKind.CREDIT_NOTE if credit else kind_of(text(root, "InvoiceTypeCode")),
        number=text(root, "ID"),
        date=day(root, "IssueDate"),
        due_date=day(root, "DueDate") or day(root, "PaymentMeans", "PaymentDueDate"),
        currency=currency,
        seller=_party(find(root, "AccountingSupplierParty", "Party")),
        buyer=_party(find(root, "AccountingCustomerParty", "Party")),
        lines=tuple(
            _line(item, credit=credit) for item in children(root, "CreditNoteLine" if credit else "InvoiceLine")
        ),
        tax_lines=tuple(_tax_lines(tax)),
        fees=tuple(
            Fee(text(change, "AllowanceChargeReason") or "", number(change, "Amount"))
            for change in changes
            if text(change, "ChargeIndicator") == "true"
        ),
        discount=number(sums, "AllowanceTotalAmount"),
        subtotal=number(sums, "TaxExclusiveAmount"),
        tax=number(tax, "TaxAmount"),
        total=number(sums, "PayableAmount") if total is None else total,
        paid=number(sums, "PrepaidAmount"),
        due=number(sums, "PayableAmount"),
        rounding=number(sums, "PayableRoundingAmount"),
        related=_related(root),
    )


def _party(element: Element | None) -> Party:
    address = find(element, "PostalAddress")
    parts = ("StreetName", "AdditionalStreetName", "PostalZone", "CityName")
    lines = [value for part in parts if (value := text(address, part))]
    country = text(address, "Country", "IdentificationCode")
    contact = find(element, "Contact")
    return Party(
        name=text(element, "PartyLegalEntity", "RegistrationName") or text(element, "PartyName", "Name"),
        tax_code=text(element, "PartyTaxScheme", "CompanyID") or text(element, "PartyLegalEntity", "CompanyID"),
        address=", ".join([*lines, country] if country else lines) or None,
        phone=text(contact, "Telephone"),
        email=text(contact, "ElectronicMail"),
        person=text(contact, "Name"),
    )


def _line(item: Element, *, credit: bool) -> Line:
    quantity = find(item, "CreditedQuantity" if credit else "InvoicedQuantity")
    product = find(item, "Item")
    return Line(
        kind=LineKind.GOODS,
        description=text(product, "Name") or text(product, "Description") or "",
        number=text(item, "ID"),
        code=text(product, "SellersItemIdentification", "ID"),
        unit=quantity.get("unitCode") if quantity is not None else None,
        quantity=number(quantity),
        unit_price=_unit_price(find(item, "Price")),
        amount=number(item, "LineExtensionAmount"),
        tax_rate=percent(number(product, "ClassifiedTaxCategory", "Percent")),
    )


def _unit_price(price: Element | None) -> Decimal | None:
    """The price of one, where it is given for several."""
    amount, base = number(price, "PriceAmount"), number(price, "BaseQuantity")
    return amount / base if amount is not None and base else amount


def _tax_total(root: Element, currency: str | None) -> Element | None:
    return in_currency(children(root, "TaxTotal"), currency, amount_of=lambda total: find(total, "TaxAmount"))


def _tax_lines(total: Element | None) -> Iterator[TaxAtRate]:
    for part in children(total, "TaxSubtotal"):
        category, base = find(part, "TaxCategory"), number(part, "TaxableAmount")
        rate = number(category, "Percent")
        yield tax_at_rate(rate, text(category, "ID"), base=base, tax=number(part, "TaxAmount"))


def _related(root: Element) -> InvoiceReference | None:
    other = find(root, "BillingReference", "InvoiceDocumentReference")
    return relates_to(text(other, "ID"), day(other, "IssueDate"))

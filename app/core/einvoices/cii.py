"""UN/CEFACT Cross Industry Invoice: the XML of Factur-X and ZUGFeRD, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.core.einvoices.document import (
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

_ROOTS = {"CrossIndustryInvoice", "CrossIndustryDocument"}


def is_cii(root: Element) -> bool:
    """Whether the file is one."""
    return name_of(root) in _ROOTS


def read(root: Element) -> EInvoice:
    """Every field of the invoice. Elements changed their names between versions 1 and 2; either is taken."""
    header = _either(root, "ExchangedDocument", "HeaderExchangedDocument")
    trade = _either(root, "SupplyChainTradeTransaction", "SpecifiedSupplyChainTradeTransaction")
    agreement = _either(trade, "ApplicableHeaderTradeAgreement", "ApplicableSupplyChainTradeAgreement")
    settlement = _either(trade, "ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement")
    sums = _either(
        settlement,
        "SpecifiedTradeSettlementHeaderMonetarySummation",
        "SpecifiedTradeSettlementMonetarySummation",
    )
    changes = list(children(settlement, "SpecifiedTradeAllowanceCharge"))
    currency = text(settlement, "InvoiceCurrencyCode")
    return EInvoice(
        standard=Standard.CII,
        kind=kind_of(text(header, "TypeCode")),
        title=text(header, "Name"),
        number=text(header, "ID"),
        date=day(header, "IssueDateTime", "DateTimeString"),
        due_date=day(settlement, "SpecifiedTradePaymentTerms", "DueDateDateTime", "DateTimeString"),
        currency=currency,
        payment_method=text(settlement, "SpecifiedTradeSettlementPaymentMeans", "Information"),
        seller=_party(find(agreement, "SellerTradeParty")),
        buyer=_party(find(agreement, "BuyerTradeParty")),
        lines=tuple(_line(item) for item in children(trade, "IncludedSupplyChainTradeLineItem")),
        tax_lines=tuple(_tax_lines(settlement)),
        fees=tuple(
            Fee(text(change, "Reason") or "", number(change, "ActualAmount"))
            for change in changes
            if _is_charge(change)
        ),
        discount=number(sums, "AllowanceTotalAmount"),
        subtotal=number(sums, "TaxBasisTotalAmount"),
        tax=number(in_currency(children(sums, "TaxTotalAmount"), currency, amount_of=lambda total: total)),
        total=number(sums, "GrandTotalAmount"),
        paid=number(sums, "TotalPrepaidAmount"),
        due=number(sums, "DuePayableAmount"),
        rounding=number(sums, "RoundingAmount"),
        related=_related(settlement),
    )


def _either(element: Element | None, *names: str) -> Element | None:
    found = (find(element, name) for name in names)
    return next((child for child in found if child is not None), None)


def _is_charge(change: Element) -> bool:
    return text(change, "ChargeIndicator", "Indicator") == "true"


def _party(element: Element | None) -> Party:
    address = find(element, "PostalTradeAddress")
    contact = find(element, "DefinedTradeContact")
    parts = ("LineOne", "LineTwo", "LineThree", "PostcodeCode", "CityName", "CountryID")
    registrations = {
        registration.get("schemeID", ""): text(registration)
        for entry in children(element, "SpecifiedTaxRegistration")
        for registration in children(entry, "ID")
    }
    return Party(
        name=text(element, "Name"),
        tax_code=registrations.get("VA") or next(iter(registrations.values()), None),
        address=", ".join(value for part in parts if (value := text(address, part))) or None,
        phone=text(contact, "TelephoneUniversalCommunication", "CompleteNumber"),
        email=text(contact, "EmailURIUniversalCommunication", "URIID"),
        person=text(contact, "PersonName"),
    )


def _line(item: Element) -> Line:
    agreement = _either(item, "SpecifiedLineTradeAgreement", "SpecifiedSupplyChainTradeAgreement")
    settlement = _either(item, "SpecifiedLineTradeSettlement", "SpecifiedSupplyChainTradeSettlement")
    delivery = _either(item, "SpecifiedLineTradeDelivery", "SpecifiedSupplyChainTradeDelivery")
    product = find(item, "SpecifiedTradeProduct")
    sums = _either(
        settlement,
        "SpecifiedTradeSettlementLineMonetarySummation",
        "SpecifiedTradeSettlementMonetarySummation",
    )
    quantity = find(delivery, "BilledQuantity")
    amount = number(sums, "LineTotalAmount")
    note = text(item, "AssociatedDocumentLineDocument", "IncludedNote", "Content")
    return Line(
        kind=LineKind.NOTE if product is None and amount is None else LineKind.GOODS,
        description=text(product, "Name") or text(product, "Description") or note or "",
        number=text(item, "AssociatedDocumentLineDocument", "LineID"),
        code=text(product, "SellerAssignedID"),
        unit=quantity.get("unitCode") if quantity is not None else None,
        quantity=number(quantity),
        unit_price=number(agreement, "NetPriceProductTradePrice", "ChargeAmount"),
        amount=amount,
        tax_rate=percent(_rate(find(settlement, "ApplicableTradeTax"))),
    )


def _rate(tax: Element | None) -> Decimal | None:
    rate = number(tax, "RateApplicablePercent")
    return number(tax, "ApplicablePercent") if rate is None else rate


def _tax_lines(settlement: Element | None) -> Iterator[TaxAtRate]:
    for tax in children(settlement, "ApplicableTradeTax"):
        category, base = text(tax, "CategoryCode"), number(tax, "BasisAmount")
        yield tax_at_rate(_rate(tax), category, base=base, tax=number(tax, "CalculatedAmount"))


def _related(settlement: Element | None) -> InvoiceReference | None:
    other = find(settlement, "InvoiceReferencedDocument")
    return relates_to(text(other, "IssuerAssignedID"), day(other, "FormattedIssueDateTime", "DateTimeString"))

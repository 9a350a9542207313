"""Vietnamese e-invoices: ``HDon``, alone or in a message ``TDiep``.

The names of the elements are those of Decision 1450/QĐ-TCT with its changes, under Decree 123/2020 and
Circular 78/2021.
"""

from __future__ import annotations

import re
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
from app.utils.xml_tree import Element, children, day, find, name_of, number, text

_LINE_KINDS = {
    "1": LineKind.GOODS, "2": LineKind.PROMOTION, "3": LineKind.DISCOUNT, "4": LineKind.NOTE, "5": LineKind.SPECIAL,
}  # fmt: skip
_RELATIONS = {"1": "replaces", "2": "adjusts"}
_DONG = {"đ", "vnđ", "đồng", "dong"}
_MAX_INVOICES = 200


def find_invoices(root: Element) -> list[Element]:
    """Every ``HDon`` of an invoice file or a message; empty where it is neither."""
    if name_of(root) == "HDon":
        return [root]
    if name_of(root) != "TDiep":
        return []
    found = [invoice for data in children(root, "DLieu") for invoice in children(data, "HDon")]
    return found[:_MAX_INVOICES]


def data_of(invoice: Element) -> Element:
    """What the seller signs: ``DLHDon``, or the invoice itself where a writer left that level out."""
    data = find(invoice, "DLHDon")
    return invoice if data is None else data


def read(invoice: Element) -> EInvoice:
    """Every field of one ``HDon``."""
    data = data_of(invoice)
    common, content = find(data, "TTChung"), find(data, "NDHDon")
    sums = find(content, "TToan")
    sums = find(data, "TToan") if sums is None else sums
    total = number(sums, "TgTTTBSo")
    related = _related(common)
    lines = tuple(_line(item) for group in children(content, "DSHHDVu") for item in children(group, "HHDVu"))
    return EInvoice(
        standard=Standard.VIETNAM,
        kind=DocumentKind.CREDIT_NOTE if related and total is not None and total < 0 else DocumentKind.INVOICE,
        title=text(common, "THDon"),
        form=text(common, "KHMSHDon"),
        serial=text(common, "KHHDon"),
        number=text(common, "SHDon"),
        date=day(common, "NLap"),
        currency=_currency(text(common, "DVTTe")),
        exchange_rate=number(common, "TGia"),
        payment_method=text(common, "HTTToan"),
        seller=_party(find(content, "NBan")),
        buyer=_party(find(content, "NMua")),
        lines=lines,
        tax_lines=tuple(_tax_lines(sums)),
        fees=tuple(_fees(sums)),
        discount=number(sums, "TTCKTMai"),
        subtotal=number(sums, "TgTCThue"),
        tax=number(sums, "TgTThue"),
        total=total,
        total_in_words=text(sums, "TgTTTBChu"),
        authority_code=text(invoice, "MCCQT"),
        qr=text(invoice, "DLQRCode"),
        related=related,
        extra=(*_extra(common), *_extra(content), *_extra(sums)),
    )


def rate_percent(rate: str) -> Decimal | None:
    """``8%`` and ``KHAC:8%`` are 8; ``KCT`` and ``KKKNT`` are no rate at all."""
    match = re.fullmatch(r"(?:KHAC\s*:\s*)?(\d{1,3}(?:[.,]\d+)?)\s*%?", rate.strip(), re.IGNORECASE)
    return Decimal(match[1].replace(",", ".")) if match else None


def _currency(written: str | None) -> str | None:
    if written is None:
        return None
    return "VND" if written.lower() in _DONG else written.upper()


def _party(element: Element | None) -> Party:
    return Party(
        name=text(element, "Ten") or text(element, "HVTNMHang"),
        tax_code=text(element, "MST"),
        address=text(element, "DChi"),
        phone=text(element, "SDThoai"),
        email=text(element, "DCTDTu"),
        website=text(element, "Website"),
        bank_account=text(element, "STKNHang"),
        bank_name=text(element, "TNHang"),
        person=text(element, "HVTNMHang"),
        citizen_id=text(element, "CCCDan"),
        budget_code=text(element, "MDVQHNSach"),
    )


def _line(item: Element) -> Line:
    return Line(
        kind=_LINE_KINDS.get(text(item, "TChat") or "", LineKind.GOODS),
        description=text(item, "THHDVu") or "",
        number=text(item, "STT"),
        code=text(item, "MHHDVu"),
        unit=text(item, "DVTinh"),
        quantity=number(item, "SLuong"),
        unit_price=number(item, "DGia"),
        discount_rate=number(item, "TLCKhau"),
        discount=number(item, "STCKhau"),
        amount=number(item, "ThTien"),
        tax_rate=text(item, "TSuat"),
        tax_amount=_extra_number(item, "TThue"),
    )


def _extra_number(item: Element, field: str) -> Decimal | None:
    """A number among the seller's own fields, where the standard has no place for it."""
    return next((number(entry, "DLieu") for entry in _entries(item) if text(entry, "TTruong") == field), None)


def _entries(element: Element | None) -> Iterator[Element]:
    for group in children(element, "TTKhac"):
        yield from children(group, "TTin")


def _extra(element: Element | None) -> Iterator[tuple[str, str]]:
    """The seller's own fields, such as the code to look the invoice up with."""
    for entry in _entries(element):
        field, value = text(entry, "TTruong"), text(entry, "DLieu")
        if field and value:
            yield field, value


def _tax_lines(sums: Element | None) -> Iterator[TaxAtRate]:
    for group in children(sums, "THTTLTSuat"):
        for entry in children(group, "LTSuat"):
            rate = text(entry, "TSuat") or ""
            yield TaxAtRate(rate, rate_percent(rate), number(entry, "ThTien"), number(entry, "TThue"))


def _fees(sums: Element | None) -> Iterator[Fee]:
    for group in children(sums, "DSLPhi"):
        for entry in children(group, "LPhi"):
            yield Fee(text(entry, "TLPhi") or "", number(entry, "TPhi"))


def _related(common: Element | None) -> InvoiceReference | None:
    other = find(common, "TTHDLQuan")
    if other is None or text(other, "SHDCLQuan") is None:
        return None
    return InvoiceReference(
        relation=_RELATIONS.get(text(other, "TCHDon") or "", "relates_to"),
        number=text(other, "SHDCLQuan"),
        serial=text(other, "KHHDCLQuan"),
        form=text(other, "KHMSHDCLQuan"),
        date=day(other, "NLHDCLQuan"),
    )

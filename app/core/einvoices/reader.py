"""From the bytes of a file to the e-invoices in it."""

from __future__ import annotations

from dataclasses import replace

from app.core.einvoices import cii, ubl, vietnamese
from app.core.einvoices.checks import contradictions
from app.core.einvoices.document import EInvoice
from app.core.einvoices.signature import TrustedRoots, verify_invoice
from app.utils.xml_tree import parse


def read_einvoices(data: bytes, *, roots: TrustedRoots) -> list[EInvoice]:
    """Every invoice of an XML file, in its order; empty where the file is of another kind.

    Raises:
        InvalidInput, TooLarge: the file cannot be read; see :func:`app.utils.xml_tree.parse`.
    """
    root = parse(data)
    if cii.is_cii(root):
        return [_checked(cii.read(root))]
    if ubl.is_ubl(root):
        return [_checked(ubl.read(root))]
    found = []
    for element in vietnamese.find_invoices(root):
        invoice = vietnamese.read(element)
        signatures = verify_invoice(element, roots, seller_code=invoice.seller.tax_code)
        found.append(_checked(replace(invoice, signatures=signatures)))
    return found


def _checked(invoice: EInvoice) -> EInvoice:
    return replace(invoice, warnings=(*invoice.warnings, *contradictions(invoice)))

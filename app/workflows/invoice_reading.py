"""Invoices from the bytes that a caller sent: XML, the XML inside a PDF, or pages to read. Runs in the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.core.einvoices.document import EInvoice
from app.core.einvoices.reader import read_einvoices
from app.core.einvoices.signature import TrustedRoots
from app.core.ocr.invoice import Invoice
from app.core.ocr.money import find_amounts
from app.core.ocr.page_reader import PageText
from app.core.ocr.readers import ReaderFailure
from app.core.ocr.seller import Supplier
from app.core.ocr_engine import InvoiceReading, OCREngine, SourcePage
from app.errors import InvalidInput, ModelUnavailable, TooLarge
from app.utils import tracing
from app.utils.xml_tree import is_xml
from app.workflows.einvoice_records import einvoice_confidence, einvoice_data, einvoice_fingerprints
from app.workflows.ocr_records import invoice_data

_UNCONFIRMED = 0.5
"""Confidence in XML inside a PDF whose page prints another total: one of the two was changed."""


@dataclass(frozen=True, slots=True)
class ReadInvoice:
    """One invoice: ``data`` by the names of the answer; the rest is for the registry of suppliers."""

    data: dict[str, object]
    confidence: float
    raw_text: str
    read_vendor: str | None
    fingerprints: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadInvoices:
    """``reason`` says why ``invoices`` is empty; None where it is not."""

    invoices: tuple[ReadInvoice, ...]
    reason: str | None = None


def read_xml(document: bytes, *, roots: TrustedRoots) -> ReadInvoices:
    """The invoices of an XML file.

    Raises:
        InvalidInput, TooLarge: it is no XML that is read here.
    """
    with tracing.stage("ocr.read_xml"):
        found = read_einvoices(document, roots=roots)
    invoices = tuple(_of_xml(invoice, confidence=einvoice_confidence(invoice), raw_text="") for invoice in found)
    return ReadInvoices(invoices, None if invoices else "no_invoice_found")


def read_pages(
    engine: OCREngine,
    pages: Sequence[SourcePage],
    *,
    attachments: Sequence[bytes],
    roots: TrustedRoots,
    language: str | None,
    suppliers: Sequence[Supplier],
    today: date,
) -> ReadInvoices:
    """The invoices on ``pages``; of a PDF that carries its own XML, that XML held against what the page prints.

    Args:
        attachments: the files inside the PDF.

    Raises:
        ModelUnavailable: no reader works.
    """
    texts = read_texts(engine, pages, language=language)
    return find_invoices(engine, texts, attachments=attachments, roots=roots, suppliers=suppliers, today=today)


def read_texts(engine: OCREngine, pages: Sequence[SourcePage], *, language: str | None) -> list[PageText]:
    """What each page says.

    Raises:
        ModelUnavailable: no reader works.
    """
    try:
        with tracing.stage("ocr.read"):
            return engine.read_text(pages, language=language)
    except ReaderFailure as error:
        raise ModelUnavailable("No OCR reader works at the moment; try again shortly.") from error


def find_invoices(
    engine: OCREngine,
    texts: Sequence[PageText],
    *,
    attachments: Sequence[bytes],
    roots: TrustedRoots,
    suppliers: Sequence[Supplier],
    today: date,
) -> ReadInvoices:
    """As ``read_pages``, of pages that were read before."""
    embedded = _embedded(attachments, roots)
    with tracing.stage("ocr.find"):
        readings = engine.find_invoices(texts, today=today, suppliers=suppliers)
    if embedded:
        printed = "\n".join(reading.raw_text for reading in readings)
        return ReadInvoices(tuple(_held_against(invoice, printed) for invoice in embedded))
    found = tuple(_of_page(reading.invoice, reading) for reading in readings if reading.invoice)
    return ReadInvoices(found, None if found else readings[0].reason)


def _of_page(invoice: Invoice, reading: InvoiceReading) -> ReadInvoice:
    return ReadInvoice(
        data=invoice_data(invoice, engine=reading.engine, places=reading.places),
        confidence=invoice.confidence,
        raw_text=reading.raw_text,
        read_vendor=invoice.vendor.read if invoice.vendor else None,
        fingerprints=reading.fingerprints,
    )


def _embedded(attachments: Sequence[bytes], roots: TrustedRoots) -> list[EInvoice]:
    """What the XML inside a PDF says; a file that cannot be read there is passed over, as the page can be."""
    for attachment in attachments:
        if not is_xml(attachment):
            continue
        try:
            found = read_einvoices(attachment, roots=roots)
        except (InvalidInput, TooLarge):
            continue
        if found:
            return found
    return []


def _held_against(invoice: EInvoice, printed: str) -> ReadInvoice:
    """The XML's fields, with less confidence where the page does not print its total."""
    amounts = {abs(amount.value) for line in printed.splitlines() for amount in find_amounts(line)}
    agrees = not amounts or invoice.total is None or abs(invoice.total) in amounts
    confidence = einvoice_confidence(invoice) if agrees else _UNCONFIRMED
    read = _of_xml(invoice, confidence=confidence, raw_text=printed)
    if not agrees:
        read.data["warnings"] = [*invoice.warnings, "xml_differs_from_page"]
    return read


def _of_xml(invoice: EInvoice, *, confidence: float, raw_text: str) -> ReadInvoice:
    return ReadInvoice(
        data=einvoice_data(invoice, confidence=confidence),
        confidence=confidence,
        raw_text=raw_text,
        read_vendor=invoice.seller.name,
        fingerprints=einvoice_fingerprints(invoice),
    )

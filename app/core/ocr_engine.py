"""Reads documents: pages in, the fields of an invoice or an identity paper out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from app.core.ocr.constrained import ConstrainedReader
from app.core.ocr.extraction.ranker import Ranker
from app.core.ocr.identity import IdentityDocument, fuse
from app.core.ocr.invoice import Invoice, read_invoice
from app.core.ocr.invoice_codes import of_codes
from app.core.ocr.issuers.base import DocumentType
from app.core.ocr.layout import Page, arrange
from app.core.ocr.mrz import Mrz
from app.core.ocr.mrz_reader import looks_like_zone, read_zones, read_zones_enlarged
from app.core.ocr.page_reader import PageReader, PageText, spoken_language
from app.core.ocr.parting import part_documents
from app.core.ocr.places import PrintedPlace, places_of
from app.core.ocr.qr import read_card_codes, read_invoice_codes
from app.core.ocr.readers import ReaderFailure
from app.core.ocr.seller import Supplier, fingerprints
from app.core.ocr.text import fold
from app.core.ocr.text_layer import is_shown
from app.core.ocr.totals import Role, find_labelled_amounts
from app.types import Image, TextLine
from app.utils.logging import logger

_MIN_LINES = 3
"""A page with less text is no document."""

_PAGE_GAP_PX = 40.0
_SERIAL = re.compile(r"\bky hieu\b|\bserial\b")


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page to read. ``lines`` is the text layer of a PDF, px of ``image``; empty where the page must be read."""

    image: Image
    lines: tuple[TextLine, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceReading:
    """``invoice`` is None where the pages hold no invoice; ``reason`` then says why: ``no_text_found`` or
    ``no_invoice_found``. ``fingerprints`` identify the seller, for the supplier registry. ``places``: where its values
    are printed."""

    invoice: Invoice | None
    reason: str | None
    raw_text: str
    engine: str
    rotation_deg: int
    fingerprints: frozenset[str]
    places: Mapping[str, tuple[PrintedPlace, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdentityReading:
    """``reason`` is None where an identity paper was read; else ``no_text_found``, ``no_document_found``,
    ``wrong_document_type``, ``several_documents`` or ``unsupported_issuer``, and then ``identity`` is what was read."""

    identity: IdentityDocument | None
    reason: str | None
    raw_text: str
    engine: str
    rotation_deg: int


class OCREngine:
    """Synchronous; thread-safe, but its readers work on one page at a time.

    Args:
        pages: reads the text of pages.
        mrz_reader: reads machine-readable zones; None where only the fallback could be loaded.
        ranker: chooses an invoice's fields among candidates.
    """

    def __init__(self, pages: PageReader, *, mrz_reader: ConstrainedReader | None, ranker: Ranker) -> None:
        self._pages = pages
        self._ranker = ranker
        self._mrz_reader = mrz_reader

    @property
    def has_fallback(self) -> bool:
        """Whether another reader stands behind the first."""
        return self._pages.has_fallback

    def warm_up(self) -> None:
        """Read an empty page, so that every network has run once."""
        self._pages.read(np.full((64, 256, 3), 255, np.uint8), language="vi")

    def read_invoices(
        self,
        pages: Sequence[SourcePage],
        *,
        today: date,
        language: str | None = None,
        suppliers: Sequence[Supplier] = (),
    ) -> list[InvoiceReading]:
        """The invoices on ``pages``: one over several of them, or several on one; without any, why.

        Args:
            language: ``vi``, ``en``, or None to tell by the text.
            suppliers: sellers confirmed before.

        Raises:
            ReaderFailure: no reader could read.
        """
        return self.find_invoices(self.read_text(pages, language=language), today=today, suppliers=suppliers)

    def find_invoices(
        self, texts: Sequence[PageText], *, today: date, suppliers: Sequence[Supplier] = ()
    ) -> list[InvoiceReading]:
        """As ``read_invoices``, of pages that were read before."""

        def read(text: PageText, page: Page) -> Invoice:
            return read_invoice(page, self._ranker, today=today, suppliers=suppliers, vietnamese=text.vietnamese)

        numbers = {id(text.image): number for number, text in enumerate(texts, 1)}

        def located(reading: InvoiceReading, parts: Sequence[PageText]) -> InvoiceReading:
            if reading.invoice is None:
                return reading
            pages = [(numbers[id(part.image)], part) for part in parts]  # two invoices on a page share its picture
            return replace(reading, places=places_of(reading.invoice.values, pages))

        found = [
            located(
                find_invoice(document.texts, self._ranker, today=today, suppliers=suppliers, read=document.invoice),
                document.texts,
            )
            for document in part_documents(texts, read)
        ]
        return [reading for reading in found if reading.invoice] or found[:1]

    def read_text(self, pages: Sequence[SourcePage], *, language: str | None = None) -> list[PageText]:
        """The text of each page, from its text layer where it has one, and the codes of e-invoices.

        Raises:
            ReaderFailure: no reader could read.
        """
        return [_with_codes(self._text_of(page, language)) for page in pages]

    def read_identity(
        self, pages: Sequence[SourcePage], *, today: date, expected: DocumentType | None = None
    ) -> IdentityReading:
        """The identity paper that ``pages`` show, front and back together.

        Args:
            expected: the type that the caller names; another one is refused.

        Raises:
            ReaderFailure: no reader could read.
        """
        texts = [self._text_of(source, None) for source in pages]
        page = arrange(_stacked(texts))
        codes = [code for source in pages for code in read_card_codes(source.image)]
        zones = [zone for text in texts for zone in self._zones_of(text, today)]
        first = texts[0]
        if not page.cells and not codes:
            return IdentityReading(None, "no_text_found", "", first.engine, first.rotation_deg)
        identity = fuse(page, codes=codes, zones=zones, today=today, expected=expected)
        reason = refusal_of(identity, expected)
        return IdentityReading(identity, reason, page.text, first.engine, first.rotation_deg)

    def _text_of(self, page: SourcePage, language: str | None) -> PageText:
        if not page.lines:
            return self._pages.read(page.image, language=language)
        if self._is_shown(page):
            spoken = spoken_language(language, [line.text for line in page.lines])
            return PageText(page.lines, page.image, 0, "pdf_text", vietnamese=spoken == "vi")
        return replace(self._pages.read(page.image, language=language), contradicts_layer=True)

    def _is_shown(self, page: SourcePage) -> bool:
        """Whether the text layer may be believed; True where no reader works that could say otherwise."""
        try:
            return self._pages.latin is None or is_shown(page.lines, page.image, self._pages.latin)
        except ReaderFailure as error:
            logger.warning("ocr_reader_failed", reason=type(error.__cause__).__name__)
            return True

    def _zones_of(self, text: PageText, today: date) -> list[Mrz]:
        """The page's machine-readable zones; a small picture without a valid one is tried again enlarged."""
        if self._mrz_reader is None or not text.lines:
            return []
        polygons = [line.polygon for line in text.lines]
        likely = [looks_like_zone(line.text) for line in text.lines]
        zones = read_zones(text.image, polygons, likely, self._mrz_reader, today=today)
        if (not zones or not zones[0].all_valid) and self._pages.detector is not None:
            enlarged = read_zones_enlarged(
                text.image, polygons, likely, self._mrz_reader, detector=self._pages.detector, today=today
            )
            if enlarged and (not zones or len(enlarged[0].valid) > len(zones[0].valid)):
                return enlarged
        return zones


def find_invoice(
    texts: Sequence[PageText],
    ranker: Ranker,
    *,
    today: date,
    suppliers: Sequence[Supplier] = (),
    read: Invoice | None = None,
) -> InvoiceReading:
    """The invoice that the text of one or several pages makes up; ``read`` where it was read before."""
    page = arrange(_stacked(texts))
    first = texts[0]
    reading = InvoiceReading(None, "no_text_found", page.text, first.engine, first.rotation_deg, frozenset())
    if len(page.cells) < _MIN_LINES:
        return reading
    vietnamese = any(text.vietnamese for text in texts)
    invoice = read or read_invoice(page, ranker, today=today, suppliers=suppliers, vietnamese=vietnamese)
    invoice = of_codes(invoice, [code for text in texts for code in text.codes])
    if any(text.contradicts_layer for text in texts):
        invoice = replace(invoice, warnings=(*invoice.warnings, "text_layer_differs_from_page"))
    if invoice.total is None and not _looks_like_invoice(page):
        return replace(reading, reason="no_invoice_found")
    return replace(reading, invoice=invoice, reason=None, fingerprints=fingerprints(page))


def _with_codes(text: PageText) -> PageText:
    """The codes are looked for where a page has the words of an e-invoice, whose serial they have too."""
    marked = text.vietnamese and any(_SERIAL.search(fold(line.text)) for line in text.lines)
    return replace(text, codes=tuple(read_invoice_codes(text.image))) if marked else text


def _stacked(texts: Sequence[PageText]) -> list[TextLine]:
    """The lines of all pages as if printed below one another."""
    lines: list[TextLine] = []
    offset = 0.0
    for text in texts:
        down = np.array([0.0, offset], np.float32)
        lines += [replace(line, polygon=line.polygon + down) for line in text.lines]
        offset += text.image.shape[0] + _PAGE_GAP_PX
    return lines


def _looks_like_invoice(page: Page) -> bool:
    """An amount labelled as a total, a sum or a payment, where none was sure enough to be given."""
    roles = {item.role for item in find_labelled_amounts(page) if item.amount.value}
    return bool(roles & {Role.DUE, Role.TOTAL, Role.SUBTOTAL, Role.PAID})


def refusal_of(identity: IdentityDocument, expected: DocumentType | None) -> str | None:
    """Why a paper is not taken as read; None where it is."""
    if identity.documents > 1:
        return "several_documents"
    known = {"id_number", "full_name", "date_of_birth"} & set(identity.fields)
    if identity.unsupported and identity.document_type is not None:
        return "unsupported_issuer"
    if identity.document_type is None or not known:
        return "no_document_found"
    if expected is not None and identity.document_type is not expected:
        return "wrong_document_type"
    return None

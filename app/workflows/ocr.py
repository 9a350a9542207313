"""Documents: read them, keep what they say as long as allowed, learn from what people confirm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from uuid import uuid4
from zoneinfo import ZoneInfo

from app.core.einvoices.signature import TrustedRoots
from app.core.inference import InferencePool
from app.core.ocr.issuers.base import DocumentType
from app.core.ocr.readers import ReaderFailure
from app.core.ocr.seller import Supplier
from app.core.ocr.text import squeeze
from app.core.ocr_engine import IdentityReading, OCREngine, SourcePage
from app.errors import Conflict, InvalidInput, ModelUnavailable, NotFound
from app.services.database import Connection, Database
from app.services.sealed_storage import SealedStorage
from app.services.stores import document_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.document_store import OtherKind, ResultKey, StoredResult
from app.services.stores.removals import Kind, Things
from app.types import Reference
from app.utils import clock, metrics, tracing
from app.utils.deadline import deadline
from app.utils.fair_queue import FairPlaces
from app.utils.image_processing import encode_jpeg
from app.utils.pdf import PdfReader, is_pdf
from app.utils.pictures import PictureOpener
from app.utils.xml_tree import is_xml
from app.workflows.announcements import announced
from app.workflows.invoice_reading import ReadInvoice, ReadInvoices, read_pages, read_xml
from app.workflows.ocr_records import identity_data

MaySee = Callable[[str], bool]
"""Whether the caller may see documents of that type."""

_MAX_SUPPLIERS = 5000


@dataclass(frozen=True, slots=True)
class OcrRules:
    """Settings of the document workflow.

    Attributes:
        languages: that are read here; where there is only one, no document is asked for its own.
        zone: whose day today is.
        deadline_s: for opening a document, waiting for its turn and reading it together.
    """

    languages: tuple[str, ...]
    zone: ZoneInfo
    deadline_s: float


@dataclass(frozen=True, slots=True)
class InvoiceResult:
    """The invoices with the keys of their rows; ``reason`` says why there are none."""

    invoices: tuple[tuple[ResultKey, ReadInvoice], ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class IdentityResult:
    """``key`` is None where nothing was read and hence nothing stored."""

    reading: IdentityReading
    key: ResultKey | None


@dataclass(frozen=True, slots=True)
class _OpenDocument:
    """A document on its way to an inference thread, where ``pages`` is called."""

    pages: Callable[[], list[SourcePage]]
    attachments: tuple[bytes, ...] = ()


class OcrWorkflow:
    """Document reading over the pool and the backends.

    Documents take turns: a page occupies the readers and all cores for a second, so a second document on another
    pool thread would only keep that thread from faces.

    Args:
        turns: of which there is one.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        pdfs: PdfReader,
        engine: OCREngine | None,
        database: Database,
        storage: SealedStorage,
        turns: FairPlaces,
        rules: OcrRules,
        roots: TrustedRoots,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._pdfs = pdfs
        self._engine = engine
        self._database = database
        self._storage = storage
        self._rules = rules
        self.roots = roots
        self._turns = turns

    async def read_invoice(
        self, document: bytes, *, language: str | None, keep_image: bool, actor: str | None
    ) -> InvoiceResult:
        """Read an invoice and store what it says.

        Args:
            document: an encoded picture, a PDF, or the XML of e-invoices, which is read where OCR is switched off too.
            language: ``vi``, ``en``, or None to tell by the text.
            keep_image: whether to keep the picture until the result is redacted.

        Raises:
            InvalidImage, TooLarge, InvalidInput: the document cannot be read at all.
            Overloaded: too many documents wait.
            DeadlineExceeded: it was not read in time.
            ModelUnavailable: OCR is switched off, or its readers failed.
        """
        language = self.language_of(language)
        metrics.ocr_total.labels(OtherKind.INVOICE).inc()
        metrics.ocr_requests_total.labels(OtherKind.INVOICE).inc()
        if is_xml(document):
            read = await self._pool.submit("ocr", read_xml, document, roots=self.roots)
            return await self.store_invoices(read, None, actor)
        engine = self.open_engine()
        known = await self.known_suppliers()
        async with deadline(self._rules.deadline_s), self._opened(document) as opened, self._turns.place():
            read, kept = await self._pool.submit(
                "ocr",
                _read_invoices,
                engine,
                opened,
                roots=self.roots,
                language=language,
                suppliers=known,
                today=self.today(),
                keep_image=keep_image,
            )
        return await self.store_invoices(read, kept, actor)

    async def store_invoices(self, read: ReadInvoices, picture: bytes | None, actor: str | None) -> InvoiceResult:
        """Every invoice as a row, all of them or none. The picture goes with the first."""
        if not read.invoices:
            return InvoiceResult((), read.reason)
        stored = []
        async with self._stored(picture) as object_key, self._database.transaction() as connection:
            for index, invoice in enumerate(read.invoices):
                key = await document_store.insert_result(
                    connection,
                    document_type=OtherKind.INVOICE,
                    data=invoice.data,
                    confidence=invoice.confidence,
                    raw_text=invoice.raw_text,
                    processed_by=actor,
                    read_vendor=invoice.read_vendor,
                    fingerprints=sorted(invoice.fingerprints),
                    object_key=object_key if index == 0 else None,
                )
                await add_audit_entry(connection, "ocr.read_invoice", subject=str(key.id), actor=actor)
                stored.append((key, invoice))
            await removals.claim(connection, _objects(object_key))
        return InvoiceResult(tuple(stored), None)

    async def read_identity(
        self, document: bytes, *, expected: DocumentType | None, keep_image: bool, actor: str | None
    ) -> IdentityResult:
        """Read an identity paper and store what it says. Arguments and errors as for :meth:`read_invoice`."""
        reading, kept = await self._read_paper(document, expected=expected, keep_image=keep_image)
        kind = reading.identity.document_type if reading.identity else None
        if reading.identity is None or reading.reason is not None:
            return IdentityResult(reading, None)
        async with self._stored(kept) as object_key, self._database.transaction() as connection:
            key = await document_store.insert_result(
                connection,
                document_type=kind or OtherKind.UNKNOWN,
                data=identity_data(reading.identity, engine=reading.engine),
                confidence=reading.identity.confidence,
                raw_text=reading.raw_text,
                processed_by=actor,
                object_key=object_key,
            )
            await removals.claim(connection, _objects(object_key))
            await add_audit_entry(connection, "ocr.read_identity", subject=str(key.id), actor=actor)
        return IdentityResult(reading, key)

    async def read_paper(self, document: bytes) -> IdentityReading:
        """Read an identity paper and store nothing. Errors as for :meth:`read_invoice`."""
        reading, _ = await self._read_paper(document, expected=None, keep_image=False)
        return reading

    async def _read_paper(
        self, document: bytes, *, expected: DocumentType | None, keep_image: bool
    ) -> tuple[IdentityReading, bytes | None]:
        engine = self.open_engine()
        metrics.ocr_total.labels("id").inc()
        async with deadline(self._rules.deadline_s), self._opened(document) as opened, self._turns.place():
            reading, kept = await self._pool.submit(
                "ocr",
                _read_identity,
                engine,
                opened,
                expected=expected,
                today=self.today(),
                keep_image=keep_image,
            )
        kind = reading.identity.document_type if reading.identity else None
        metrics.ocr_requests_total.labels(kind or expected or OtherKind.UNKNOWN).inc()
        return reading, kept

    async def result(self, reference: Reference, *, may_see: MaySee, actor: str | None) -> StoredResult:
        """A stored result, for somebody to see: the audit says who did.

        Raises:
            NotFound: there is none of that id that the caller may see.
        """
        async with self._database.transaction() as connection:
            stored = await _find(connection, reference, may_see)
            await add_audit_entry(connection, "ocr.see_result", subject=str(stored.id), actor=actor)
        return stored

    async def picture(self, stored: StoredResult) -> bytes | None:
        """The first page of a document as JPEG; None where it was not kept, or not until now."""
        try:
            return await self._storage.get(stored.object_key) if stored.object_key else None
        except NotFound:  # redacted or deleted a moment ago
            return None

    async def delete(self, reference: Reference, *, may_see: MaySee, actor: str | None) -> StoredResult:
        """Remove a result for good, and its picture soon after. What a confirmation taught of a seller stays.

        Returns:
            What was there.

        Raises:
            NotFound: there is none of that id that the caller may see.
        """
        async with self._database.transaction() as connection:
            stored = await _find(connection, reference, may_see)
            await removals.schedule_removals(connection, Kind.OBJECT, [stored.object_key] if stored.object_key else [])
            await document_store.delete_result(connection, stored.id)
            await add_audit_entry(connection, "ocr.delete", subject=str(stored.id), actor=actor)
        return stored

    async def confirm(
        self, reference: Reference, corrections: Mapping[str, object], *, may_see: MaySee, actor: str | None
    ) -> tuple[int, int | None]:
        """Put a person's values in the place of what was read, and learn the supplier of an invoice.

        Args:
            corrections: by field; a field that is absent stays as it was read.

        Returns:
            The number of the result, and that of the supplier learned: None where the result is no invoice or names
            no seller.

        Raises:
            NotFound: there is no such result that the caller may see.
            Conflict: the result was redacted; there is nothing left to confirm.
        """
        async with self._database.connection() as connection:
            stored = await _find(connection, reference, may_see)
        result_id = stored.id
        if stored.redacted_at is not None:
            raise Conflict("The result is past its retention and was redacted.", code="result_redacted")
        data = {**stored.data, **corrections}
        vendor, tax_code = data.get("vendor"), data.get("vendor_tax_code")
        async with self._database.transaction() as connection:
            await document_store.confirm_result(connection, result_id, data=data, confirmed_by=actor)
            await add_audit_entry(connection, "ocr.confirm", subject=str(result_id), actor=actor)
            if stored.document_type != OtherKind.INVOICE or not isinstance(vendor, str) or not squeeze(vendor):
                return result_id, None
            read_vendor, fingerprints = await document_store.seller_evidence(connection, result_id)
            return result_id, await document_store.learn_supplier(
                connection,
                name=vendor.strip(),
                name_key=squeeze(vendor)[:200],
                tax_code=tax_code if isinstance(tax_code, str) else None,
                alias=read_vendor,
                fingerprints=fingerprints,
            )

    def open_engine(self) -> OCREngine:
        if self._engine is None:
            raise ModelUnavailable("OCR is switched off here; set OCR_ENABLED=true.")
        return self._engine

    def language_of(self, asked: str | None) -> str | None:
        languages = self._rules.languages
        if asked is not None and asked not in languages:
            raise InvalidInput(f"Documents in {', '.join(languages)} are read here.", code="language_not_supported")
        return asked or (languages[0] if len(languages) == 1 else None)

    def today(self) -> date:
        return clock.now().astimezone(self._rules.zone).date()

    async def known_suppliers(self) -> list[Supplier]:
        async with self._database.connection() as connection:
            rows = await document_store.suppliers(connection, limit=_MAX_SUPPLIERS)
        return [Supplier(row.name, row.tax_code, row.aliases, row.fingerprints) for row in rows]

    @asynccontextmanager
    async def _opened(self, document: bytes) -> AsyncIterator[_OpenDocument]:
        if is_pdf(document):
            async with self._pdfs.opened(document) as pdf:
                yield _OpenDocument(lambda: [SourcePage(page.image, page.lines) for page in pdf.pages], pdf.attachments)
        else:
            async with self._pictures.opened(document) as picture:
                yield _OpenDocument(lambda: [SourcePage(picture.decode())])

    @asynccontextmanager
    async def _stored(self, picture: bytes | None) -> AsyncIterator[str | None]:
        """The key of the stored picture, for the block to claim with its row; None where none is kept."""
        key = f"ocr/{uuid4().hex}.jpg" if picture is not None else None
        async with announced(self._database, _objects(key)):
            if key is not None and picture is not None:
                await self._storage.put(key, picture)
            yield key


def _objects(key: str | None) -> Things:
    return {Kind.OBJECT: [key] if key else []}


async def _find(connection: Connection, reference: Reference, may_see: MaySee) -> StoredResult:
    stored = await document_store.find_result(connection, reference)
    if stored is None or not may_see(stored.document_type):
        raise NotFound(f"There is no OCR result {reference}.")
    return stored


def _kept(pages: Sequence[SourcePage], *, keep_image: bool) -> bytes | None:
    return encode_jpeg(pages[0].image) if keep_image else None


def _read_invoices(
    engine: OCREngine,
    document: _OpenDocument,
    *,
    roots: TrustedRoots,
    language: str | None,
    suppliers: Sequence[Supplier],
    today: date,
    keep_image: bool,
) -> tuple[ReadInvoices, bytes | None]:
    """One hop: decode and read."""
    with tracing.stage("ocr.decode"):
        pages = document.pages()
    read = read_pages(
        engine,
        pages,
        attachments=document.attachments,
        roots=roots,
        language=language,
        suppliers=suppliers,
        today=today,
    )
    return read, _kept(pages, keep_image=keep_image)


def _read_identity(
    engine: OCREngine,
    document: _OpenDocument,
    *,
    expected: DocumentType | None,
    today: date,
    keep_image: bool,
) -> tuple[IdentityReading, bytes | None]:
    """One hop: decode and read."""
    with tracing.stage("ocr.decode"):
        pages = document.pages()
    try:
        with tracing.stage("ocr.read"):
            reading = engine.read_identity(pages, today=today, expected=expected)
    except ReaderFailure as error:
        raise ModelUnavailable("No OCR reader works at the moment; try again shortly.") from error
    return reading, _kept(pages, keep_image=keep_image)

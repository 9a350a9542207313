"""Invoices that take longer than a request may: a job reads them a few pages at a time, between other documents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.core.inference import InferencePool, Priority
from app.core.ocr.page_reader import PageText
from app.core.ocr_engine import OCREngine, SourcePage
from app.errors import InvalidInput, NotFound
from app.services.database import Database
from app.services.stores import job_store
from app.services.stores.document_store import ResultKey
from app.services.stores.job_store import Job, JobState
from app.types import Image, Scope
from app.utils.fair_queue import FairPlaces
from app.utils.image_processing import encode_jpeg
from app.utils.pdf import PdfReader, is_pdf
from app.workflows.access import Caller
from app.workflows.bulk import BulkKind
from app.workflows.invoice_reading import ReadInvoice, find_invoices, read_texts
from app.workflows.jobs import AlreadyDone, JobBook, JobHandle
from app.workflows.ocr import InvoiceResult, OcrWorkflow
from app.workflows.patience import patiently

READ_INVOICE = BulkKind("ocr.invoice", Scope.OCR_INVOICE)


class InvoiceIntake:
    """Reads a document at once, or makes a job of it."""

    def __init__(self, documents: OcrWorkflow, pdfs: PdfReader, jobs: JobBook, database: Database) -> None:
        self._documents = documents
        self._pdfs = pdfs
        self._jobs = jobs
        self._database = database

    async def read(
        self,
        document: bytes,
        *,
        language: str | None,
        keep_image: bool,
        caller: Caller,
        actor: str | None,
        later: bool,
    ) -> InvoiceResult | Job:
        """The invoices, or a job where the caller would rather wait (``later``) or the PDF has many pages.

        Raises:
            VisionError: as ``OcrWorkflow.read_invoice`` and ``JobBook.create`` do.
        """
        if not later:
            try:
                return await self._documents.read_invoice(
                    document, language=language, keep_image=keep_image, actor=actor
                )
            except InvalidInput as error:
                if error.code != "too_many_pages":
                    raise
        self._documents.language_of(language)  # told at once, and not by a job that failed
        total = await self._pdfs.count_pages(document) if is_pdf(document) else 1
        params = {"language": language, "keep_image": keep_image}
        return await self._jobs.create(
            READ_INVOICE.name, document, params=params, caller=caller, actor=actor, total=total
        )

    async def result_of(self, job: Job, caller: Caller) -> InvoiceResult | None:
        """What a job of ours has read, as far as it is still stored; None while there is nothing."""
        if job.state is not JobState.SUCCEEDED or job.kind != READ_INVOICE.name:
            return None
        async with self._database.connection() as connection:
            items = await job_store.items_of(connection, job.id)
        invoices = []
        for item in items:
            try:
                stored = await self._documents.result(
                    int(item.outcome["id"]), may_see=caller.may_see, actor=caller.label
                )
            except NotFound:
                continue  # erased since
            read = ReadInvoice(dict(stored.data), stored.confidence, stored.raw_text or "", None, frozenset())
            invoices.append((ResultKey(stored.id, stored.public_id), read))
        if items and not invoices:
            return None
        return InvoiceResult(tuple(invoices), (job.outcome or {}).get("reason"))


class LongInvoiceWork:
    """The work of such a job.

    Args:
        turns: that documents take, shared with those who wait for an answer.
    """

    def __init__(self, documents: OcrWorkflow, pdfs: PdfReader, pool: InferencePool, turns: FairPlaces) -> None:
        self._documents = documents
        self._pdfs = pdfs
        self._pool = pool
        self._turns = turns
        self._one_at_a_time = asyncio.Lock()  # the places for PDFs are also those of people who wait

    async def carry_out(self, job: Job, content: bytes, handle: JobHandle) -> Mapping[str, object]:
        if handle.done_before:  # what was read is committed whole
            handle.progress(handle.total or 1)
            return {}
        try:
            with handle.effect(0):
                result = await self._read(job, content, handle)
        except AlreadyDone:
            return {}
        return {"reason": result.reason}

    async def _read(self, job: Job, content: bytes, handle: JobHandle) -> InvoiceResult:
        language, keep_image = job.params["language"], job.params["keep_image"]
        if is_pdf(content):
            async with self._one_at_a_time:
                return await self._read_pdf(content, language, handle, keep_image=keep_image, actor=job.actor)
        result = await patiently(
            lambda: self._documents.read_invoice(content, language=language, keep_image=keep_image, actor=job.actor)
        )
        handle.progress(1)
        return result

    async def _read_pdf(
        self, content: bytes, asked: str | None, handle: JobHandle, *, keep_image: bool, actor: str | None
    ) -> InvoiceResult:
        engine, language = self._documents.open_engine(), self._documents.language_of(asked)
        texts: list[PageText] = []
        attachments: tuple[bytes, ...] = ()
        picture: bytes | None = None
        total = None
        while total is None or len(texts) < total:
            async with self._pdfs.opened_from(content, len(texts)) as part:
                total, attachments = part.page_count, part.attachments
                if keep_image and not texts:
                    picture = encode_jpeg(part.pages[0].image)
                for page in part.pages:
                    texts.append(await self._read_page(engine, SourcePage(page.image, page.lines), language))
                    handle.progress(len(texts), total)
        read = await self._pool.submit_at(
            Priority.BULK,
            "ocr",
            find_invoices,
            engine,
            texts,
            attachments=attachments,
            roots=self._documents.roots,
            suppliers=await self._documents.known_suppliers(),
            today=self._documents.today(),
        )
        return await self._documents.store_invoices(read, picture, actor)

    async def _read_page(self, engine: OCREngine, page: SourcePage, language: str | None) -> PageText:
        async def read() -> list[PageText]:
            async with self._turns.place():
                return await self._pool.submit_at(Priority.BULK, "ocr", read_texts, engine, [page], language=language)

        [text] = await patiently(read)
        return replace(text, image=_blank(text.image))


def _blank(image: Image) -> Image:
    """A picture of the same size without memory of its own: of a page that was read only its size still counts."""
    return np.broadcast_to(np.uint8(0), image.shape)

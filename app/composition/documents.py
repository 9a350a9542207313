"""Document reading: engine and use cases."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography import x509

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.config import Settings
from app.core.einvoices.signature import TrustedRoots
from app.core.inference import InferencePool
from app.core.ocr_engine import OCREngine
from app.errors import ConfigurationError
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.model_loader import ModelLoader
from app.services.sealed_storage import SealedStorage
from app.utils import metrics
from app.utils.fair_queue import FairPlaces
from app.workflows.long_invoices import LongInvoiceWork
from app.workflows.ocr import OcrRules, OcrWorkflow

_CERTIFICATE_SUFFIXES = {".pem", ".crt", ".cer", ".der"}


def load_ocr_engine(settings: Settings, loader: ModelLoader) -> OCREngine | None:
    """The reader, warm; None where OCR is switched off."""
    if not settings.OCR_ENABLED:
        return None
    engine = build_ocr_engine(loader, threads=os.cpu_count() or 1, fallback_name=settings.OCR_FALLBACK)
    engine.warm_up()
    metrics.model_loaded.labels("ocr").set(1)
    return engine


def compose_documents(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    engine: OCREngine | None,
    *,
    zone: ZoneInfo,
) -> tuple[OcrWorkflow, LongInvoiceWork]:
    """Invoices, identity papers and their stored results; and the work of jobs, which shares their turns."""
    turns = FairPlaces(
        1,
        max_waiting=settings.OCR_QUEUE_SIZE - 1,
        deadline_s=settings.INFERENCE_DEADLINE_S,
        refusal="Too many documents wait to be read; try again shortly.",
    )
    documents = OcrWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        pdfs=decoders.pdfs,
        engine=engine,
        database=backends.database,
        storage=SealedStorage(backends.storage, backends.database),
        turns=turns,
        rules=OcrRules(
            languages=tuple(name.strip() for name in settings.OCR_LANGUAGES.split(",") if name.strip()),
            zone=zone,
            deadline_s=settings.INFERENCE_DEADLINE_S,
        ),
        roots=load_trusted_roots(settings.EINVOICE_TRUST_DIR),
    )
    return documents, LongInvoiceWork(documents, decoders.pdfs, pool, turns)


def load_trusted_roots(folder: Path | None) -> TrustedRoots:
    """The certificates in ``folder``; without a folder no signer is trusted.

    Raises:
        ConfigurationError: as ``load_certificates`` does.
    """
    return TrustedRoots.of([] if folder is None else load_certificates(folder))


def load_certificates(folder: Path) -> list[x509.Certificate]:
    """The certificates in ``folder``, PEM or DER.

    Raises:
        ConfigurationError: the folder or a certificate in it cannot be read: it would be missing without a word.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"EINVOICE_TRUST_DIR: {folder} is no folder.")
    certificates: list[x509.Certificate] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _CERTIFICATE_SUFFIXES:
            continue
        try:
            data = path.read_bytes()
            is_pem = b"-----BEGIN" in data
            certificates += x509.load_pem_x509_certificates(data) if is_pem else [x509.load_der_x509_certificate(data)]
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"EINVOICE_TRUST_DIR: {path.name} is no certificate.") from error
    return certificates

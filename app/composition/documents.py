"""Document reading: engine and use cases."""

from __future__ import annotations

import os
from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.config import Settings
from app.core.inference import InferencePool
from app.core.ocr_engine import OCREngine
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.model_loader import ModelLoader
from app.utils import metrics
from app.workflows.ocr import OcrRules, OcrWorkflow


def load_ocr_engine(settings: Settings, loader: ModelLoader) -> OCREngine | None:
    """The reader, warm; None where OCR is switched off."""
    if not settings.OCR_ENABLED:
        return None
    engine = build_ocr_engine(loader, threads=os.cpu_count() or 1, fallback_name=settings.OCR_FALLBACK)
    engine.warm_up()
    metrics.model_loaded.labels("ocr").set(1)
    return engine


def compose_documents(
    settings: Settings, pool: InferencePool, backends: Backends, engine: OCREngine | None, *, zone: ZoneInfo
) -> OcrWorkflow:
    """Invoices, identity papers and their stored results."""
    return OcrWorkflow(
        pool=pool,
        engine=engine,
        database=backends.database,
        storage=backends.storage,
        rules=OcrRules(
            max_pixels=settings.MAX_IMAGE_PIXELS,
            max_pages=settings.OCR_MAX_PAGES,
            queue_size=settings.OCR_QUEUE_SIZE,
            languages=tuple(name.strip() for name in settings.OCR_LANGUAGES.split(",") if name.strip()),
            zone=zone,
        ),
    )

"""From a model pack to the OCR engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from app.core.ocr.constrained import ConstrainedReader
from app.core.ocr.easyocr import open_easyocr
from app.core.ocr.issuers.base import SecondLanguage
from app.core.ocr.issuers.registry import second_languages
from app.core.ocr.page_reader import PageFallback, PageReader, SecondReader
from app.core.ocr.readers import LineReader, ReaderFailure
from app.core.ocr.tesseract import TesseractReader
from app.core.ocr_engine import OCREngine
from app.errors import ModelUnavailable
from app.ml_models.extractor import load_ranker
from app.ml_models.factories.ocr_networks import LineDetectionModel, LineRecognitionModel
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.utils.logging import logger

Fallback = Literal["tesseract", "easyocr", "none"]

_LATIN_MIN_WIDTH_PX = 48
"""PaddleOCR pads lines to 320 px. Unpadded, 43 receipts gave the same totals and dates for 40 % less computing."""

_FALLBACK_ROLES = (ModelRole.OCR_FALLBACK_VI, ModelRole.OCR_FALLBACK_EN)

_TESSDATA_DIRS = (
    Path("/usr/share/tesseract-ocr/5/tessdata"),
    Path("/usr/share/tesseract-ocr/4.00/tessdata"),
    Path("/usr/share/tessdata"),
    Path("/usr/local/share/tessdata"),
)


def build_ocr_engine(loader: ModelLoader, *, threads: int, fallback_name: Fallback = "tesseract") -> OCREngine:
    """The pack's detection and recognisers with a fallback behind them; the fallback alone where PaddleOCR fails to
    load.

    Args:
        threads: cores for one page. Readers take one page at a time, so these are not multiplied by requests.
        fallback_name: what reads where PaddleOCR cannot.

    Raises:
        ModelUnavailable: neither PaddleOCR nor the fallback can be loaded.
    """
    fallback = _open_fallback(loader, fallback_name)
    spoken = [language for language in second_languages() if loader.has(language.role)]
    try:
        detection = loader.model(ModelRole.OCR_DETECTION, LineDetectionModel)
        latin = loader.model(ModelRole.OCR_RECOGNITION_LATIN, LineRecognitionModel)
        latin_session = latin.open_session(loader, threads=threads)
        latin_reader = latin.build(loader, latin_session, min_width_px=_LATIN_MIN_WIDTH_PX)
        pages = PageReader(
            detection.build(loader, detection.open_session(loader, threads=threads)),
            latin=latin_reader,
            seconds=[SecondReader(language, _second_reader(loader, language, threads)) for language in spoken],
            fallback=fallback,
        )
    except (ReaderFailure, ModelUnavailable) as error:
        if fallback is None:
            raise ModelUnavailable(f"No OCR reader can be loaded: {error}") from error
        logger.warning("ocr_fallback_only", reason=str(error))
        return OCREngine(PageReader(None, latin=None, fallback=fallback), mrz_reader=None, ranker=load_ranker())
    mrz_reader = ConstrainedReader(latin_session, latin_reader.characters)
    return OCREngine(pages, mrz_reader=mrz_reader, ranker=load_ranker())


def _second_reader(loader: ModelLoader, language: SecondLanguage, threads: int) -> LineReader:
    model = loader.model(language.role, LineRecognitionModel)
    return model.build(loader, model.open_session(loader, threads=threads))


def _open_fallback(loader: ModelLoader, name: Fallback) -> PageFallback | None:
    """What was asked for, where it can be had; a warning where it cannot."""
    match name:
        case "tesseract":
            return _open_tesseract(loader)
        case "easyocr":
            try:
                return open_easyocr()
            except ReaderFailure as error:
                logger.warning("ocr_fallback_unavailable", reason=str(error))
                return None
        case "none":
            return None


def _open_tesseract(loader: ModelLoader) -> PageFallback | None:
    """Tesseract on the pack's language files, else on the system's; None, and a warning, where neither can be had."""
    try:
        reader = TesseractReader(_pack_tessdata(loader))
    except (ModelUnavailable, ReaderFailure) as error:
        return _open_system_tesseract(reason=str(error))
    for role in _FALLBACK_ROLES:
        loader.note_provider(role, reader.name)
    return reader


def _pack_tessdata(loader: ModelLoader) -> Path:
    """The folder of both languages. Raises ``ModelUnavailable`` where the pack has none, or they are not installed."""
    if not all(loader.has(role) for role in _FALLBACK_ROLES):
        raise ModelUnavailable(f"Model pack {loader.pack.name} holds no languages for Tesseract.")
    folder, _ = (loader.path(role).parent for role in _FALLBACK_ROLES)
    return folder


def _open_system_tesseract(*, reason: str) -> PageFallback | None:
    """Tesseract on the language files that the system's packages bring; ``reason`` is why the pack's are not used."""
    named = os.environ.get("TESSDATA_PREFIX")
    for folder in (*([Path(named)] if named else []), *_TESSDATA_DIRS):
        if (folder / "vie.traineddata").is_file() and (folder / "eng.traineddata").is_file():
            try:
                return TesseractReader(folder)
            except ReaderFailure as error:
                reason = f"{reason} {error}"
                break
    logger.warning("ocr_fallback_unavailable", reason=reason)
    return None

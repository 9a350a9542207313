"""From a model pack to the OCR engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from loguru import logger

from app.core.ocr.constrained import ConstrainedReader
from app.core.ocr.easyocr import open_easyocr
from app.core.ocr.issuers.base import SecondLanguage
from app.core.ocr.issuers.registry import second_languages
from app.core.ocr.paddle import PaddleDetector, PaddleReader
from app.core.ocr.page_reader import PageFallback, PageReader, SecondReader
from app.core.ocr.readers import LineDetector, LineReader, ReaderFailure
from app.core.ocr.tesseract import TesseractReader
from app.core.ocr_engine import OCREngine
from app.errors import ModelUnavailable
from app.ml_models.data_files import FileTable
from app.ml_models.extractor import load_ranker
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.ml_models.runtimes import OnnxRuntimeSession
from app.ml_models.specs import ModelSpec
from app.types import Session

Fallback = Literal["tesseract", "easyocr", "none"]

MAX_SIDE_PX = 960
"""Longer pages are shrunk to this for detection; lines are cropped from the full picture."""

_LATIN_MIN_WIDTH_PX = 48
"""PaddleOCR pads lines to 320 px. Unpadded, 43 receipts gave the same totals and dates for 40 % less computing."""

_FALLBACK_ROLES = (ModelRole.OCR_FALLBACK_VI, ModelRole.OCR_FALLBACK_EN)

_TESSDATA_DIRS = (
    Path("/usr/share/tesseract-ocr/5/tessdata"),
    Path("/usr/share/tesseract-ocr/4.00/tessdata"),
    Path("/usr/share/tessdata"),
    Path("/usr/local/share/tessdata"),
)


class OcrNetworkModel(ModelSpec):
    """A network over pages or lines."""

    def open_session(self, loader: ModelLoader, *, threads: int) -> OnnxRuntimeSession:
        """ONNX Runtime, which takes lines of any width without compiling anew; opened here because OCR works on one
        page with all cores, where the loader's sessions serve several requests with one core each."""
        session = OnnxRuntimeSession(loader.path(self.role), threads=threads)
        loader.note_provider(self.role, session.provider)
        return session


class LineDetectionModel(OcrNetworkModel):
    """What can fill the role ``ocr_detection``."""

    def build(self, loader: ModelLoader, session: Session) -> LineDetector:
        """The detector over its open session."""
        raise NotImplementedError


class LineRecognitionModel(OcrNetworkModel):
    """What can read lines, in the roles ``ocr_recognition_…``."""

    def build(self, loader: ModelLoader, session: Session, *, min_width_px: int | None = None) -> LineReader:
        """The reader over its open session; ``min_width_px`` is what narrower lines are padded to."""
        raise NotImplementedError

    def characters(self, loader: ModelLoader) -> list[str]:
        """The recogniser's characters, in the order of its classes from 1 on."""
        raise NotImplementedError


class _PaddleParams(FileTable):
    """``paddle_name`` is what paddleocr calls the network."""

    paddle_name: str


class PaddleDetectionModel(LineDetectionModel):
    """A folder that paddleocr takes."""

    kind: Literal["paddleocr"]
    params: _PaddleParams

    def build(self, loader: ModelLoader, session: Session) -> LineDetector:
        folder = loader.path(self.role).parent
        return PaddleDetector(folder, model_name=self.params.paddle_name, session=session, max_side_px=MAX_SIDE_PX)


class PaddleRecognitionModel(LineRecognitionModel):
    """A folder that paddleocr takes."""

    kind: Literal["paddleocr"]
    params: _PaddleParams

    def build(self, loader: ModelLoader, session: Session, *, min_width_px: int | None = None) -> LineReader:
        folder = loader.path(self.role).parent
        return PaddleReader(folder, model_name=self.params.paddle_name, session=session, min_width_px=min_width_px)

    def characters(self, loader: ModelLoader) -> list[str]:
        with (loader.path(self.role).parent / "inference.yml").open(encoding="utf-8") as file:
            characters: list[str] = yaml.load(file, Loader=yaml.CSafeLoader)["PostProcess"]["character_dict"]
        return characters


class TesseractModel(ModelSpec):
    """A language's file for Tesseract."""

    kind: Literal["tesseract"]


DETECTION_KINDS = (PaddleDetectionModel,)
RECOGNITION_KINDS = (PaddleRecognitionModel,)
FALLBACK_KINDS = (TesseractModel,)


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
        pages = PageReader(
            detection.build(loader, detection.open_session(loader, threads=threads)),
            latin=latin.build(loader, latin_session, min_width_px=_LATIN_MIN_WIDTH_PX),
            seconds=[SecondReader(language, _second_reader(loader, language, threads)) for language in spoken],
            fallback=fallback,
        )
    except (ReaderFailure, ModelUnavailable) as error:
        if fallback is None:
            raise ModelUnavailable(f"No OCR reader can be loaded: {error}") from error
        logger.bind(reason=str(error)).warning("ocr_fallback_only")
        return OCREngine(PageReader(None, latin=None, fallback=fallback), mrz_reader=None, ranker=load_ranker())
    mrz_reader = ConstrainedReader(latin_session, latin.characters(loader))
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
                logger.bind(reason=str(error)).warning("ocr_fallback_unavailable")
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
    logger.bind(reason=reason).warning("ocr_fallback_unavailable")
    return None

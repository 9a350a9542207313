"""Kinds of networks and language files that read pages."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from app.ml_models.specs import ModelSpec

if TYPE_CHECKING:
    from app.core.ocr.readers import LineDetector, SpelledReader
    from app.ml_models.model_loader import ModelLoader
    from app.ml_models.runtimes import OnnxRuntimeSession
    from app.types import Session

MAX_SIDE_PX = 960
"""Longer pages are shrunk to this for detection; lines are cropped from the full picture."""


class OcrNetworkModel(ModelSpec):
    """A network over pages or lines."""

    def open_session(self, loader: ModelLoader, *, threads: int) -> OnnxRuntimeSession:
        """ONNX Runtime, which takes lines of any width without compiling again; opened here because OCR works on one
        page with all cores, where the loader's sessions serve several requests with one core each."""
        from app.ml_models.runtimes import OnnxRuntimeSession

        session = OnnxRuntimeSession(loader.path(self.role), threads=threads)
        loader.note_provider(self.role, session.provider)
        return session


class LineDetectionModel(OcrNetworkModel):
    """What can fill the role ``ocr_detection``."""

    @abstractmethod
    def build(self, loader: ModelLoader, session: Session) -> LineDetector:
        """The detector over its open session."""


class LineRecognitionModel(OcrNetworkModel):
    """What can read lines, in the roles ``ocr_recognition_…``."""

    @abstractmethod
    def build(self, loader: ModelLoader, session: Session, *, min_width_px: int | None = None) -> SpelledReader:
        """The reader over its open session; ``min_width_px`` is what narrower lines are padded to."""


class PaddleDetectionModel(LineDetectionModel):
    """A folder that paddleocr takes."""

    kind: Literal["paddleocr"]

    def build(self, loader: ModelLoader, session: Session) -> LineDetector:
        from app.core.ocr.paddle import PaddleDetector

        return PaddleDetector(loader.path(self.role).parent, session=session, max_side_px=MAX_SIDE_PX)


class PaddleRecognitionModel(LineRecognitionModel):
    """A folder that paddleocr takes."""

    kind: Literal["paddleocr"]

    def build(self, loader: ModelLoader, session: Session, *, min_width_px: int | None = None) -> SpelledReader:
        from app.core.ocr.paddle import PaddleReader

        return PaddleReader(loader.path(self.role).parent, session=session, min_width_px=min_width_px)


class TesseractModel(ModelSpec):
    """A language's file for Tesseract."""

    kind: Literal["tesseract"]


DETECTION_KINDS = (PaddleDetectionModel,)
RECOGNITION_KINDS = (PaddleRecognitionModel,)
FALLBACK_KINDS = (TesseractModel,)

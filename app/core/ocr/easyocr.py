"""EasyOCR as the fallback, for those who have installed it themselves: it needs torch, about 6 GB with its parts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from app.core.ocr.merge import LineReading
from app.core.ocr.readers import ReaderFailure
from app.types import Image, TextLine


class _EasyOcr(Protocol):
    """The part of ``easyocr.Reader`` used here."""

    def recognize(self, image: Image, *, detail: int) -> list[tuple[object, str, float]]: ...

    def readtext(self, image: Image, *, detail: int) -> list[tuple[Sequence[Sequence[float]], str, float]]: ...


class EasyOcrReader:
    """Thread-safe: one call at a time. Args: reader: an ``easyocr.Reader(["vi", "en"])``."""

    name = "easyocr"

    def __init__(self, reader: _EasyOcr) -> None:
        self._reader = reader
        self._lock = threading.Lock()

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        """See ``LineReader.read``."""
        with self._lock:
            return [self._read_line(crop) for crop in crops]

    def read_page(self, image: Image) -> list[TextLine]:
        """Find and read the lines of a page without another detector."""
        try:
            with self._lock:
                found = self._reader.readtext(image, detail=1)
        except (RuntimeError, ValueError) as error:
            raise ReaderFailure("EasyOCR failed") from error
        return [TextLine(np.asarray(box, np.float32), text, float(score)) for box, text, score in found if text.strip()]

    def _read_line(self, crop: Image) -> LineReading:
        try:
            parts = self._reader.recognize(crop, detail=1)
        except (RuntimeError, ValueError) as error:
            raise ReaderFailure("EasyOCR failed") from error
        score = min((part[2] for part in parts), default=0.0)
        return LineReading(" ".join(part[1] for part in parts), float(score))


def open_easyocr() -> EasyOcrReader:
    """EasyOCR for Vietnamese and English on the CPU, with weights that it downloaded before.

    Raises:
        ReaderFailure: it is not installed, or its weights are not there.
    """
    try:
        import easyocr  # optional: only where it is asked for

        reader = easyocr.Reader(["vi", "en"], gpu=False, download_enabled=False, verbose=False)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise ReaderFailure(f"EasyOCR cannot be loaded: {error}") from error
    return EasyOcrReader(cast(_EasyOcr, reader))

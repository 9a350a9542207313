"""EasyOCR as a line reader, for those who have installed it themselves: it needs torch, about 6 GB with its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.core.ocr.merge import Reading
from app.core.types import Image


class _EasyOcr(Protocol):
    """The part of ``easyocr.Reader`` used here."""

    def recognize(self, image: Image, *, detail: int) -> list[tuple[object, str, float]]: ...


class EasyOcrReader:
    """Args: reader: an ``easyocr.Reader(["vi", "en"])``."""

    name = "easyocr"

    def __init__(self, reader: _EasyOcr) -> None:
        self._reader = reader

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        """See ``LineReader.read``."""
        readings = []
        for crop in crops:
            parts = self._reader.recognize(crop, detail=1)
            score = min((part[2] for part in parts), default=0.0)
            readings.append(Reading(" ".join(part[1] for part in parts), score))
        return readings

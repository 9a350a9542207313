"""Tesseract through tesserocr: reads where PaddleOCR cannot be loaded, fails, or is unsure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from app.core.ocr.merge import LineReading
from app.core.ocr.readers import ReaderFailure
from app.types import FloatArray, Image, TextLine

_LINE_HEIGHT_PX = 48
"""Tesseract's networks want letters of about 30 px."""

_MARGIN_PX = 10
_MIN_PAGE_CONFIDENCE = 0.3


class _Api(Protocol):
    """The part of ``tesserocr.PyTessBaseAPI`` used here; the names are its own."""

    def SetImageBytes(  # noqa: N802
        self, data: bytes, width: int, height: int, bytes_per_pixel: int, bytes_per_line: int
    ) -> None: ...
    def GetUTF8Text(self) -> str: ...  # noqa: N802
    def MeanTextConf(self) -> int: ...  # noqa: N802
    def SetPageSegMode(self, mode: int) -> None: ...  # noqa: N802
    def GetComponentImages(self, level: int, text_only: bool) -> list[tuple[object, dict[str, int], int, int]]: ...  # noqa: N802
    def SetRectangle(self, left: int, top: int, width: int, height: int) -> None: ...  # noqa: N802
    def End(self) -> None: ...  # noqa: N802


class TesseractReader:
    """Thread-safe: one call at a time.

    Args:
        tessdata_dir: holds ``vie.traineddata`` and ``eng.traineddata``.
        languages: as Tesseract writes them.

    Raises:
        ReaderFailure: tesserocr or the language data are missing.
    """

    name = "tesseract"

    def __init__(self, tessdata_dir: Path, *, languages: str = "vie+eng") -> None:
        try:
            import tesserocr  # optional: only where the fallback is loaded

            self._api: _Api = tesserocr.PyTessBaseAPI(path=str(tessdata_dir), lang=languages)
        except (ImportError, RuntimeError) as error:
            raise ReaderFailure(f"Tesseract cannot be loaded: {error}") from error
        self._line_mode = int(tesserocr.PSM.SINGLE_LINE)
        self._page_mode = int(tesserocr.PSM.SPARSE_TEXT)
        self._line_level = int(tesserocr.RIL.TEXTLINE)
        self._lock = threading.Lock()

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        """See ``LineReader.read``."""
        with self._lock:
            self._api.SetPageSegMode(self._line_mode)
            return [self._read_line(crop) for crop in crops]

    def read_page(self, image: Image) -> list[TextLine]:
        """Find and read the lines of a page without another detector."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        with self._lock:
            self._api.SetPageSegMode(self._page_mode)
            self._set(grey)
            boxes = [box for _, box, _, _ in self._api.GetComponentImages(self._line_level, True)]
            self._api.SetPageSegMode(self._line_mode)
            lines = []
            for box in boxes:
                self._api.SetRectangle(*_with_margin(box, grey.shape))
                text, score = self._api.GetUTF8Text().strip(), self._api.MeanTextConf() / 100.0
                if text and score >= _MIN_PAGE_CONFIDENCE:
                    lines.append(TextLine(_polygon(box), " ".join(text.split()), score))
        return lines

    def close(self) -> None:
        """Free Tesseract's memory; the reader cannot be used afterwards."""
        self._api.End()

    def _read_line(self, crop: Image) -> LineReading:
        scale = _LINE_HEIGHT_PX / crop.shape[0]
        grey = cv2.resize(
            cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
        )
        self._set(cv2.copyMakeBorder(grey, *(_MARGIN_PX,) * 4, cv2.BORDER_REPLICATE))
        return LineReading(" ".join(self._api.GetUTF8Text().split()), self._api.MeanTextConf() / 100.0)

    def _set(self, grey: np.ndarray) -> None:
        height, width = grey.shape
        self._api.SetImageBytes(np.ascontiguousarray(grey, np.uint8).tobytes(), width, height, 1, width)


def _with_margin(box: dict[str, int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """``x, y, width, height`` with a quarter of the line's height around it: Tesseract cuts tone marks off."""
    margin = max(box["h"] // 4, 2)
    x, y = max(box["x"] - margin, 0), max(box["y"] - margin, 0)
    return x, y, min(box["w"] + 2 * margin, shape[1] - x), min(box["h"] + 2 * margin, shape[0] - y)


def _polygon(box: dict[str, int]) -> FloatArray:
    x1, y1, x2, y2 = box["x"], box["y"], box["x"] + box["w"], box["y"] + box["h"]
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)

"""A page's text: one detection, read by two recognisers, turned the right way up, with a fallback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.core.einvoices.qr import InvoiceCode
from app.core.ocr.issuers.base import SecondLanguage
from app.core.ocr.issuers.registry import second_languages
from app.core.ocr.merge import LineReading, merge, needs_second_reading
from app.core.ocr.orientation import is_sideways, looks_upside_down, rotate_image, rotate_polygons, runs_level
from app.core.ocr.polarity import is_light_on_dark
from app.core.ocr.readers import LineDetector, LineReader, ReaderFailure, crop_line
from app.types import FloatArray, Image, TextLine
from app.utils.logging import logger

_UNSURE_PAGE = 0.60
"""Below this mean line score another reader may well do better; clear pages score 0.95, blurred ones 0.8."""

_MIN_LINE_SCORE = 0.45
"""Readings below this are background: patterns, logos, fingers."""


@dataclass(frozen=True, slots=True)
class SecondReader:
    """Reads the lines of pages in a language whose letters the first reader has not all of."""

    language: SecondLanguage
    reader: LineReader


class PageFallback(Protocol):
    """Reads crops, or a whole page where no detector is at hand."""

    @property
    def name(self) -> str: ...

    def read(self, crops: Sequence[Image]) -> list[LineReading]: ...

    def read_page(self, image: Image) -> list[TextLine]: ...


@dataclass(frozen=True, slots=True)
class PageText:
    """What stands on a page.

    Attributes:
        lines: polygons are px of ``image``.
        image: the page turned the right way up, BGR; of one in dark mode the negative.
        rotation_deg: by how much the given picture was turned, clockwise: 0, 90, 180 or 270.
        engine: who read it: ``paddleocr``, ``tesseract``, ``easyocr`` or ``pdf_text``.
        vietnamese: whether it was taken for a Vietnamese text.
        codes: the e-invoices that codes on the page stand for.
        contradicts_layer: whether it was read from the picture because the text layer says something else.
    """

    lines: tuple[TextLine, ...]
    image: Image
    rotation_deg: int
    engine: str
    vietnamese: bool
    codes: tuple[InvoiceCode, ...] = ()
    contradicts_layer: bool = False

    @property
    def score(self) -> float:
        """Mean line score weighted by length, 0 to 1; 0 for an empty page."""
        weights = [len(line.text) for line in self.lines]
        return float(np.average([line.score for line in self.lines], weights=weights)) if sum(weights) else 0.0


class PageReader:
    """Reads pages; synchronous and thread-safe where its parts are.

    Args:
        detector: finds lines; None where only the fallback could be loaded.
        latin: reads digits, codes and unaccented letters best.
        seconds: read other languages; each only asked for lines with letters on pages in its own.
        fallback: reads when the others fail or are unsure.
    """

    def __init__(
        self,
        detector: LineDetector | None,
        *,
        latin: LineReader | None,
        seconds: Sequence[SecondReader] = (),
        fallback: PageFallback | None = None,
    ) -> None:
        if (detector is None or latin is None) and fallback is None:
            raise ValueError("a page reader needs a detector with a reader, or a fallback")
        self._detector = detector
        self._latin = latin
        self._seconds = tuple(seconds)
        self._fallback = fallback

    @property
    def has_fallback(self) -> bool:
        """Whether another reader stands behind the first."""
        return self._fallback is not None

    @property
    def latin(self) -> LineReader | None:
        """The reader for digits and codes, which the machine-readable zone is read with too."""
        return self._latin

    @property
    def detector(self) -> LineDetector | None:
        return self._detector

    def read(self, image: Image, *, language: str | None = None) -> PageText:
        """The text of one page.

        Args:
            language: ``vi``, ``en``, or None to tell by the text.

        Raises:
            ReaderFailure: neither the readers nor the fallback could read.
        """
        if self._detector is None or self._latin is None:
            return self._read_with_fallback(image, language)
        try:
            page = self._read(self._detector, self._latin, image, language)
        except ReaderFailure as error:
            if self._fallback is None:
                raise
            # Without the traceback: its frames hold what was read.
            logger.warning("ocr_reader_failed", reason=type(error.__cause__).__name__)
            return self._read_with_fallback(image, language)
        if page.lines and page.score < _UNSURE_PAGE and self._fallback is not None:
            return self._surer(page, self._fallback)
        return page

    def _read(self, detector: LineDetector, latin: LineReader, image: Image, language: str | None) -> PageText:
        polygons = detector.detect(image)
        rotation = 0
        if is_sideways(polygons):
            image, polygons, rotation = *_turned(image, polygons, 90), 90
        crops = [crop_line(image, polygon) for polygon in polygons]
        if is_light_on_dark(crops):
            image, crops = _inverted(image), [_inverted(crop) for crop in crops]
        readings = latin.read(crops)
        # Of a paper on its side beside a level caption, the paper's lines decide.
        level = [index for index, polygon in enumerate(polygons) if runs_level(polygon)] or range(len(crops))
        if looks_upside_down([crops[index] for index in level], [readings[index] for index in level], latin):
            image, polygons, rotation = *_turned(image, polygons, 180), rotation + 180
            crops = [crop_line(image, polygon) for polygon in polygons]
            readings = latin.read(crops)
        spoken = spoken_language(language, [reading.text for reading in readings])
        for second in self._seconds:
            if second.language.code == spoken:
                readings = _reread(second.reader, crops, readings)
        lines = tuple(
            TextLine(polygon, reading.text.strip(), reading.score)
            for polygon, reading in zip(polygons, readings, strict=True)
            if reading.text.strip() and reading.score >= _MIN_LINE_SCORE
        )
        return PageText(lines, image, rotation, latin.name, spoken == "vi")

    def _surer(self, page: PageText, fallback: PageFallback) -> PageText:
        """The fallback's reading of the same lines where its scores are better."""
        readings = fallback.read([crop_line(page.image, line.polygon) for line in page.lines])
        lines = tuple(
            TextLine(line.polygon, reading.text, reading.score)
            for line, reading in zip(page.lines, readings, strict=True)
            if reading.text
        )
        other = PageText(lines, page.image, page.rotation_deg, fallback.name, page.vietnamese)
        return other if other.score > page.score else page

    def _read_with_fallback(self, image: Image, language: str | None) -> PageText:
        if self._fallback is None:
            raise ReaderFailure("no reader is loaded")
        lines = tuple(self._fallback.read_page(image))
        spoken = spoken_language(language, [line.text for line in lines])
        return PageText(lines, image, 0, self._fallback.name, spoken == "vi")


def spoken_language(asked: str | None, texts: Sequence[str]) -> str | None:
    """The language asked for, else the one of an issuer that the page's lines are in; None where they are in none."""
    return asked or next((language.code for language in second_languages() if language.is_spoken(texts)), None)


def _reread(reader: LineReader, crops: Sequence[Image], readings: Sequence[LineReading]) -> list[LineReading]:
    wanted = [index for index, reading in enumerate(readings) if needs_second_reading(reading.text)]
    merged = list(readings)
    for index, second in zip(wanted, reader.read([crops[index] for index in wanted]), strict=True):
        merged[index] = merge(readings[index], second)
    return merged


def _inverted(image: Image) -> Image:
    return np.asarray(255 - image, np.uint8)


def _turned(image: Image, polygons: Sequence[FloatArray], degrees: int) -> tuple[Image, list[FloatArray]]:
    height, width = image.shape[:2]
    return rotate_image(image, degrees), rotate_polygons(polygons, degrees, width=width, height=height)

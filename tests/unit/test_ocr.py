"""The shipped readers on synthetic pages: what they read, how they agree, what they do with nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.ocr.merge import LineReading
from app.core.ocr.page_reader import PageReader
from app.core.ocr.readers import ReaderFailure
from app.core.ocr.tesseract import TesseractReader
from app.core.ocr_engine import OCREngine, SourcePage
from app.errors import ModelUnavailable
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import FloatArray, Image, TextLine
from synthetic_documents import (
    citizen_card_2021,
    degraded,
    on_screen,
    passport,
    photographed,
    vat_invoice,
)

pytestmark = pytest.mark.slow


class WholePage:
    """A detector that finds one line everywhere."""

    def detect(self, image: Image) -> list[FloatArray]:
        height, width = image.shape[:2]
        return [np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)]


TODAY = date(2026, 6, 1)


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    """The compact pack's files, all of which have to be right."""
    loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    if not (WEIGHTS_DIR / "compact").is_dir():
        pytest.skip("the compact pack is not installed: python scripts/download_models.py --pack compact")
    return loader


@pytest.fixture(scope="module")
def engine(loader: ModelLoader) -> OCREngine:
    return build_ocr_engine(loader, threads=1)


def test_an_invoice_is_read_from_its_picture(engine: OCREngine) -> None:
    document = vat_invoice(21, "bill")
    [reading] = engine.read_invoices([SourcePage(photographed(document.image, 21))], today=TODAY)
    assert reading.engine == "paddleocr"
    assert reading.invoice is not None
    assert str(reading.invoice.total) == document.fields["total_amount"]
    assert reading.invoice.date is not None
    assert reading.invoice.date.isoformat() == document.fields["date"]
    assert [item.amount for item in reading.invoice.items] == [item.amount for item in document.items]


def test_vietnamese_is_read_with_its_diacritics(engine: OCREngine) -> None:
    document = citizen_card_2021(22, with_qr=False)
    reading = engine.read_identity([SourcePage(photographed(document.image, 22))], today=TODAY)
    assert reading.identity is not None
    assert reading.identity.fields["full_name"].value == document.fields["full_name"]
    assert reading.identity.fields["id_number"].value == document.fields["id_number"]


def test_a_damaged_picture_of_a_passport_is_read_by_its_check_digits(engine: OCREngine) -> None:
    document = passport(23)
    reading = engine.read_identity([SourcePage(degraded(document.image, 23))], today=TODAY)
    assert reading.identity is not None
    for field in ("id_number", "date_of_birth", "expiry_date", "gender"):
        assert reading.identity.fields[field].value == document.fields[field], field


def test_two_passports_on_one_picture_are_refused(engine: OCREngine) -> None:
    both = np.vstack([passport(23).image, passport(28).image])
    assert engine.read_identity([SourcePage(both)], today=TODAY).reason == "several_documents"


def test_front_and_back_make_one_card(engine: OCREngine) -> None:
    document = citizen_card_2021(24, with_qr=False)
    assert document.back is not None
    pages = [SourcePage(document.image), SourcePage(document.back)]
    reading = engine.read_identity(pages, today=TODAY)
    assert reading.reason is None
    assert reading.identity is not None
    assert reading.identity.fields["expiry_date"].value == document.fields["expiry_date"]
    assert "issue_date" in reading.identity.fields


def test_nothing_is_read_from_a_blank_page(engine: OCREngine) -> None:
    blank = [SourcePage(np.full((300, 400, 3), 255, np.uint8))]
    assert engine.read_invoices(blank, today=TODAY)[0].reason == "no_text_found"
    assert engine.read_identity(blank, today=TODAY).reason == "no_text_found"


def fallback_only(folder: Path) -> ModelLoader:
    """The compact pack as a disk leaves it on which only Tesseract's languages are sound."""
    (folder / "compact").mkdir()
    (folder / "compact" / "ocr_fallback").symlink_to(WEIGHTS_DIR / "compact" / "ocr_fallback")
    return ModelLoader(load_pack("compact"), folder)


def test_tesseract_reads_where_paddleocr_cannot_be_loaded(loader: ModelLoader, tmp_path: Path) -> None:
    assert loader.path("ocr_fallback_vi").is_file()
    lonely = fallback_only(tmp_path)
    engine = build_ocr_engine(lonely, threads=1)
    assert set(lonely.providers()) == {"ocr_fallback_vi", "ocr_fallback_en"}
    invoice = vat_invoice(25, "bill")
    [reading] = engine.read_invoices([SourcePage(photographed(invoice.image, 25))], today=TODAY)
    assert reading.engine == "tesseract"
    assert reading.invoice is not None
    assert str(reading.invoice.total) == invoice.fields["total_amount"]
    card = citizen_card_2021(25, with_qr=False)
    paper = engine.read_identity([SourcePage(photographed(card.image, 25))], today=TODAY)
    assert paper.engine == "tesseract"
    assert paper.identity is not None
    assert paper.identity.fields["full_name"].value == card.fields["full_name"]


def test_tesseract_reads_where_paddleocr_fails(loader: ModelLoader) -> None:
    class Broken:
        name = "paddleocr"

        def read(self, _: Sequence[Image]) -> list[LineReading]:
            raise ReaderFailure("text recognition failed") from MemoryError()

    fallback = TesseractReader(loader.path("ocr_fallback_vi").parent)
    document = vat_invoice(26, "open")
    page = PageReader(WholePage(), latin=Broken(), fallback=fallback).read(document.image)
    assert page.engine == "tesseract"
    assert document.fields["vendor_tax_code"] in " ".join(line.text for line in page.lines)
    fallback.close()


def test_languages_of_tesseract_that_are_missing_leave_paddleocr_alone(loader: ModelLoader, tmp_path: Path) -> None:
    assert loader.path("ocr_recognition_vi").is_file()
    shutil.copytree(WEIGHTS_DIR / "compact", tmp_path / "compact", ignore=shutil.ignore_patterns("ocr_fallback", ".*"))
    engine = build_ocr_engine(ModelLoader(load_pack("compact"), tmp_path), threads=1)
    assert engine.read_text([SourcePage(citizen_card_2021(27).image)])[0].engine == "paddleocr"


def test_without_any_reader_the_error_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "compact").mkdir()
    with pytest.raises(ModelUnavailable, match="cv models install"):
        build_ocr_engine(ModelLoader(load_pack("compact"), tmp_path), threads=1)


def test_a_missing_language_is_a_failure_of_the_reader(tmp_path: Path) -> None:
    with pytest.raises(ReaderFailure):
        TesseractReader(tmp_path)


@pytest.mark.parametrize(
    ("texts", "language", "vietnamese"),
    [
        (("Rechnung Nr. 17", "Gesamtbetrag 238,00"), None, False),
        (("Cộng tiền hàng: 1.200.000", "Đơn vị bán hàng: CÔNG TY TNHH ABC"), None, True),
        (("Cộng tiền hàng: 1.200.000", "Đơn vị bán hàng: CÔNG TY TNHH ABC"), "en", False),
        (("Tong cong 1.200.000",), "vi", True),
    ],
)
def test_the_language_of_a_text_layer_is_told_by_its_text(
    engine: OCREngine, texts: Sequence[str], language: str | None, vietnamese: bool
) -> None:
    box = np.array([[0, 0], [90, 0], [90, 9], [0, 9]], np.float32)
    page = SourcePage(np.zeros((20, 100, 3), np.uint8), tuple(TextLine(box, text, 1.0) for text in texts))
    [text] = engine.read_text([page], language=language)
    assert (text.engine, text.vietnamese) == ("pdf_text", vietnamese)


def layer_of(engine: OCREngine, image: Image, changed: Mapping[str, str] | None = None) -> tuple[TextLine, ...]:
    """A text layer of what the picture shows, but for the texts that are ``changed``."""
    [read] = engine.read_text([SourcePage(image)])
    assert set(changed or {}) <= {line.text for line in read.lines}
    return tuple(TextLine(line.polygon, (changed or {}).get(line.text, line.text), 1.0) for line in read.lines)


def test_a_text_layer_that_the_page_shows_is_believed(engine: OCREngine) -> None:
    image = vat_invoice(31, "bill").image
    [text] = engine.read_text([SourcePage(image, layer_of(engine, image))])
    assert (text.engine, text.contradicts_layer) == ("pdf_text", False)


def test_a_text_layer_with_another_total_is_not_believed(engine: OCREngine) -> None:
    paper = vat_invoice(31, "bill")
    printed = f"{int(paper.fields['total_amount']):,}".replace(",", ".")
    layer = layer_of(engine, paper.image, {printed: "9" + printed})
    [reading] = engine.read_invoices([SourcePage(paper.image, layer)], today=TODAY)
    assert reading.engine == "paddleocr"
    assert reading.invoice is not None
    assert str(reading.invoice.total) == paper.fields["total_amount"]
    assert "text_layer_differs_from_page" in reading.invoice.warnings


def test_the_text_layer_of_another_page_is_not_believed(engine: OCREngine) -> None:
    shown, hidden = vat_invoice(32, "bill").image, vat_invoice(33, "bill").image
    [text] = engine.read_text([SourcePage(shown, layer_of(engine, hidden))])
    assert (text.engine, text.contradicts_layer) == ("paddleocr", True)


def in_dark_mode(image: Image, seed: int) -> Image:
    return negative(photographed(image, seed))


def in_dark_mode_on_a_screen(image: Image, seed: int) -> Image:
    return on_screen(negative(image), seed)


@pytest.mark.parametrize("shown", [on_screen, in_dark_mode, in_dark_mode_on_a_screen])
def test_screens_are_read_as_paper_is(engine: OCREngine, shown: Callable[[Image, int], Image]) -> None:
    paper = vat_invoice(34, "bill")
    [reading] = engine.read_invoices([SourcePage(shown(paper.image, 34))], today=TODAY)
    assert reading.invoice is not None
    assert str(reading.invoice.total) == paper.fields["total_amount"]
    assert reading.invoice.header.invoice_number == paper.fields["invoice_number"]
    words = set(reading.raw_text.split())
    assert set(paper.fields["vendor"].split()) <= words  # with their tone marks


def test_a_dark_bar_makes_no_dark_page(engine: OCREngine) -> None:
    image = vat_invoice(36, "bill").image.copy()
    image[: image.shape[0] // 4] = negative(image[: image.shape[0] // 4])
    [text] = engine.read_text([SourcePage(image)])
    assert np.array_equal(text.image, image)


def negative(image: Image) -> Image:
    return np.asarray(255 - image, np.uint8)

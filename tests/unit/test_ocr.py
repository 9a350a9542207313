"""The shipped readers on synthetic pages: what they read, how they agree, what they do with nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from app.core.ocr.page_reader import PageReader
from app.core.ocr.readers import ReaderFailure
from app.core.ocr.tesseract import TesseractReader
from app.core.ocr_engine import OCREngine, SourcePage
from app.errors import ModelUnavailable
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from tests.synthetic_documents import (
    citizen_card_2021,
    degraded,
    fonts_are_installed,
    passport,
    photographed,
    vat_invoice,
)

WEIGHTS = Path(__file__).resolve().parents[2] / "app" / "ml_models" / "weights"
TESSDATA = Path("/usr/share/tesseract-ocr/5/tessdata")
TODAY = date(2026, 6, 1)

pytestmark = pytest.mark.skipif(
    not fonts_are_installed(), reason="no font with Vietnamese letters is installed; fonts-dejavu-core is enough"
)


@pytest.fixture(scope="module")
def engine() -> OCREngine:
    """The engine of the compact pack."""
    loader = ModelLoader(load_pack("compact"), WEIGHTS)
    try:
        loader.path("ocr_recognition_vi")
    except ModelUnavailable as error:
        pytest.skip(f"the compact pack is not installed: {error}")
    return build_ocr_engine(loader, threads=1)


def test_an_invoice_is_read_from_its_picture(engine: OCREngine) -> None:
    document = vat_invoice(21, "bill")
    reading = engine.read_invoice([SourcePage(photographed(document.image, 21))], today=TODAY)
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
    assert engine.read_invoice(blank, today=TODAY).reason == "no_text_found"
    assert engine.read_identity(blank, today=TODAY).reason == "no_text_found"


def test_tesseract_reads_a_page_alone() -> None:
    try:
        reader = TesseractReader(TESSDATA)
    except ReaderFailure as error:
        pytest.skip(f"Tesseract with Vietnamese is not installed: {error}")
    document = vat_invoice(25, "bill")
    engine = OCREngine(PageReader(None, latin=None, vietnamese=None, fallback=reader), mrz_reader=None)
    reading = engine.read_invoice([SourcePage(document.image)], today=TODAY)
    assert reading.engine == "tesseract"
    assert reading.invoice is not None
    assert str(reading.invoice.total) == document.fields["total_amount"]
    reader.close()


def test_a_missing_language_is_a_failure_of_the_reader(tmp_path: Path) -> None:
    with pytest.raises(ReaderFailure):
        TesseractReader(tmp_path)

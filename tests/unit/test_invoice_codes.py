"""The QR code of e-invoices: what it says, and when it is believed before print."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import cv2
import numpy as np
import pytest
import zxingcpp

from app.core.einvoices.qr import InvoiceCode, read_invoice_code
from app.core.ocr.invoice import Invoice, read_invoice
from app.core.ocr.invoice_codes import of_codes
from app.core.ocr.layout import arrange
from app.core.ocr.qr import read_invoice_codes
from app.core.ocr.read_value import ReadValue
from app.ml_models.extractor import load_ranker
from tests.unit.test_ocr_parting import ONE, lines_of

GUID = "0032E8D8FE0E7E3E4D499F87F8FBED5B5B09"
TWO_DIGITS = f"0002019997{GUID}01100312345679020110306C26TPP0408000012340508202608030606410500630438CA"
ONE_DIGIT = f"0002019996{GUID}01130312345679001020110306C26TPP0431880508202610120666050006304383C"
NEGATIVE = f"0002019996{GUID}01130312345679001020110306C26TPP043188050820261012067-6050006304383C"
CODE = InvoiceCode("0312345679", "1C26TPP", "00001234", date(2026, 8, 3), Decimal(410_500))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (TWO_DIGITS, CODE),
        (NEGATIVE, InvoiceCode("0312345679-001", "1C26TPP", "188", date(2026, 10, 12), Decimal(-605_000))),
        (ONE_DIGIT, InvoiceCode("0312345679-001", "1C26TPP", "188", date(2026, 10, 12), Decimal(605_000))),
        (TWO_DIGITS.replace("20260803", "20261303"), None),
        (TWO_DIGITS[:60], None),
        ("000201010212381000A0000007270104QRPAY", None),
        ("https://tracuu.vidu.example/1C26TPP", None),
        ("0" * 4000, None),
    ],
    ids=["two digits", "one digit, negative", "one digit", "no day", "cut off", "payment", "link", "long"],
)  # fmt: skip
def test_a_code_is_read_whole_or_not_at_all(text: str, code: InvoiceCode | None) -> None:
    assert read_invoice_code(text) == code


def test_the_code_on_a_page_is_read() -> None:
    drawn = np.array(zxingcpp.create_barcode(TWO_DIGITS, zxingcpp.BarcodeFormat.QRCode).to_image(scale=3))
    page = np.full((900, 700), 255, np.uint8)
    page[40 : 40 + drawn.shape[0], 60 : 60 + drawn.shape[1]] = drawn
    assert read_invoice_codes(np.asarray(cv2.cvtColor(page, cv2.COLOR_GRAY2BGR), np.uint8)) == [CODE]


def invoice() -> Invoice:
    read = read_invoice(arrange(lines_of(*ONE)), load_ranker(), today=date(2026, 11, 28))
    values = {**read.values, "invoice_number": ReadValue("00001234", 0.9)}
    return replace(read, header=replace(read.header, invoice_number="00001234"), values=values)


def test_the_code_wins_over_print_and_fills_what_is_missing() -> None:
    values = {name: value for name, value in invoice().values.items() if name != "date"}
    read = of_codes(replace(invoice(), date=None, values=values, warnings=("date_not_found",)), [CODE])
    assert (read.date, read.total) == (date(2026, 8, 3), Decimal(410_500))
    assert (read.header.serial, read.header.vendor_tax_code) == ("1C26TPP", "0312345679")
    assert read.values["date"] == ReadValue(date(2026, 8, 3), 0.99, of_code=True)
    assert read.warnings == ()


def test_clear_print_that_differs_is_named_and_doubted() -> None:
    read = of_codes(invoice(), [replace(CODE, total=Decimal(99_000))])
    assert read.total == 99_000
    assert read.values["total_amount"].confidence == 0.7
    assert "qr_differs_from_page" in read.warnings


def test_another_papers_code_says_nothing() -> None:
    other = InvoiceCode("0312345679", "1C26TPP", "77", date(2026, 9, 9), Decimal(1))
    assert of_codes(invoice(), [other]) == invoice()
    assert of_codes(invoice(), [other, CODE]).values["total_amount"].of_code

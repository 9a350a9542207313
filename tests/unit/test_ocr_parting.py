"""Several invoices in one file or on one photo, and one invoice over several pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from app.core.ocr.invoice import Invoice, read_invoice
from app.core.ocr.layout import Page
from app.core.ocr.page_reader import PageText
from app.core.ocr.parting import DocumentPages, part_documents
from app.ml_models.extractor import load_ranker
from app.types import TextLine

TODAY = date(2026, 11, 28)
RANKER = load_ranker()


def lines_of(*rows: Sequence[tuple[float, str]], x: float = 0.0, y: float = 0.0) -> tuple[TextLine, ...]:
    """Rows of ``(x, text)`` 40 px apart, letters 20 px high."""
    found = []
    for index, row in enumerate(rows):
        top = y + 40.0 * index
        for offset, text in row:
            left, right = x + offset, x + offset + 11.0 * len(text)
            corners = [[left, top], [right, top], [right, top + 20], [left, top + 20]]
            found.append(TextLine(np.array(corners, np.float32), text, 0.97))
    return tuple(found)


def receipt(shop: str, number: str, day: str, total: str) -> list[list[tuple[float, str]]]:
    return [
        [(120, shop)],
        [(140, "12 Trần Phú, Nha Trang")],
        [(120, "HÓA ĐƠN BÁN HÀNG")],
        [(20, f"Số HĐ: {number}")],
        [(20, f"Ngày: {day} 10:15")],
        [(20, "Cà phê sữa"), (300, "2"), (420, total)],
        [(20, "Tổng tiền hàng"), (420, total)],
        [(20, "Tổng cộng"), (420, total)],
        [(20, "Tiền mặt"), (420, total)],
        [(120, "Cảm ơn quý khách")],
    ]


ONE = receipt("NHÀ HÀNG BIỂN XANH", "HD001234", "03/08/2026", "410.500")
OTHER = receipt("SIÊU THỊ MẶT TRỜI", "HD009876", "09/08/2026", "222.000")


def page(lines: Sequence[TextLine]) -> PageText:
    return PageText(tuple(lines), np.zeros((1200, 1400, 3), np.uint8), 0, "paddleocr", vietnamese=True)


def read(_: PageText, found: Page) -> Invoice:
    return read_invoice(found, RANKER, today=TODAY, vietnamese=True)


def texts_of(documents: Sequence[DocumentPages]) -> list[set[str]]:
    return [{line.text for sheet in document.texts for line in sheet.lines} for document in documents]


def words(rows: Sequence[Sequence[tuple[float, str]]]) -> set[str]:
    return {text for row in rows for _, text in row}


@pytest.mark.parametrize(
    "pages",
    [
        [page(lines_of(*ONE)), page(lines_of(*OTHER))],
        [page((*lines_of(*ONE), *lines_of(*OTHER, x=640, y=15)))],
        [page((*lines_of(*ONE), *lines_of(*OTHER, y=480)))],
    ],
    ids=["a page each", "side by side", "below one another"],
)
def test_two_documents_are_parted(pages: Sequence[PageText]) -> None:
    assert texts_of(part_documents(pages, read)) == [words(ONE), words(OTHER)]


def test_pages_of_one_number_are_one_paper() -> None:
    repeated = receipt("NHÀ HÀNG BIỂN XANH", "HD001234", "03/08/2026", "99.000")
    assert len(part_documents([page(lines_of(*ONE)), page(lines_of(*repeated))], read)) == 1


def test_a_page_that_is_no_paper_by_itself_belongs_to_the_one_before() -> None:
    terms = [[(20, "Điều khoản")], [(20, "Hàng mua rồi không đổi trả")], [(20, "Liên hệ 1900 1234")]]
    pages = [page(lines_of(*ONE)), page(lines_of(*terms)), page(lines_of(*OTHER))]
    assert texts_of(part_documents(pages, read)) == [words(ONE) | words(terms), words(OTHER)]


def test_one_paper_is_left_as_it_is() -> None:
    text = page(lines_of(*ONE))
    assert part_documents([text], read) == [DocumentPages((text,))]


class CountedReader:
    """Reads as ``read`` does, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, text: PageText, found: Page) -> Invoice:
        self.count += 1
        return read(text, found)


def test_a_paper_of_one_page_comes_with_what_it_says() -> None:
    reader = CountedReader()
    documents = part_documents([page(lines_of(*ONE)), page(lines_of(*OTHER))], reader)
    numbers = [document.invoice and document.invoice.header.invoice_number for document in documents]
    assert (numbers, reader.count) == (["HD001234", "HD009876"], 2)


@pytest.mark.parametrize("mark", ["Trang 2/2", "Page 2 of 2"])
def test_a_page_that_calls_itself_a_later_one_is_not_read_alone(mark: str) -> None:
    reader = CountedReader()
    documents = part_documents([page(lines_of(*ONE)), page(lines_of(*OTHER, [(20, mark)]))], reader)
    assert (len(documents), reader.count) == (1, 0)


def test_one_paper_in_columns_is_not_read_to_part_it() -> None:
    reader = CountedReader()
    columns = [[(20, "Tổng cộng"), (420, "410.500")], *([(20, "Cà phê"), (420, "20.000")] for _ in range(5))]
    assert len(part_documents([page(lines_of(*ONE[:5], *columns))], reader)) == 1
    assert reader.count == 0

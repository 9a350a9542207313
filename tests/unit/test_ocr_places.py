"""Where the values of an invoice are printed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from app.core.ocr.page_reader import PageText
from app.core.ocr.places import PrintedPlace, places_of
from app.core.ocr.read_value import ReadValue
from app.types import TextLine


def page(*texts: str, rotation_deg: int = 0) -> PageText:
    """200 wide and 400 high, a line of 100 by 20 every 40 px from (20, 40)."""
    lines = [
        TextLine(np.array([[20, y], [120, y], [120, y + 20], [20, y + 20]], np.float32), text, 0.9)
        for text, y in zip(texts, range(40, 400, 40), strict=False)
    ]
    image = np.zeros((400, 200, 3), np.uint8)
    return PageText(tuple(lines), image, rotation_deg, "paddleocr", vietnamese=True)


def lines_of(value: str | Decimal | date, *texts: str) -> list[int]:
    """Which of the lines are said to print the value."""
    found = places_of({"it": ReadValue(value, 0.9)}, [(1, page(*texts))])["it"]
    return [round(place.y * 10) - 1 for place in found]


@pytest.mark.parametrize(
    ("value", "texts", "lines"),
    [
        (Decimal(1166400), ("Tổng cộng: 1.166.400 đ", "Tiền hàng 1.080.000", "Khách đưa 1,166,400"), [0, 2]),
        (Decimal("12.50"), ("TOTAL 12.50", "TOTAL 112.50", "12.5 kg"), [0, 2]),
        (Decimal(145000), ("Tổng 145k",), [0]),
        (date(2025, 1, 17), ("Ngày 17 tháng 01 năm 2025", "17/01/2025", "17/02/2025", "2025"), [0, 1]),
        ("0001234", ("Số: 0001234", "00012345", "C22TAA"), [0]),
        ("Công ty Hoa Sen", ("CÔNG TY HOA SEN", "Hoa Sen"), [0]),
        ("VND", ("a VND",) * 6, []),  # everywhere
        ("Công ty Hoa Sen", ("Cty H. Sen",), []),  # printed otherwise
        ("請", ("請求書",), []),
    ],
)
def test_a_line_that_says_the_value_is_its_place(
    value: str | Decimal | date, texts: tuple[str, ...], lines: list[int]
) -> None:
    assert lines_of(value, *texts) == lines


def test_what_a_code_says_is_printed_nowhere() -> None:
    read = {"total_amount": ReadValue(Decimal(5000), 1.0, of_code=True)}
    assert places_of(read, [(1, page("Tổng 5.000"))]) == {"total_amount": ()}


@pytest.mark.parametrize(
    ("rotation_deg", "place"),
    [
        (0, PrintedPlace(2, 0.1, 0.1, 0.5, 0.05)),
        (90, PrintedPlace(2, 0.1, 0.4, 0.05, 0.5)),
        (180, PrintedPlace(2, 0.4, 0.85, 0.5, 0.05)),
        (270, PrintedPlace(2, 0.85, 0.1, 0.05, 0.5)),
    ],
)
def test_a_place_is_of_the_page_as_it_was_given(rotation_deg: int, place: PrintedPlace) -> None:
    """Which lay on its side, or upside down, before it was read."""
    [found] = places_of({"it": ReadValue("0001234", 1.0)}, [(2, page("0001234", rotation_deg=rotation_deg))])["it"]
    assert found == place

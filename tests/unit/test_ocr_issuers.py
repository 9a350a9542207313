"""The papers of each country, by its profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.ocr.identity import IdentityDocument, fuse
from app.core.ocr.issuers.base import DocumentType, Issuer
from app.core.ocr.issuers.languages import LABELS
from app.core.ocr.issuers.registry import all_issuers, issuer_of_page, labels_of
from app.core.ocr.issuers.th import find_identity_numbers, in_gregorian_calendar
from app.core.ocr.issuers.vn import PROFILE as VIETNAM
from app.core.ocr.layout import arrange
from app.core.ocr.text import fold
from app.types import TextLine

TODAY = date(2026, 11, 28)
Rows = Sequence[Sequence[tuple[float, str]]]


def page_of(rows: Rows) -> list[TextLine]:
    """Rows of ``(x, text)`` 40 px apart, letters 20 px high."""
    return [
        TextLine(
            np.array([[x, y], [x + 11 * len(text), y], [x + 11 * len(text), y + 20], [x, y + 20]], np.float32),
            text,
            0.97,
        )
        for y, row in ((40.0 * index, row) for index, row in enumerate(rows))
        for x, text in row
    ]


def read(rows: Rows) -> IdentityDocument:
    return fuse(arrange(page_of(rows)), codes=[], zones=[], today=TODAY)


def values_of(identity: IdentityDocument) -> dict[str, str]:
    return {name: field.value for name, field in identity.fields.items()}


def test_every_profile_names_fields_that_are_known() -> None:
    known = {name for labels in LABELS.values() for name in labels}
    assert {issuer.country for issuer in all_issuers()} >= {"VN", "TH"}
    for issuer in all_issuers():
        assert set(issuer.labels) <= known
        assert set(issuer.languages) <= set(LABELS)
        assert len(issuer.country) == 2
        assert len(issuer.code) == 3


@pytest.mark.parametrize("issuer", [*all_issuers()], ids=lambda issuer: issuer.country)
def test_labels_are_folded(issuer: Issuer) -> None:
    texts = [text for labels in (issuer.labels, *LABELS.values()) for names in labels.values() for text in names]
    latin = [text for text in texts if text[0].isascii()]
    assert [text for text in latin if fold(text) != text or "  " in text] == []


# Vietnam: a name is never cut by a label that it resembles.

SURNAMES = (
    "NGUYỄN", "TRẦN", "LÊ", "PHẠM", "HOÀNG", "HUỲNH", "PHAN", "VŨ", "VÕ", "ĐẶNG", "BÙI", "ĐỖ", "HỒ", "NGÔ",
    "DƯƠNG", "LÝ", "ĐINH", "TRỊNH", "MAI", "TẠ", "QUÁCH", "LƯU", "ĐOÀN", "ĐÀO", "TRƯƠNG", "LÂM", "PHÙNG", "HÀ",
    "CHÂU", "CAO", "TÔ", "THÁI", "CHU", "TỐNG", "LA", "KIỀU", "VƯƠNG", "TRIỆU", "HỨA", "NGHIÊM", "LƯƠNG",
    "TÔN NỮ", "HẠ", "NHỮ", "THÂN", "VI", "SÙNG",
)  # fmt: skip
GIVEN_NAMES = (
    "QUỐC KHÁNH", "VĂN TÊN", "THỊ HẠNH", "QUÁN", "NAM", "NGỌC NỮ", "THỊ SINH", "HỌ", "VĂN TRÚ", "CẤP", "QUÂN",
    "THỊ NƠI", "QUỐC TỊCH", "HẠNG", "GIỚI", "ANH", "THỊ MỸ DUYÊN", "VĂN A", "LOAN", "KHAI SINH", "THỊ QUÊ",
    "MINH ĐỨC", "THÀNH", "SỐ", "GIÁ TRỊ", "TÂM", "VĂN CHỦ", "NGUYÊN", "VIỆT", "THỊ HOA", "ĐỆM",
)  # fmt: skip


def beside(label: str, name: str) -> Rows:
    return [[(300, "CĂN CƯỚC CÔNG DÂN")], [(300, f"{label} {name}")], [(300, "Ngày sinh 12/05/1990")]]


def glued(label: str, name: str) -> Rows:
    return [[(300, "CĂN CƯỚC CÔNG DÂN")], [(300, f"{label}{name}")], [(300, "Ngày sinh 12/05/1990")]]


def in_two_cells(label: str, name: str) -> Rows:
    return [
        [(300, "GIẤY CHỨNG MINH NHÂN DÂN")],
        [(300, label), (330 + 11 * len(label), name)],
        [(300, "Sinh ngày"), (460, "12-05-1990")],
        [(300, "Nguyên quán"), (460, "Gia Lâm, Hà Nội")],
    ]


def below(label: str, name: str) -> Rows:
    return [
        [(300, "CĂN CƯỚC CÔNG DÂN")],
        [(300, f"{label} / Full name:")],
        [(300, name)],
        [(300, "Ngày sinh / Date of birth: 12/05/1990")],
        [(300, "Giới tính / Sex: Nam"), (600, "Quốc tịch / Nationality: Việt Nam")],
    ]


LAYOUTS: tuple[Callable[[str, str], Rows], ...] = (beside, in_two_cells, below)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SURNAMES),
    st.sampled_from(GIVEN_NAMES),
    st.sampled_from(("Họ tên", "Họ và tên", "Họ, chữ đệm và tên khai sinh", "Họ và tên khai sinh", "Ho ten")),
    st.sampled_from(("", ":", " :")),
    st.sampled_from(LAYOUTS),
)
def test_no_part_of_a_name_is_taken_for_a_label(
    surname: str, given_name: str, label: str, mark: str, layout: Callable[[str, str], Rows]
) -> None:
    read_name = values_of(read(layout(label + mark, f"{surname} {given_name}"))).get("full_name")
    assert fold(read_name or "") == fold(f"{surname} {given_name}")


@pytest.mark.parametrize("surname", SURNAMES)
def test_a_name_whose_space_was_lost_keeps_its_surname(surname: str) -> None:
    assert fold(values_of(read(glued("Họ tên", f"{surname} VĂN BÌNH")))["full_name"]) == fold(f"{surname} VĂN BÌNH")


def test_a_name_written_small_behind_a_colon_is_no_label() -> None:
    assert values_of(read(beside("Họ và tên:", "Nguyễn Quán")))["full_name"] == "NGUYỄN QUÁN"


def test_a_page_in_vietnamese_is_read_by_its_profile() -> None:
    assert issuer_of_page(arrange(page_of(beside("Họ tên", "PHẠM AN")))) is VIETNAM
    assert labels_of(VIETNAM) is labels_of(VIETNAM)


# Thailand

THAI_CARD: Rows = [
    [(300, "Thai National ID Card")],
    [(300, "Identification Number"), (600, "1 1014 00123 45 1")],
    [(300, "Name"), (400, "Mr. Somchai")],
    [(300, "Last name"), (450, "Jaidee")],
    [(300, "Date of Birth 5 May 1992")],
    [(300, "25 ก.ค. 2555")],
    [(300, "Date of Issue"), (500, "25 Jul. 2555")],
    [(300, "Date of Expiry"), (500, "4 May 2564")],
]


def test_a_thai_card_is_read() -> None:
    identity = read(THAI_CARD)
    assert identity.document_type is DocumentType.ID_CARD
    assert values_of(identity) == {
        "id_number": "1101400123451",
        "full_name": "JAIDEE SOMCHAI",
        "date_of_birth": "1992-05-05",
        "issue_date": "2012-07-25",
        "expiry_date": "2021-05-04",
    }
    assert identity.warnings == ("document_expired",)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1 1014 00123 45 1", ["1101400123451"]),
        ("1-1014-00123-45-1", ["1101400123451"]),
        ("1101400123452", []),
        ("0101400123452", []),
        ("11014001234510", []),
    ],
)
def test_thai_numbers_are_held_against_their_check_digit(text: str, numbers: list[str]) -> None:
    assert find_identity_numbers(text) == numbers


@pytest.mark.parametrize(
    ("text", "gregorian"),
    [("25 ก.ค. 2555", "25/7/2012"), ("5 May 2535", "5 May 1992"), ("5 May 1992", "5 May 1992"), ("2310", "2310")],
)
def test_buddhist_years_become_gregorian(text: str, gregorian: str) -> None:
    assert in_gregorian_calendar(text) == gregorian

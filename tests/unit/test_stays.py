"""Guests' records: what papers make of them, what is missing, what does not fit, and the lists."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from openpyxl import load_workbook

from app.core.stays.forms import FORMS_DIR, load_forms, parse_form
from app.core.stays.record import (
    ReadPaper,
    StayField,
    StayKind,
    changed,
    kind_of,
    missing_of,
    of_papers,
    unsure_of,
    warnings_of,
)
from app.errors import ConfigurationError, InvalidInput
from app.utils.tables import Cell, to_csv, to_xlsx, to_xml

TODAY = date(2026, 6, 1)
GUEST: dict[str, Any] = {
    "full_name": "Anna Eriksson",
    "date_of_birth": "1990-05-15",
    "gender": "Female",
    "nationality": "SWE",
    "document_type": "passport",
    "document_number": "AA1234567",
    "document_expiry": "2030-01-01",
    "visa_number": "VN998877",
    "visa_type": "DL",
    "visa_expiry": "2026-08-01",
    "entry_date": "2026-05-30",
    "entry_port": "Nội Bài",
    "purpose": "tourism",
    "room_number": "201",
    "arrival": "2026-06-01",
    "departure": "2026-06-05",
}


def paper(kind: str | None, confidence: float = 0.95, **fields: str) -> ReadPaper:
    return ReadPaper(kind, {name: StayField(value, confidence, "mrz") for name, value in fields.items()})


def guest(**changes: str | None) -> dict[str, StayField]:
    return changed({}, {**GUEST, **changes})


def test_a_passport_and_its_visa_fill_one_record() -> None:
    passport = paper("passport", id_number="AA1", full_name="ERIKSSON ANNA", date_of_birth="1990-05-15")
    visa = paper("visa", id_number="V77", full_name="ERIKSSON ANNA", expiry_date="2026-08-01")
    record = of_papers([visa, passport])
    assert {name: field.value for name, field in record.items()} == {
        "full_name": "ERIKSSON ANNA",
        "date_of_birth": "1990-05-15",
        "document_type": "passport",
        "document_number": "AA1",
        "visa_number": "V77",
        "visa_expiry": "2026-08-01",
    }


def test_what_two_papers_say_differently_is_unsure() -> None:
    record = of_papers(
        [
            paper("passport", full_name="ERIKSSON ANNA", date_of_birth="1990-05-15"),
            paper("id_card", full_name="ERIKSSON ANNA", date_of_birth="1990-05-16"),
        ]
    )
    assert unsure_of(record) == ["date_of_birth"]


def test_papers_of_two_people_make_no_record() -> None:
    papers = [
        paper("passport", full_name="ERIKSSON ANNA", date_of_birth="1990-05-15"),
        paper("id_card", full_name="TRẦN THỊ BÍCH", date_of_birth="1985-01-02"),
    ]
    with pytest.raises(InvalidInput) as refused:
        of_papers(papers)
    assert refused.value.code == "papers_of_several_people"


def test_a_paper_without_a_known_type_gives_its_fields() -> None:
    assert (
        of_papers([paper(None, full_name="A B"), paper("residence_permit", id_number="7")])["full_name"].value == "A B"
    )


def test_a_complete_foreign_guest_misses_nothing() -> None:
    record = guest()
    assert kind_of(record) is StayKind.FOREIGN
    assert record["nationality"].value == "Swedish"
    assert missing_of(record) == []
    assert warnings_of(record, today=TODAY) == []


def test_each_kind_of_guest_is_asked_for_its_own_fields() -> None:
    assert missing_of(guest(visa_number=None, visa_expiry=None, purpose=None)) == [
        "purpose",
        "visa_number",
        "visa_expiry",
    ]
    assert missing_of(guest(visa_number=None, visa_expiry=None, visa_type="exempt")) == []
    assert missing_of(guest(nationality="Việt Nam", visa_number=None, entry_port=None)) == ["address"]
    assert missing_of(guest(nationality=None)) == ["nationality"]


def test_a_vietnamese_child_needs_no_number() -> None:
    child = guest(nationality="VNM", address="1 Lê Lợi", document_number=None, date_of_birth="2012-06-02")
    assert missing_of(child) == []
    assert warnings_of(child, today=TODAY) == ["guest_under_14"]
    assert missing_of(changed(child, {"date_of_birth": "2012-06-01"})) == ["document_number"]


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"document_expiry": "2026-05-31"}, "document_expired"),
        ({"document_expiry": "2026-06-04"}, "document_shorter_than_stay"),
        ({"visa_expiry": "2026-05-31"}, "visa_expired"),
        ({"visa_expiry": "2026-06-04"}, "visa_shorter_than_stay"),
        ({"entry_date": "2026-06-02"}, "entry_after_arrival"),
        ({"date_of_birth": "2012-06-02"}, "guest_under_14"),
        ({"date_of_birth": "2026-06-02"}, "birth_after_arrival"),
    ],
)
def test_what_does_not_fit_is_a_warning(changes: dict[str, str], warning: str) -> None:
    assert warnings_of(guest(**changes), today=TODAY) == [warning]


def test_the_last_day_of_a_paper_still_counts() -> None:
    assert warnings_of(guest(document_expiry="2026-06-05", visa_expiry="2026-06-05"), today=TODAY) == []


@pytest.mark.parametrize(
    ("departure", "code"), [("2026-05-31", "departure_before_arrival"), ("2027-06-03", "stay_too_long")]
)
def test_dates_that_cannot_be_are_refused(departure: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        guest(departure=departure)
    assert refused.value.code == code


def test_what_a_person_says_replaces_what_was_read_and_null_takes_it_away() -> None:
    read = {"full_name": StayField("ERIKSON", 0.6, "ocr"), "note": StayField("x", 1.0, "person")}
    record = changed(read, {"full_name": "eriksson", "note": None})
    assert record == {"full_name": StayField("ERIKSSON", 1.0, "person")}


def test_our_forms_hold_a_guest_in_the_columns_of_the_lists() -> None:
    forms = load_forms(None)
    vietnamese = guest(nationality="VNM", address="1 Lê Lợi, Huế", full_name="Trần Thị Bích")
    form = forms[StayKind.VIETNAMESE]
    titles = [column.title for column in form.columns]
    assert titles == [
        "STT", "Họ tên", "Ngày sinh", "Giới tính", "Quốc tịch", "Số giấy tờ", "Địa chỉ thường trú", "Ngày đến",
        "Ngày đi", "Phòng", "Ghi chú",
    ]  # fmt: skip
    assert form.rows([vietnamese]) == [
        [1, "TRẦN THỊ BÍCH", "15/05/1990", "Nữ", "Việt Nam", "AA1234567", "1 Lê Lợi, Huế", "01/06/2026", "05/06/2026",
         "201", None]
    ]  # fmt: skip
    foreign = forms[StayKind.FOREIGN]
    row = dict(zip([column.tag for column in foreign.columns], foreign.rows([guest()])[0], strict=True))
    assert row["ma_quoc_tich"] == "SWE"
    assert row["gioi_tinh"] == "F"
    assert (row["so_ho_chieu"], row["loai_ho_chieu"]) == ("AA1234567", "Hộ chiếu")
    assert (row["so_thi_thuc"], row["loai_thi_thuc"], row["han_thi_thuc"]) == ("VN998877", "DL", "01/08/2026")
    assert (row["ngay_nhap_canh"], row["cua_khau"], row["muc_dich"]) == ("30/05/2026", "Nội Bài", "tourism")


def test_a_hotels_own_form_takes_the_place_of_ours(tmp_path: Path) -> None:
    own = 'title = "Own"\nroot = "r"\nrow = "g"\ndate_format = "%Y"\n'
    own += '[[column]]\ntitle = "To"\ntag = "to"\nvalue = "departure"\n'
    (tmp_path / "foreign.toml").write_text(own, encoding="utf-8")
    forms = load_forms(tmp_path)
    assert forms[StayKind.FOREIGN].rows([guest()]) == [["2026"]]
    assert forms[StayKind.VIETNAMESE] == load_forms(None)[StayKind.VIETNAMESE]


@pytest.mark.parametrize(
    "change",
    [
        ('value = "full_name"', 'value = "password"'),
        ('tag = "ho_ten"', 'tag = "a><b"'),
        ('title = "Khách Việt Nam"', 'title = "a/b"'),
        ("date_format", "format"),
        ("[[column]]", "[[columns]]"),
        ('root = "', "root = "),
    ],
)
def test_a_form_that_is_none_stops_the_start(tmp_path: Path, change: tuple[str, str]) -> None:
    text = (FORMS_DIR / "vietnamese.toml").read_text(encoding="utf-8")
    parse_form(text)
    (tmp_path / "vietnamese.toml").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"vietnamese\.toml"):
        load_forms(tmp_path)


def test_a_missing_folder_of_forms_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="STAY_FORMS_DIR"):
        load_forms(tmp_path / "nowhere")


def test_a_name_is_no_formula_in_any_file() -> None:
    rows: list[list[Cell]] = [["=HYPERLINK(1)", 1, None]]
    assert next(csv.reader(io.StringIO(to_csv(["a", "b", "c"], rows).decode("utf-8-sig").split("\r\n")[1])))[0] == (
        "'=HYPERLINK(1)"
    )
    sheet = load_workbook(io.BytesIO(to_xlsx(["a", "b", "c"], rows, title="Guests")))["Guests"]
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=HYPERLINK(1)", "s")


def test_xml_takes_any_text() -> None:
    content = to_xml(["name", "note"], [["<a> & Bích", "\x00\x0bend\ud800"], ["2", None]], root="list", row="guest")
    document = ElementTree.fromstring(content)  # noqa: S314  # our own
    assert [[cell.text for cell in row] for row in document] == [["<a> & Bích", "end"], ["2", None]]

"""Candidates, their labels, the ranker's file, currencies and dates: what invoices of many countries print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from app.core.einvoices.document import DocumentKind
from app.core.ocr.currency import find_currency
from app.core.ocr.extraction.candidates import clean_name, name_candidates
from app.core.ocr.extraction.dates import find_date_readings
from app.core.ocr.extraction.labels import find_labels
from app.core.ocr.extraction.ranker import Ranker, choose
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.invoice import Invoice, read_invoice
from app.core.ocr.layout import Page, arrange
from app.core.ocr.money import find_amounts, find_short_amounts
from app.errors import ConfigurationError
from app.ml_models.extractor import EXTRACTOR_FILE, load_ranker, write_ranker
from app.types import TextLine

TODAY = date(2026, 6, 1)
Rows = Sequence[Sequence[tuple[float, str]]]


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return load_ranker()


def page_of(rows: Rows, *, step_px: float = 40.0) -> Page:
    """Rows of ``(x, text)`` cells, ``step_px`` apart, 20 px high."""
    lines = []
    for y, row in enumerate(rows):
        for x, text in row:
            top, right = 50.0 + step_px * y, x + 10.0 * len(text)
            box = np.array([[x, top], [right, top], [right, top + 20], [x, top + 20]], np.float32)
            lines.append(TextLine(box, text, 0.98))
    return arrange(lines)


def lines_of(*texts: str) -> Page:
    return page_of([[(50.0, text)] for text in texts])


def invoice_of(ranker: Ranker, rows: Rows) -> Invoice:
    return read_invoice(page_of(rows), ranker, today=TODAY, vietnamese=False)


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("1'136.00", "1136.00", None),
        ("CHF 1’136.00", "1136.00", "CHF"),
        ("1,47,500.00", "147500.00", None),
        ("฿3,745.00", "3745.00", "THB"),
        ("合計12,000円", "12000", "JPY"),
        ("A$12.50", "12.50", "AUD"),
        ("Rp 45.000", "45000", "IDR"),
        ("123.45-", "-123.45", None),
        ("(144.00)", "-144.00", None),
        ("25.-", "25", None),
        ("$ 53.82", "53.82", "USD"),
    ],
)
def test_amounts_of_many_countries_are_read(text: str, value: str, currency: str | None) -> None:
    (amount,) = find_amounts(text)
    assert (amount.value, amount.currency) == (Decimal(value), currency)


@pytest.mark.parametrize(
    ("text", "value"), [("145k", 145_000), ("1tr5", 1_500_000), ("1,5tr", 1_500_000), ("12 triệu", 12_000_000)]
)
def test_amounts_written_short_are_read(text: str, value: int) -> None:
    assert [amount.value for amount in find_short_amounts(text)] == [value]


@pytest.mark.parametrize("text", ["10kg", "5km", "k", "12 kilo"])
def test_a_measure_is_no_short_amount(text: str) -> None:
    assert find_short_amounts(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5th of March 2026", "2026-03-05"),
        ("Mar 5, 2026", "2026-03-05"),
        ("1. März 2026", "2026-03-01"),
        ("5 de marzo de 2026", "2026-03-05"),
        ("20260305", "2026-03-05"),
        ("05-Mar-26", "2026-03-05"),
        ("2026年3月5日", "2026-03-05"),
        ("令和8年3月5日", "2026-03-05"),
        ("民國113年05月06日", "2024-05-06"),
        ("15/03/2567", "2024-03-15"),
        ("15 มีนาคม 2567", "2024-03-15"),
        ("10 0CT 2017", "2017-10-10"),
        ("Laden 1 28.10.2022 9:23", "2022-10-28"),
        ("10.14:07-13/08/2020", "2020-08-13"),
        ("Date:23/3/201820:54:50", "2018-03-23"),
        ("699 #0101 13/05/20188:24", "2018-05-13"),
        ("Thời gian:21,10.202014.18 Số HĐ:9810", "2020-10-21"),
    ],
)
def test_dates_of_many_countries_are_read(text: str, expected: str) -> None:
    readings = find_date_readings(text, latest=TODAY, earliest=date(1995, 1, 1))
    assert [reading.value.isoformat() for reading in readings] == [expected]


def test_a_date_of_two_meanings_has_both() -> None:
    readings = find_date_readings("03/04/2020", latest=TODAY, earliest=date(1995, 1, 1))
    assert {reading.value for reading in readings} == {date(2020, 4, 3), date(2020, 3, 4)}
    assert not any(reading.unambiguous for reading in readings)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("TỔNG TIỀN PHẢI T.TOÁN", "due"),
        ("Rechnungsbetrag", "due"),
        ("TONGCONG", "total"),
        ("Invoice Date:", "date"),
        ("Zwischensumme", "subtotal"),
        ("Due Date", "due_date"),
        ("Payable on or before 5/24/2024", "due_date"),
        ("合計", "due"),
    ],
)
def test_labels_are_found_in_many_languages(text: str, kind: str) -> None:
    assert kind in {label.kind for label in find_labels(text)}


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (("Total 22.49 $", "Houston TX 77084", "Sales tax"), "USD"),
        (("Total A$12.50", "ABN 12 345"), "AUD"),
        (("Total HK$ 100.00",), "HKD"),
        (("Tổng cộng 150.000đ",), "VND"),
        (("合計 ¥1,200", "レシート", "東京 ありがとう"), "JPY"),
        (("金额 ¥120.00", "发票", "上海"), "CNY"),
        (("합계 12,000원",), "KRW"),
        (("รวมทั้งสิ้น ฿3,745.00",), "THB"),
        (("Total CHF 47.90", "8001 Zürich"), "CHF"),
        (("Summe 8,62 €",), "EUR"),
        (("Total £10.20",), "GBP"),
        (("TOTAL RM 31.00", "ABC SDN BHD"), "MYR"),
        (("Total Rp 45.000", "Jakarta"), "IDR"),
        (("Total ₹1,939", "GSTIN 29AAA"), "INR"),
        (("Total ₱250.00",), "PHP"),
        (("Total S$ 12.00",), "SGD"),
        (("At betale 99,50 kr", "CVR 12345678", "Danmark"), "DKK"),
        (("Totalt 99,50 kr", "Sverige"), "SEK"),
        (("Total C$ 20.00",), "CAD"),
        (("總計 NT$ 120",), "TWD"),
        (("Zwischensumme 145.60", "Total in Euro 153.26", "Bar-Total 145.60", "CHE-383.911.047 MWST"), "CHF"),
        (("Total $8.20", "Pork $2.70", "Nett Total $8.20", "ABC SDN BHD", "Johor Bahru, Johor"), "MYR"),
        (("Item $10", "Item $10", "Total $85.00", "London, United Kingdom"), "USD"),
        (("TOTAL 3,560", "613-81-80546", "Tel 043-277-3700"), "KRW"),
        (("Total 19,40", "28002 Madrid", "CIF: B03134889"), "EUR"),
        (("Währung: GBP", "Musterstadt Deutschland", "Gesamt 120,00"), "GBP"),
    ],
)
def test_a_currency_is_told_by_its_evidence(texts: tuple[str, ...], code: str) -> None:
    found = find_currency(lines_of(*texts))
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("texts", [("Total 360.00",), ("Total 3,600",), ("Amount 12",)])
def test_without_evidence_there_is_no_currency(texts: tuple[str, ...]) -> None:
    assert find_currency(lines_of(*texts)) is None


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("99 SPEED MART S/B (519537-X)", "99 SPEED MART S/B"),
        ("AEON CO. (M) BHD (126926-H)", "AEON CO. (M) BHD"),
        ("Contoso, Ltd.", "Contoso, Ltd."),
    ],
)
def test_a_registration_number_is_no_part_of_a_name(printed: str, name: str) -> None:
    assert clean_name(printed) == name


@pytest.mark.parametrize(
    ("form", "rest", "name"),
    [
        ("CÔNG TY TNHH", "DU LỊCH HẢI ĐĂNG", "CÔNG TY TNHH DU LỊCH HẢI ĐĂNG"),
        ("CONG TY CO PHAN", "BIEN XANH", "CONG TY CO PHAN BIEN XANH"),
        ("HỘ KINH DOANH", "NGUYỄN VĂN AN", "HỘ KINH DOANH NGUYỄN VĂN AN"),
        ("Đơn vị: CÔNG TY CỔ PHẦN", "BIỂN XANH", "CÔNG TY CỔ PHẦN BIỂN XANH"),
        ("Đơn vị bán hàng: CÔNG TY TNHH MTV", "AN PHÚ", "CÔNG TY TNHH MTV AN PHÚ"),
    ],
)
def test_a_legal_form_alone_is_no_name_and_goes_on_below(form: str, rest: str, name: str) -> None:
    candidates = name_candidates(Sheet(page_of([[(50.0, form)], [(50.0, rest)]], step_px=28)))
    assert {item.value for item in candidates} == {name, rest}


def test_neither_the_number_of_a_till_nor_a_legal_form_is_a_name() -> None:
    texts = "#000002 BAIFU (M) Sdn Bhd", "SDN BHD", "CO. (M) SDN BHD"
    found = [{item.value for item in name_candidates(Sheet(lines_of(text)))} for text in texts]
    assert "BAIFU (M) Sdn Bhd" in found[0]
    assert found[1:] == [set(), set()]


CREDIT_NOTE = (
    [(60.0, "ALBION LINEN LTD")],
    [(60.0, "12 King Street, London W1A 1AA")],
    [(60.0, "VAT No: GB 123 4567 89")],
    [(60.0, "CREDIT NOTE")],
    [(60.0, "Credit note no: CN-2217"), (500.0, "Date: 11 February 2026")],
    [(60.0, "Bill to: Sea View Hotel")],
    [(60.0, "Description"), (500.0, "Amount")],
    [(60.0, "Returned towels"), (500.0, "-£120.00")],
    [(60.0, "Subtotal"), (500.0, "-£120.00")],
    [(60.0, "VAT 20%"), (500.0, "-£24.00")],
    [(60.0, "Total"), (500.0, "-£144.00")],
)


def test_a_credit_note_keeps_its_sign(ranker: Ranker) -> None:
    invoice = invoice_of(ranker, CREDIT_NOTE)
    assert invoice.kind is DocumentKind.CREDIT_NOTE
    assert (invoice.total, invoice.currency) == (Decimal("-144.00"), "GBP")
    assert invoice.date == date(2026, 2, 11)


INVOICE = (
    [(60.0, "Wäscherei Blau GmbH"), (500.0, "RECHNUNG")],
    [(60.0, "Hauptstrasse 5, 10115 Berlin")],
    [(60.0, "USt-IdNr.: DE123456789")],
    [(60.0, "Hotel See AG"), (500.0, "Rechnungsnummer: R-2026-117")],
    [(60.0, "Seestrasse 1, 80331 München"), (500.0, "Rechnungsdatum: 05.03.2026")],
    [(500.0, "Lieferdatum: 01.03.2026")],
    [(500.0, "Fällig am: 04.04.2026")],
    [(60.0, "Pos"), (120.0, "Bezeichnung"), (400.0, "Menge"), (500.0, "Einzelpreis"), (700.0, "Betrag")],
    [(60.0, "1"), (120.0, "Handtücher"), (400.0, "20"), (500.0, "4,50 €"), (700.0, "90,00 €")],
    [(60.0, "2"), (120.0, "Laken"), (400.0, "10"), (500.0, "11,00 €"), (700.0, "110,00 €")],
    [(500.0, "Nettobetrag"), (700.0, "200,00 €")],
    [(500.0, "MwSt. 19%"), (700.0, "38,00 €")],
    [(500.0, "Gesamtbetrag"), (700.0, "238,00 €")],
)


def test_a_german_invoice_is_read(ranker: Ranker) -> None:
    invoice = invoice_of(ranker, INVOICE)
    assert (invoice.total, invoice.subtotal, invoice.tax_amount) == (238, 200, 38)
    assert invoice.date == date(2026, 3, 5)
    assert invoice.values["due_date"].value == date(2026, 4, 4)
    assert (invoice.currency, invoice.header.invoice_number) == ("EUR", "R-2026-117")
    assert invoice.kind is DocumentKind.INVOICE


def test_taxes_of_several_rates_are_added_up(ranker: Ranker) -> None:
    rows = (
        *INVOICE[:10],
        [(500.0, "Nettobetrag"), (700.0, "200,00 €")],
        [(500.0, "MwSt. 7%"), (700.0, "6,30 €")],
        [(500.0, "MwSt. 19%"), (700.0, "20,90 €")],
        [(500.0, "Gesamtbetrag"), (700.0, "227,20 €")],
    )
    invoice = invoice_of(ranker, rows)
    assert (invoice.total, invoice.subtotal, invoice.tax_amount) == (Decimal("227.20"), 200, Decimal("27.20"))


def test_what_is_not_sure_enough_is_null_and_said(ranker: Ranker) -> None:
    invoice = invoice_of(ranker, [[(60.0, "hello there")], [(60.0, "something 12 34")], [(60.0, "and more")]])
    assert (invoice.total, invoice.date) == (None, None)
    assert {"total_not_found", "date_not_found"} <= set(invoice.warnings)


def test_every_value_says_how_sure_it_is(ranker: Ranker) -> None:
    values = invoice_of(ranker, INVOICE).values
    assert {"total_amount", "date", "vendor", "currency", "invoice_number"} <= set(values)
    assert all(0.5 <= read.confidence <= 1 for name, read in values.items() if name != "currency")


def test_a_ranker_is_the_same_after_writing(ranker: Ranker, tmp_path: Path) -> None:
    write_ranker(tmp_path / "invoices.json", ranker, facts={})
    again = load_ranker(tmp_path / "invoices.json")
    features = np.random.default_rng(0).random((5, len(ranker["total"].network.mean))).astype(np.float32)
    first, second = (choose(item["total"], features, list(range(5))) for item in (ranker, again))
    assert first == second


def test_a_damaged_ranker_is_named(tmp_path: Path) -> None:
    (tmp_path / "invoices.json").write_text(EXTRACTOR_FILE.read_text(encoding="utf-8")[:500], encoding="utf-8")
    with pytest.raises(ConfigurationError, match="train_extractor"):
        load_ranker(tmp_path / "invoices.json")


def test_what_was_paid_in_advance_is_part_of_the_total(ranker: Ranker) -> None:
    invoice = invoice_of(
        ranker,
        [
            [(50, "RECHNUNG Nr. 471102 vom 05.06.2018")],
            [(50, "Lieferant GmbH")],
            [(50, "80333 München")],
            [(50, "USt-IdNr. DE123456789")],
            [(50, "Rechnungssumme ohne USt."), (700, "177,49")],
            [(50, "Steuerbetrag"), (710, "20,16")],
            [(50, "Bruttosumme"), (700, "197,65")],
            [(50, "Erhaltene Anzahlungen"), (710, "50,00")],
            [(50, "Zahlbetrag"), (700, "147,65")],
        ],
    )
    assert (invoice.total, invoice.subtotal, invoice.tax_amount) == (
        Decimal("197.65"),
        Decimal("177.49"),
        Decimal("20.16"),
    )


@pytest.mark.parametrize("paid", ["150.00", "-150.00"])
def test_what_a_payment_leaves_is_no_total(ranker: Ranker, paid: str) -> None:
    invoice = invoice_of(
        ranker,
        [
            [(50, "Harbour Supplies Ltd")],
            [(50, "12 High Street, London")],
            [(50, "Invoice No: INV-2041"), (500, "Date: 5 March 2026")],
            [(50, "Description"), (700, "Amount")],
            [(50, "Laundry service March"), (700, "320.00")],
            [(50, "Total"), (700, "320.00")],
            [(50, "Payment received"), (700, paid)],
            [(50, "Balance due"), (700, "170.00")],
        ],
    )
    assert invoice.total == 320


@pytest.mark.parametrize(
    ("sum_label", "old_label", "due_label"),
    [
        ("Total this month (VND)", "Previous unpaid balance", "Amount due"),
        ("Total new charges", "Balance brought forward", "Total due"),
        ("New charges", "Balance brought forward", "Total due"),
        ("Current charges", "Previous balance", "Amount due"),
        ("Rechnungsbetrag", "Saldo alt", "Zahlbetrag"),
        ("Cộng tiền kỳ này", "Nợ kỳ trước", "Tổng cộng phải thanh toán"),
    ],
)
def test_an_old_balance_is_no_part_of_the_total(ranker: Ranker, sum_label: str, old_label: str, due_label: str) -> None:
    invoice = invoice_of(
        ranker,
        [
            [(50, "INVOICE")],
            [(50, "CITY LAUNDRY LLC, Danang")],
            [(50, "Invoice # 2201"), (500, "Date: 30/04/2026")],
            [(50, "Service"), (300, "Qty"), (500, "Price"), (700, "Amount")],
            [(50, "Sheets"), (300, "400"), (500, "6,000"), (700, "2,400,000")],
            [(50, "Towels"), (300, "900"), (500, "2,000"), (700, "1,800,000")],
            [(50, sum_label), (700, "4,200,000")],
            [(50, old_label), (700, "1,000,000")],
            [(50, due_label), (700, "5,200,000")],
        ],
    )
    assert invoice.total == 4_200_000
    assert invoice.tax_amount is None


@pytest.mark.parametrize(
    "row",
    [
        [(50, "Đơn vị bán hàng (Seller):"), (400, "CÔNG TY TNHH VẬT TƯ PHÚC PHÁT")],
        [(50, "Tên người bán: CÔNG TY TNHH VẬT TƯ PHÚC PHÁT")],
    ],
)
def test_an_einvoice_names_its_seller_beside_a_label(ranker: Ranker, row: list[tuple[float, str]]) -> None:
    invoice = invoice_of(
        ranker,
        [
            [(400, "HÓA ĐƠN GIÁ TRỊ GIA TĂNG"), (900, "Ký hiệu: 1C26TPP")],
            [(400, "Ngày 03 tháng 08 năm 2025"), (900, "Số: 00001234")],
            row,
            [(50, "Mã số thuế (Tax code):"), (400, "0312345679")],
            [(50, "Địa chỉ (Address):"), (400, "12 Trần Phú, Đà Nẵng")],
            [(50, "Họ tên người mua hàng (Buyer):"), (400, "Lê Văn Hùng")],
            [(50, "Tên đơn vị (Company's name):"), (400, "CÔNG TY CỔ PHẦN KHÁCH SẠN BIỂN XANH")],
            [(50, "Tên hàng hóa, dịch vụ"), (600, "Số lượng"), (800, "Đơn giá"), (1000, "Thành tiền")],
            [(50, "Khăn tắm"), (600, "20"), (800, "80.000"), (1000, "1.600.000")],
            [(50, "Cộng tiền hàng:"), (1000, "1.600.000")],
            [(50, "Tiền thuế GTGT 8%:"), (1000, "128.000")],
            [(50, "Tổng cộng tiền thanh toán:"), (1000, "1.728.000")],
            [(100, "Người mua hàng (Buyer)"), (900, "Người bán hàng (Seller)")],
        ],
    )
    assert invoice.vendor is not None
    assert invoice.vendor.name == "CÔNG TY TNHH VẬT TƯ PHÚC PHÁT"


def test_a_service_charge_lies_between_subtotal_and_total(ranker: Ranker) -> None:
    invoice = invoice_of(
        ranker,
        [
            [(200, "KHÁCH SẠN BIỂN XANH")],
            [(200, "HÓA ĐƠN THANH TOÁN")],
            [(50, "Số: 000347"), (400, "Ngày: 12/03/2026")],
            [(50, "Tiền phòng 09/03"), (600, "3.600.000")],
            [(50, "Giặt ủi"), (600, "400.000")],
            [(50, "Cộng"), (600, "4.000.000")],
            [(50, "Phí phục vụ 5%"), (600, "200.000")],
            [(50, "Thuế GTGT 8%"), (600, "336.000")],
            [(50, "Tổng cộng"), (600, "4.536.000")],
        ],
    )
    assert (invoice.total, invoice.subtotal, invoice.tax_amount) == (4_536_000, 4_000_000, 336_000)


def test_the_only_sum_of_a_receipt_is_its_total(ranker: Ranker) -> None:
    rows: Rows = [
        [(100, "CỬA HÀNG NĂM THANH")],
        [(100, "HÓA ĐƠN BÁN HÀNG")],
        [(50, "Số: SON55650"), (400, "Ngày: 12-08-2020")],
        [(50, "SL"), (200, "Đơn giá"), (400, "Thành tiền")],
        [(50, "Xúc xích 10 cây")],
        [(50, "1"), (200, "46,000"), (400, "46,000")],
        [(50, "Ngũ cốc 500g")],
        [(50, "1"), (200, "45,000"), (400, "45,000")],
        [(50, "Cộng tiền hàng"), (400, "91,000")],
        [(50, "Cám ơn quý khách. Hẹn gặp lại!")],
    ]
    assert invoice_of(ranker, rows).total == 91_000


def test_no_tax_is_read_as_nothing(ranker: Ranker) -> None:
    rows: Rows = [
        [(50, "HÓA ĐƠN GIÁ TRỊ GIA TĂNG")],
        [(50, "Ký hiệu: 1C26TXK Số: 00000077"), (500, "Ngày 20 tháng 09 năm 2025")],
        [(50, "Đơn vị bán hàng: CÔNG TY CP XUẤT KHẨU")],
        [(50, "Cộng tiền hàng:"), (600, "50.000.000")],
        [(50, "Thuế suất: KCT Tiền thuế GTGT:"), (600, "0")],
        [(50, "Tổng cộng tiền thanh toán:"), (600, "50.000.000")],
    ]
    invoice = invoice_of(ranker, rows)
    assert (invoice.total, invoice.tax_amount) == (50_000_000, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("RESTORAN BARU", "MAKMUR SDN BHD"),
        ("POPULAR BOOK", "CO. (M) SDN BHD"),
    ],
)
def test_a_name_on_two_lines_is_one(ranker: Ranker, first: str, second: str) -> None:
    rows: Rows = [
        [(200, first)],
        [(200 + 5 * (len(first) - len(second)), second)],
        [(230, "NO 12 JALAN TIGA")],
        [(230, "55100 KUALA LUMPUR")],
        [(50, "DATE: 12/03/2018")],
        [(50, "PENCIL"), (500, "2.00")],
        [(50, "TOTAL RM"), (500, "2.00")],
    ]
    vendor = read_invoice(page_of(rows, step_px=28), ranker, today=TODAY, vietnamese=False).vendor
    assert vendor is not None
    assert vendor.name == f"{first} {second}"

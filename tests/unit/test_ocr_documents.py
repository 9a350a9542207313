"""Layout, invoices and identity papers from given text; readers and their fallbacks from given readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import cv2
import numpy as np
import pytest

from app.core.ocr.easyocr import EasyOcrReader
from app.core.ocr.header_fields import find_header_fields
from app.core.ocr.identity import fuse
from app.core.ocr.identity_values import FieldSource
from app.core.ocr.invoice import read_invoice
from app.core.ocr.issuers.base import DocumentType
from app.core.ocr.issuers.registry import second_languages
from app.core.ocr.issuers.vn import is_vietnamese, read_citizen_code
from app.core.ocr.items import find_items
from app.core.ocr.layout import arrange, skew_rad
from app.core.ocr.merge import LineReading
from app.core.ocr.mrz import Mrz, parse_mrz
from app.core.ocr.page_reader import PageReader, SecondReader
from app.core.ocr.qr import read_card_codes
from app.core.ocr.readers import ReaderFailure, crop_line
from app.core.ocr.seller import Supplier, fingerprints
from app.ml_models.extractor import load_ranker
from app.services.stores.document_store import OtherKind
from app.types import FloatArray, Image, TextLine
from app.workflows.ocr_records import kept_data, redacted
from synthetic_documents import citizen_card_2021, photographed

TODAY = date(2026, 6, 1)
LINE_PX = 20.0


def line(x: float, y: float, text: str, *, turn_rad: float = 0.0, size: float = 1.0) -> TextLine:
    """A line of text 20 px high; ``turn_rad`` turns it about the page's origin."""
    width, height = 10.0 * size * len(text), LINE_PX * size
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
    turn = np.array([[np.cos(turn_rad), np.sin(turn_rad)], [-np.sin(turn_rad), np.cos(turn_rad)]], np.float32)
    return TextLine(corners @ turn, text, 0.98)


def page_of(*rows: Sequence[tuple[float, str]], turn_rad: float = 0.0) -> list[TextLine]:
    """Rows of ``(x, text)`` cells, 40 px apart."""
    return [line(x, 50 + 40 * y, text, turn_rad=turn_rad) for y, row in enumerate(rows) for x, text in row]


RECEIPT = (
    [(200, "SIÊU THỊ MINH LOAN")],
    [(150, "Ngõ 25 Vũ Ngọc Phan, Hà Nội")],
    [(200, "ĐT: 0919331975")],
    [(220, "HÓA ĐƠN BÁN LẺ")],
    [(50, "Số HĐ: BL.200628"), (400, "Ngày: 28/06/2020 20:59")],
    [(50, "Tên hàng"), (300, "SL"), (400, "Đơn giá"), (560, "Thành tiền")],
    [(50, "Khăn tắm cotton")],
    [(300, "2"), (400, "45.000"), (560, "90.000")],
    [(50, "Nước khoáng 500ml")],
    [(300, "3"), (400, "6.500"), (560, "19.500")],
    [(50, "Tổng cộng:"), (560, "109.500")],
    [(50, "Tiền khách đưa:"), (560, "200.000")],
    [(50, "Tiền thừa:"), (560, "90.500")],
)


@pytest.mark.parametrize("turn_rad", [0.0, 0.06, -0.1])
def test_rows_are_found_on_a_turned_page(turn_rad: float) -> None:
    lines = page_of(*RECEIPT, turn_rad=turn_rad)
    assert abs(skew_rad(lines) + turn_rad) < 0.01 or abs(skew_rad(lines) - turn_rad) < 0.01
    assert [row.text for row in arrange(lines).rows] == [" ".join(text for _, text in row) for row in RECEIPT]


def test_a_receipt_is_read() -> None:
    invoice = read_invoice(arrange(page_of(*RECEIPT)), load_ranker(), today=TODAY)
    assert invoice.vendor is not None
    assert invoice.vendor.name == "SIÊU THỊ MINH LOAN"
    assert invoice.total == 109_500
    assert invoice.date == date(2020, 6, 28)
    assert invoice.header.invoice_number == "BL.200628"
    assert invoice.currency == "VND"
    assert [(item.description, item.quantity, item.unit_price, item.amount) for item in invoice.items] == [
        ("Khăn tắm cotton", Decimal(2), Decimal(45_000), Decimal(90_000)),
        ("Nước khoáng 500ml", Decimal(3), Decimal(6_500), Decimal(19_500)),
    ]
    assert invoice.warnings == ()
    assert invoice.confidence > 0.8


def test_a_total_that_contradicts_its_items_is_named_and_trusted_less() -> None:
    rows = [
        [(x, text.replace("109.500", "709.500").replace("90.500", "").replace("200.000", "")) for x, text in row]
        for row in RECEIPT
    ]
    whole = read_invoice(arrange(page_of(*RECEIPT)), load_ranker(), today=TODAY)
    wrong = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert wrong.total == 709_500
    assert "items_sum_mismatch" in wrong.warnings
    assert wrong.confidence < whole.confidence


def test_an_amount_in_words_settles_the_total() -> None:
    rows = (
        [(50, "HÓA ĐƠN GIÁ TRỊ GIA TĂNG")],
        [(50, "Tổng cộng:"), (560, "7.500.000")],
        [(50, "Tổng tiền thanh toán:"), (560, "1.500.000")],
        [(50, "Số tiền viết bằng chữ: Một triệu năm trăm nghìn đồng chẵn")],
    )
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).total == 1_500_000


def test_an_english_receipt_is_read() -> None:
    rows = (
        [(200, "99 SPEED MART S/B (519537-X)")],
        [(200, "LOT P.T. 2811, JALAN ANGSA")],
        [(50, "INVOICE NO : 18224/102"), (500, "22-11-17")],
        [(50, "HELANG MINYAK MASAK"), (500, "RM48.70")],
        [(80, "02 X RM 24.35")],
        [(50, "Total Sales (Inclusive GST) RM"), (560, "48.68")],
        [(50, "Rounding Adjustment RM"), (560, ".02")],
        [(50, "Rounding RM"), (560, "48.70")],
        [(50, "CASH RM"), (560, "50.00")],
        [(50, "CHANGE RM"), (560, "1.30")],
    )
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY, vietnamese=False)
    assert invoice.total == Decimal("48.70")
    assert invoice.currency == "MYR"
    assert invoice.date == date(2017, 11, 22)
    assert invoice.vendor is not None
    assert invoice.vendor.name == "99 SPEED MART S/B"
    assert [(item.quantity, item.unit_price, item.amount) for item in invoice.items] == [
        (Decimal(2), Decimal("24.35"), Decimal("48.70"))
    ]


def test_a_wrapped_description_is_joined() -> None:
    head = [(20, "STT"), (80, "Tên hàng hóa, dịch vụ"), (400, "Số lượng"), (520, "Đơn giá"), (680, "Thành tiền")]
    lines = [
        *page_of(head),
        line(20, 104, "1"),
        line(80, 92, "Dép đi trong phòng loại"),
        line(80, 116, "dùng một lần"),
        line(400, 104, "10"),
        line(520, 104, "7.800"),
        line(680, 104, "78.000"),
        *(line(x, 160, text) for x, text in [(20, "2"), (80, "Bút bi"), (400, "5"), (520, "4.000"), (680, "20.000")]),
        line(300, 210, "Tổng cộng:"),
        line(680, 210, "98.000"),
    ]
    items = read_invoice(arrange(lines), load_ranker(), today=TODAY).items
    assert [item.description for item in items] == ["Dép đi trong phòng loại dùng một lần", "Bút bi"]
    assert [item.amount for item in items] == [78_000, 20_000]


def test_what_the_customer_paid_is_no_buyer() -> None:
    rows = (*RECEIPT[:-2], [(50, "TIỀN KHÁCH TRẢ"), (560, "200.000")], [(50, "Khách cần trả: 109.500")])
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).header.buyer is None
    named = (*RECEIPT[:5], [(50, "Khách hàng: Chị Hoa")], *RECEIPT[5:])
    assert read_invoice(arrange(page_of(*named)), load_ranker(), today=TODAY).header.buyer == "Chị Hoa"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Số HĐ: BL.200628", "BL.200628"),
        ("H:00078938", "00078938"),
        ("Sá: 0007809", "0007809"),
        ("Số: 17", "17"),
        ("Số (No.): 17", "17"),
        ("Sδ·HD110820-0052", "HD110820-0052"),
        ("Tax Invoice : BAT02201803", "BAT02201803"),
        ("Số 1080-1062 Đường Trần Phú", None),
        ("Số A4 Conan", None),
        ("Số tham chiếu 00433300100078938", None),
    ],
)
def test_an_invoices_number_is_told_from_other_numbers(text: str, number: str | None) -> None:
    rows = (*RECEIPT[:4], [(50, text)], *RECEIPT[5:])
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).header.invoice_number == number


HEADS = [(50, "Mặt hàng"), (300, "Đơn giá"), (420, "SL"), (560, "T.Tiền")]


def test_goods_by_weight_have_their_weight_as_quantity() -> None:
    rows = (
        HEADS,
        [(50, "Táo Queen NZL 71.900/KG X 2,430 KG")],
        [(50, "2607683024309"), (300, "174.717"), (560, "174.717")],
        [(50, "Cà chua đỏ 28.600/KG x")],
        [(50, "0,538 KG")],
        [(50, "2652377005386"), (300, "15.387"), (560, "15.387")],
        [(50, "TỔNG TIẾN PHẢI T.TOÁN"), (560, "190.104")],
    )
    items = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).items
    assert [(item.description, item.quantity, item.unit_price) for item in items] == [
        ("Táo Queen NZL", Decimal("2.430"), 71_900),
        ("Cà chua đỏ", Decimal("0.538"), 28_600),
    ]


def test_words_that_begin_with_an_x_are_no_times_sign() -> None:
    rows = (
        [(50, "Tên hàng"), (180, "ĐVT"), (300, "Đơn giá"), (560, "Thành tiền")],
        [(50, "291016070000 xúc xích loại dài")],
        [(180, "TUI"), (300, "46,000"), (560, "46,000")],
        [(50, "8936006850665 khăn ướt")],
        [(180, "GOI"), (300, "28,000"), (560, "28,000")],
        [(50, "Tổng cộng:"), (560, "74,000")],
    )
    items = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).items
    assert [(item.description, item.amount) for item in items] == [("xúc xích loại dài", 46_000), ("khăn ướt", 28_000)]


def test_a_discount_whose_label_lost_a_letter_explains_the_difference() -> None:
    rows = (*RECEIPT[:-3], [(50, "TỔNG TIẾN Ã GIẨM"), (560, "-9.500")], [(50, "TỔNG TIẾN PHẢI TRẢ"), (560, "100.000")])
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert (invoice.total, invoice.warnings) == (100_000, ())


def test_a_total_under_an_unreadable_label_is_no_item() -> None:
    rows = (*RECEIPT[:-3], [(50, "TÔNG MÊN PHẦYTN"), (560, "109.500")], [(50, "Khách trả"), (560, "109.500")])
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert [item.amount for item in invoice.items] == [90_000, 19_500]
    assert invoice.warnings == ()


def test_a_service_charge_explains_the_difference() -> None:
    rows = (
        *RECEIPT[:-3],
        [(50, "Tiền hàng"), (560, "109.500")],
        [(50, "Phí dịch vụ 5%"), (560, "5.475")],
        [(50, "VAT 8%"), (560, "9.198")],
        [(50, "TỔNG CỘNG"), (560, "124.173")],
    )
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert (invoice.total, invoice.subtotal, invoice.tax_amount, invoice.warnings) == (124_173, 109_500, 9_198, ())


def test_the_serial_is_not_the_number_of_the_form() -> None:
    rows = ([(500, "Mẫu số: 01GTKT0/001")], [(500, "Ký hiệu: 1C24TAA")], *RECEIPT)
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).header.serial == "1C24TAA"


def test_serial_and_number_in_one_line_are_told_apart() -> None:
    page = arrange(page_of([(50, "HÓA ĐƠN BÁN HÀNG")], [(50, "Ký hiệu: 2C26MHK Số: 00000021")]))
    fields = find_header_fields(page)
    assert (fields.serial, fields.invoice_number) == ("2C26MHK", "00000021")


@pytest.mark.parametrize(
    "row",
    [
        [(300, "Số"), (400, ": 122")],
        [(50, "(INVOICE)param1"), (400, "Số (No): 122")],
    ],
)
def test_a_number_is_found_apart_from_its_label_and_beside_other_words(row: list[tuple[float, str]]) -> None:
    page = arrange(page_of([(50, "HÓA ĐƠN GIÁ TRỊ GIA TĂNG")], row))
    assert find_header_fields(page).invoice_number == "122"


@pytest.mark.parametrize(
    "summary",
    [
        "Tổng tiền chịu thuế suất 8%: 90.000",
        "Hàng không chịu thuế",
        "Cộng chuyển sang trang sau",
        "Carried forward",
        "Übertrag",
        "GST Summary",
        "SGST 9%",
        "19 % MwSt",
    ],
)
def test_summaries_by_tax_rate_and_sums_carried_forward_are_no_items(summary: str) -> None:
    page = arrange(
        page_of(
            [(50, "Item"), (300, "Qty"), (400, "Price"), (560, "Amount")],
            [(50, "Bath towel"), (300, "2"), (400, "45.00"), (560, "90.00")],
            [(50, summary), (560, "90.00")],
            [(50, "Total"), (560, "90.00")],
        )
    )
    assert [item.description for item in find_items(page)] == ["Bath towel"]


@pytest.mark.parametrize(
    ("heads", "total"),
    [
        (("Beschreibung", "Menge", "Einzelpreis", "Betrag"), "Summe EUR"),
        (("Artikel", "Aantal", "Prijs per stuk", "Bedrag"), "Subtotaal"),
        (("Désignation", "Quantité", "Prix unitaire", "Montant"), "Total HT"),
        (("Descripción", "Cantidad", "Precio", "Importe"), "Base imponible"),
    ],
)
def test_a_table_begins_and_ends_in_other_languages_too(heads: tuple[str, str, str, str], total: str) -> None:
    page = arrange(
        page_of(
            [(50, "Leinen AG"), (400, "Bank 507 500 94.00")],
            list(zip((50, 300, 400, 560), heads, strict=True)),
            [(50, "Bath towel"), (300, "2"), (400, "45.00"), (560, "90.00")],
            [(50, total), (560, "90.00")],
            [(50, "Steuernummer"), (560, "044 241 601")],
        )
    )
    assert [(item.description, item.amount) for item in find_items(page)] == [("Bath towel", 90)]


def test_a_place_that_reads_like_a_total_ends_no_table() -> None:
    page = arrange(
        page_of(
            [(50, "Item"), (300, "Qty"), (400, "Price"), (560, "Amount")],
            [(50, "Bath towel"), (300, "2"), (400, "45.00"), (560, "90.00")],
            [(50, "Sai Yu Chung")],
            [(50, "Hong Kong")],
            [(50, "Phone Seite 2")],
            [(50, "Bed sheet"), (300, "1"), (400, "30.00"), (560, "30.00")],
            [(50, "Total"), (560, "120.00")],
        )
    )
    assert [item.amount for item in find_items(page)] == [90, 30]


def test_goods_by_weight_deposits_given_back_and_taxes_within_are_told_apart() -> None:
    page = arrange(
        page_of(
            [(50, "UID Nr.: DE202748117")],
            [(560, "EUR")],
            [(50, "Oranges"), (560, "1,49 B")],
            [(50, "Apples")],
            [(80, "0,410 kg x"), (300, "1,99 EUR/kg"), (560, "0,82 B")],
            [(50, "Towels"), (560, "5,98 A")],
            [(80, "2 Stk x 2,99")],
            [(50, "Incl. copy levy"), (560, "0,24")],
            [(50, "Empty bottles"), (560, "-2,00 A")],
            [(50, "Rabatt"), (560, "-0,50")],
            [(50, "SUMME"), (400, "EUR"), (560, "5,79")],
        )
    )
    assert [(item.description, item.quantity, item.amount) for item in find_items(page)] == [
        ("Oranges", 1, Decimal("1.49")),
        ("Apples", Decimal("0.410"), Decimal("0.82")),
        ("Towels", 2, Decimal("5.98")),
        ("Empty bottles", 1, Decimal("-2.00")),
    ]


@pytest.mark.parametrize(("title", "sure"), [("Hóa đơn bán hàng", False), ("Phiếu hoàn tiền", True)])
def test_a_total_below_nothing_is_sure_only_where_money_is_given_back(title: str, sure: bool) -> None:
    rows = (RECEIPT[0], [(50, title)], *RECEIPT[2:8], [(50, "Tổng tiền thanh toán:"), (560, "-11.000")])
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert invoice.total == -11_000
    assert (invoice.values["total_amount"].confidence >= 0.8) is sure
    assert ("total_uncertain" in invoice.warnings) is not sure


@pytest.mark.parametrize("label", ["Date d'expiration:", "Card expiry date", "Gültig bis", "Valid thru"])
def test_the_day_a_card_runs_out_is_not_the_receipts(label: str) -> None:
    rows = (
        [(50, "STATION SEVRES EUROPE")],
        [(50, "Super 98"), (560, "€ 21.74")],
        [(50, "TOTAL"), (560, "€ 21.74")],
        [(50, label), (560, "31/05/26")],
        [(50, "07-04-2026 18:49"), (400, "1618")],
    )
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY, vietnamese=False)
    assert invoice.date == date(2026, 4, 7)


def test_equal_taxes_of_two_authorities_are_added_up() -> None:
    page = arrange(
        page_of(
            [(50, "Taj Linen Supplies Pvt Ltd")],
            [(50, "Invoice No: TLS/118"), (400, "Date: 18/09/2025")],
            [(50, "Bed sheets"), (560, "1,25,000.00")],
            [(50, "CGST 9%"), (560, "11,250.00")],
            [(50, "SGST 9%"), (560, "11,250.00")],
            [(50, "Grand Total"), (560, "1,47,500.00")],
        )
    )
    invoice = read_invoice(page, load_ranker(), today=TODAY, vietnamese=False)
    assert (invoice.subtotal, invoice.tax_amount) == (Decimal(125000), Decimal(22500))


def test_an_abbreviated_seller_is_told_from_the_customer() -> None:
    rows = ([(50, "ABC Supplies Co.")], [(50, "Bill To: Sunrise Hotel Company Ltd")], *RECEIPT[1:])
    vendor = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).vendor
    assert vendor is not None
    assert vendor.name == "ABC Supplies Co."


def test_without_heads_the_number_that_is_no_money_is_the_quantity() -> None:
    rows = (
        [(200, "BENS GROCER SDN. BHD")],
        [(50, "Cashier: Fatin Sy")],
        [(50, "Dole Pineapple Pcs")],
        [(50, "8809069300708"), (300, "7.90*3"), (560, "23.70 Z")],
        [(50, "Total"), (560, "23.70")],
    )
    (item,) = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY, vietnamese=False).items
    assert (item.description, item.quantity, item.unit_price) == ("Dole Pineapple Pcs", 3, Decimal("7.90"))


def test_one_item_above_the_total_is_a_contradiction() -> None:
    rows = (*RECEIPT[:8], [(50, "Tổng cộng:"), (560, "60.000")])
    assert "items_sum_mismatch" in read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).warnings


def test_a_supplier_is_recognised_by_its_phone_where_its_name_is_unreadable() -> None:
    page = arrange(page_of(*RECEIPT))
    marks = fingerprints(page)
    assert "tel:0919331975" in marks
    damaged = [[(x, text.replace("SIÊU THỊ MINH LOAN", "S1EU TH! N0AN")) for x, text in row] for row in RECEIPT]
    supplier = Supplier("Siêu thị Minh Loan", fingerprints=marks)
    invoice = read_invoice(arrange(page_of(*damaged)), load_ranker(), today=TODAY, suppliers=[supplier])
    assert invoice.vendor is not None
    assert (invoice.vendor.name, invoice.vendor.known) == ("Siêu thị Minh Loan", True)


def test_a_customers_phone_is_no_mark_of_the_seller() -> None:
    rows = (*RECEIPT, [(50, "Khách hàng: Chị Hoa")], [(50, "Điện thoại: 0971258656")])
    assert "tel:0971258656" not in fingerprints(arrange(page_of(*rows)))


def zones_of(*zones: Sequence[str]) -> list[Mrz]:
    read = [parse_mrz(zone, today=TODAY) for zone in zones]
    return [zone for zone in read if zone is not None]


CARD = (
    [(300, "CĂN CƯỚC CÔNG DÂN")],
    [(200, "Số / No.: 001090012345")],
    [(200, "Họ và tên / Full name:")],
    [(200, "NGUYỄN TUẤN ANH")],
    [(200, "Ngày sinh / Date of birth: 15/05/1990")],
    [(200, "Giới tính / Sex: Nam"), (460, "Quốc tịch / Nationality: Việt Nam")],
    [(200, "Quê quán / Place of origin:")],
    [(200, "Phú Thị, Gia Lâm, Hà Nội")],
    [(200, "Nơi thường trú / Place of residence: 12 Lê Lợi,")],
    [(200, "Phường Bến Nghé, Quận 1, Thành phố Hồ Chí Minh")],
)


def test_a_card_is_read_from_its_print() -> None:
    identity = fuse(arrange(page_of(*CARD)), codes=[], zones=[], today=TODAY)
    assert identity.document_type is DocumentType.ID_CARD
    values = {name: field.value for name, field in identity.fields.items()}
    assert values == {
        "id_number": "001090012345",
        "full_name": "NGUYỄN TUẤN ANH",
        "date_of_birth": "1990-05-15",
        "gender": "Male",
        "nationality": "Vietnamese",
        "place_of_origin": "Phú Thị, Gia Lâm, Hà Nội",
        "address": "12 Lê Lợi, Phường Bến Nghé, Quận 1, Thành phố Hồ Chí Minh",
    }
    assert {field.source for field in identity.fields.values()} == {FieldSource.OCR}
    assert identity.warnings == ()


def test_the_code_wins_over_the_print_and_the_difference_is_named() -> None:
    code = read_citizen_code("001090012345||Nguyễn Tuấn Anh|16051990|Nam|12 Lê Lợi, Quận 1|04032021")
    assert code is not None
    identity = fuse(arrange(page_of(*CARD)), codes=[code], zones=[], today=TODAY)
    assert identity.fields["date_of_birth"].value == "1990-05-16"
    assert identity.fields["date_of_birth"].source is FieldSource.QR
    assert "date_of_birth_disagrees" in identity.warnings
    assert identity.fields["issue_date"].value == "2021-03-04"
    assert identity.fields["full_name"].value == "NGUYỄN TUẤN ANH"


def test_a_number_that_contradicts_birth_and_sex_is_named() -> None:
    rows = [[(x, text.replace("001090012345", "001185012345")) for x, text in row] for row in CARD]
    warnings = fuse(arrange(page_of(*rows)), codes=[], zones=[], today=TODAY).warnings
    assert "id_number_birth_mismatch" in warnings
    assert "id_number_gender_mismatch" in warnings


def test_a_foreign_passport_is_read_by_its_zone() -> None:
    zone = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
    rows = ([(50, "UTOPIA PASSPORT")], [(50, "ERIKSSON")])
    identity = fuse(arrange(page_of(*rows)), codes=[], zones=zones_of(zone), today=TODAY)
    assert identity.document_type is DocumentType.PASSPORT
    assert identity.fields["id_number"].value == "L898902C3"
    assert identity.fields["full_name"].value == "ERIKSSON ANNA MARIA"
    assert identity.issuer == "UTO"
    assert "document_expired" in identity.warnings


@pytest.mark.parametrize(
    ("printed", "born"), [("19 JUN 1923", "1923-06-19"), ("19 JUN 2023", "2023-06-19"), ("", "2023-06-19")]
)
def test_the_printed_year_tells_a_child_from_its_great_grandmother(printed: str, born: str) -> None:
    mrz = replace(zones_of(UTOPIA)[0], birth=date(2023, 6, 19), expiry=date(2028, 4, 15))
    rows = ([(50, "UTOPIA PASSPORT")], [(50, "ERIKSSON")], [(50, f"Date of birth {printed}")])
    identity = fuse(arrange(page_of(*rows)), codes=[], zones=[mrz], today=TODAY)
    assert identity.fields["date_of_birth"].value == born
    assert "date_of_birth_disagrees" not in identity.warnings


def test_a_passports_number_is_not_the_personal_number_beside_it() -> None:
    zone = ("P<VNMDO<<THUY<MY<HUNG<<<<<<<<<<<<<<<<<<<<<<<", "B1421362<2VNM7302127M3402199056073136632<<08")
    rows = ([(50, "HỘ CHIẾU / PASSPORT")], [(50, "B1421362")], [(50, "Số GCMND / ID card No")], [(50, "056073136632")])
    page = arrange(page_of(*rows))
    for zones in ([], zones_of(zone)):
        assert fuse(page, codes=[], zones=zones, today=TODAY).fields["id_number"].value == "B1421362"


def test_a_checked_zone_wins_over_clear_print_of_another_field() -> None:
    zone = ("P<VNMDO<<THUY<MY<HUNG<<<<<<<<<<<<<<<<<<<<<<<", "B1421362<2VNM7302127M3402199056073136632<<08")
    rows = ([(50, "HỘ CH")], [(50, "056073136632")])
    number = fuse(arrange(page_of(*rows)), codes=[], zones=zones_of(zone), today=TODAY).fields["id_number"]
    assert (number.value, number.source) == ("B1421362", FieldSource.MRZ)


@pytest.mark.parametrize(
    "rows",
    [
        ([(100, "Họ và tên / Pull name: TRẦN THỊ BÌNH")],),
        ([(100, "Họvà tên /Púi name")], [(100, "TRẦN THỊ BÌNH")]),
        ([(100, "Họ và tên / Full name")], [(100, "TRẦN THỊ BÌNH")]),
        ([(100, "Họ và tên: TRẦN THỊ BÌNH")],),
    ],
)
def test_a_misread_second_label_is_no_part_of_a_name(rows: Sequence[Sequence[tuple[float, str]]]) -> None:
    page = arrange(page_of([(100, "CĂN CƯỚC CÔNG DÂN")], *rows))
    assert fuse(page, codes=[], zones=[], today=TODAY).fields["full_name"].value == "TRẦN THỊ BÌNH"


def test_a_label_misread_in_both_languages_still_ends_the_value_above() -> None:
    rows = (
        [(50, "CĂN CƯỚC CÔNG DÂN")],
        [(50, "Qui quán / Place of origin")],
        [(50, "Xã Tân Thới Nhì, Hà Nội")],
        [(50, "Nai thường trú / Ptace of residence")],
        [(50, "259 Hai Bà Trưng, Hà Nội")],
    )
    fields = fuse(arrange(page_of(*rows)), codes=[], zones=[], today=TODAY).fields
    assert fields["place_of_origin"].value == "Xã Tân Thới Nhì, Hà Nội"
    assert fields["address"].value == "259 Hai Bà Trưng, Hà Nội"


def test_a_gender_that_cannot_be_read_is_taken_from_the_number() -> None:
    rows = [[(x, text.replace("Sex: Nam", "Sex: N").replace("001090", "001190")) for x, text in row] for row in CARD]
    identity = fuse(arrange(page_of(*rows)), codes=[], zones=[], today=TODAY)
    assert identity.fields["gender"].value == "Female"
    assert identity.fields["gender"].confidence < identity.fields["id_number"].confidence


LICENCE = (
    [(100, "GIẤY PHÉP LÁI XE / DRIVER'S LICENSE")],
    [(100, "Số/No: 790181234567")],
    [(100, "Họ tên/Full name: TRẦN THỊ BÌNH")],
    [(100, "Ngày sinh/Date of Birth: 02/09/1992")],
)


def test_a_licence_is_numbered_by_rules_of_its_own() -> None:
    identity = fuse(arrange(page_of(*LICENCE)), codes=[], zones=[], today=TODAY)
    assert identity.document_type is DocumentType.DRIVER_LICENSE
    assert identity.fields["id_number"].value == "790181234567"
    assert identity.warnings == ()


def test_a_cards_number_of_a_wrong_structure_is_given_and_doubted() -> None:
    rows = [[(x, text.replace("001090012345", "999090012345")) for x, text in row] for row in CARD]
    identity = fuse(arrange(page_of(*rows)), codes=[], zones=[], today=TODAY)
    assert identity.fields["id_number"].value == "999090012345"
    assert "id_number_invalid" in identity.warnings


UTOPIA = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")


def test_of_a_foreign_paper_only_what_its_zone_can_judge_is_taken_from_print() -> None:
    rows = (
        [(50, "UTOPIA PASSPORT")],
        [(50, "Place of birth / Lieu de naissance 12 AUG 74")],
        [(50, "Address: Str. Rotarilor 78")],
        [(50, "Date of issue: 16/04/2007")],
    )
    fields = fuse(arrange(page_of(*rows)), codes=[], zones=zones_of(UTOPIA), today=TODAY).fields
    assert {"place_of_origin", "address"}.isdisjoint(fields)
    assert fields["issue_date"].value == "2007-04-16"


@pytest.mark.parametrize(
    ("printed", "zone", "name", "source"),
    [
        ("ERIKSSON ANNA MARIA", "ERIKSSDN<<ANNA<MARIA", "ERIKSSON ANNA MARIA", FieldSource.OCR),
        ("ĐỖ THÙY MỸ HÙNG", "DO<<THUY<MY<HUNG", "ĐỖ THÙY MỸ HÙNG", FieldSource.OCR),
        ("LAI THUY VAN", "DO<<THUY<MY<HUNG", "DO THUY MY HUNG", FieldSource.MRZ),
    ],
)
def test_a_clearly_printed_name_spells_the_zones_out(printed: str, zone: str, name: str, source: FieldSource) -> None:
    zones = zones_of((f"P<UTO{zone}".ljust(44, "<"), UTOPIA[1]))
    page = arrange(page_of([(50, "PASSPORT")], [(50, f"Full name: {printed}")]))
    field = fuse(page, codes=[], zones=zones, today=TODAY).fields["full_name"]
    assert (field.value, field.source) == (name, source)


def test_what_no_check_digit_covers_is_trusted_less() -> None:
    zones = zones_of((UTOPIA[0], UTOPIA[1].replace("6UTO7", "6U3O7")))
    fields = fuse(arrange(page_of([(50, "PASSPORT")])), codes=[], zones=zones, today=TODAY).fields
    assert fields["nationality"].value == "UTO"  # of the issuer: no state's code has a digit
    assert fields["nationality"].confidence < fields["id_number"].confidence
    assert fields["full_name"].confidence < fields["id_number"].confidence


def test_two_passports_are_counted() -> None:
    zones = zones_of(
        ("P<VNMDO<<THUY<MY<HUNG<<<<<<<<<<<<<<<<<<<<<<<", "B1421362<2VNM7302127M3402199056073136632<<08"),
        ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    )
    page = arrange(page_of([(50, "PASSPORT")]))
    assert fuse(page, codes=[], zones=zones, today=TODAY).documents == 2
    assert fuse(page, codes=[], zones=[*zones[:1], *zones[:1]], today=TODAY).documents == 1


def test_two_holders_are_counted() -> None:
    other = [[(x, text.replace("001090012345", "079303067890")) for x, text in row] for row in CARD]
    assert fuse(arrange(page_of(*CARD, *other)), codes=[], zones=[], today=TODAY).documents == 2


def test_the_code_of_a_card_is_read() -> None:
    document = citizen_card_2021(1)
    (code,) = read_card_codes(photographed(document.image, 1))
    assert code.number == document.fields["id_number"]
    assert code.fields["full_name"] == document.fields["full_name"]


def test_a_picture_of_a_single_pixel_holds_no_code() -> None:
    assert read_card_codes(np.zeros((1, 1, 3), np.uint8)) == []


def test_redaction_leaves_nothing_personal() -> None:
    data = {
        "document_type": "id_card",
        "engine": "paddleocr",
        "id_number": "001090012345",
        "full_name": "NGUYỄN VĂN A",
        "date_of_birth": "1990-05-15",
        "address": "12 Lê Lợi",
        "fields": {"id_number": {"value": "001090012345"}},
    }
    assert redacted(data, action="drop") == {"document_type": "id_card", "engine": "paddleocr"}
    masked = redacted(data, action="mask")
    assert masked["id_number"] == "********2345"
    assert masked["full_name"] == "N. V. A."
    assert masked["date_of_birth"] == "1990-**-**"
    assert masked["address"] == "***"
    assert "fields" not in masked


@pytest.mark.parametrize("kind", [*DocumentType, OtherKind.UNKNOWN, "residence_permit", ""])
def test_every_document_but_an_invoice_is_redacted_whether_its_kind_is_known_or_not(kind: str) -> None:
    data = {"document_type": kind, "full_name": "NGUYỄN VĂN A", "visa_number": "V1234567"}
    assert kept_data(data, document_type=kind, action="drop") == {"document_type": kind}
    masked = kept_data(data, document_type=kind, action="mask")
    assert masked == {"document_type": kind, "full_name": "N. V. A.", "visa_number": "***"}


def test_an_invoice_is_kept_as_it_is() -> None:
    data = {"vendor": "ABC", "total_amount": 12}
    assert kept_data(data, document_type=OtherKind.INVOICE, action="drop") == data


class GivenDetector:
    """Finds the lines that it was given."""

    def __init__(self, polygons: Sequence[FloatArray]) -> None:
        self._polygons = list(polygons)

    def detect(self, _: Image) -> list[FloatArray]:
        return self._polygons


class MarkReader:
    """Reads ``text`` with score 0.95 where a line's dark end is on the left, rubbish where it is upside down."""

    name = "paddleocr"

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        return [self._read(crop) for crop in crops]

    def _read(self, crop: Image) -> LineReading:
        width = crop.shape[1]
        upright = crop[:, : width // 4].mean() < crop[:, -width // 4 :].mean()
        return LineReading(self._text, 0.95) if upright else LineReading("ɯsıuɥɔǝɯ", 0.6)


class UnsureReader:
    """Reads something, and doubts it."""

    name = "paddleocr"

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        return [LineReading("unsure", 0.5) for _ in crops]


class BrokenReader:
    """Fails like a runtime out of memory."""

    name = "paddleocr"

    def read(self, _: Sequence[Image]) -> list[LineReading]:
        raise ReaderFailure("out of memory")


class GivenFallback:
    """Reads everything as the same text."""

    name = "tesseract"

    def __init__(self, score: float = 0.9) -> None:
        self._score = score

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        return [LineReading("fallback", self._score) for _ in crops]

    def read_page(self, _: Image) -> list[TextLine]:
        return [line(10, 10, "fallback page")]


def marked_page() -> tuple[Image, list[FloatArray]]:
    """Three white lines with a dark left end."""
    image = np.full((300, 400, 3), 255, np.uint8)
    polygons = []
    for y in (40, 120, 200):
        cv2.rectangle(image, (50, y), (120, y + 30), (0, 0, 0), -1)
        polygons.append(np.array([[50, y], [350, y], [350, y + 30], [50, y + 30]], np.float32))
    return image, polygons


def test_a_page_is_read_by_both_readers() -> None:
    image, polygons = marked_page()
    (vietnamese,) = [language for language in second_languages() if language.code == "vi"]
    reader = PageReader(
        GivenDetector(polygons),
        latin=MarkReader("Tng tin"),
        seconds=[SecondReader(vietnamese, MarkReader("Tổng tiền"))],
    )
    page = reader.read(image, language="vi")
    assert [found.text for found in page.lines] == ["Tổng tiền"] * 3
    assert (page.rotation_deg, page.engine, page.vietnamese) == (0, "paddleocr", True)
    assert [found.text for found in reader.read(image, language="en").lines] == ["Tng tin"] * 3


def test_a_page_upside_down_is_turned() -> None:
    image, polygons = marked_page()
    turned = np.ascontiguousarray(np.rot90(image, 2))
    flipped = [np.array([400, 300], np.float32) - np.roll(polygon, 2, axis=0) for polygon in polygons]
    reader = PageReader(GivenDetector(flipped), latin=MarkReader("Total 12.50"))
    page = reader.read(turned)
    assert page.rotation_deg == 180
    assert [found.text for found in page.lines] == ["Total 12.50"] * 3
    assert sorted(float(found.polygon[0, 1]) for found in page.lines) == [40, 120, 200]


def test_of_a_paper_on_its_side_its_own_lines_say_which_way_up_it_is() -> None:
    image = np.full((500, 900, 3), 255, np.uint8)
    polygons = []
    for y in (20, 70, 120):  # level captions: longer than the paper's lines, but fewer
        cv2.rectangle(image, (20, y), (90, y + 30), (0, 0, 0), -1)
        polygons.append(np.array([[20, y], [320, y], [320, y + 30], [20, y + 30]], np.float32))
    for x in range(350, 840, 70):  # lines that run down the page
        cv2.rectangle(image, (x, 200), (x + 30, 230), (0, 0, 0), -1)
        polygons.append(np.array([[x, 200], [x + 30, 200], [x + 30, 350], [x, 350]], np.float32))
    page = PageReader(GivenDetector(polygons), latin=MarkReader("Total 12.50")).read(image)
    assert page.rotation_deg == 270
    assert [found.text for found in page.lines].count("Total 12.50") == 7


def test_the_fallback_reads_where_a_reader_fails() -> None:
    image, polygons = marked_page()
    reader = PageReader(GivenDetector(polygons), latin=BrokenReader(), fallback=GivenFallback())
    page = reader.read(image)
    assert page.engine == "tesseract"
    assert [found.text for found in page.lines] == ["fallback page"]
    with pytest.raises(ReaderFailure):
        PageReader(GivenDetector(polygons), latin=BrokenReader()).read(image)


@pytest.mark.parametrize(("score", "engine"), [(0.9, "tesseract"), (0.3, "paddleocr")])
def test_an_unsure_page_goes_to_the_surer_reader(score: float, engine: str) -> None:
    image, polygons = marked_page()
    unsure = UnsureReader()
    reader = PageReader(GivenDetector(polygons), latin=unsure, fallback=GivenFallback(score))
    assert reader.read(image, language="en").engine == engine


def test_a_page_reader_needs_something_to_read_with() -> None:
    with pytest.raises(ValueError, match="fallback"):
        PageReader(None, latin=None)


def test_languages_are_told_apart() -> None:
    assert is_vietnamese(["HÓA ĐƠN BÁN HÀNG", "Tổng cộng: 35.000", "Samsung Triple Camera"])
    assert not is_vietnamese(["TAX INVOICE", "Total 12.50", "Thank you, please come again", "CASH"])
    assert not is_vietnamese([])


def test_lines_are_cropped_upright() -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    image[20:180, 90:110] = 0
    standing = np.array([[90, 20], [110, 20], [110, 180], [90, 180]], np.float32)
    crop = crop_line(image, standing)
    assert crop.shape[1] > 4 * crop.shape[0]
    assert crop.mean() < 80


class GivenEasyOcr:
    """Answers as ``easyocr.Reader`` does."""

    def recognize(self, _: Image, *, detail: int) -> list[tuple[object, str, float]]:
        assert detail == 1
        return [(None, "Tổng", 0.9), (None, "cộng", 0.7)]

    def readtext(self, _: Image, *, detail: int) -> list[tuple[Sequence[Sequence[float]], str, float]]:
        assert detail == 1
        return [([[1, 2], [9, 2], [9, 6], [1, 6]], "Tổng cộng", 0.8), ([[0, 0]] * 4, " ", 0.1)]


def test_easyocr_reads_lines_and_pages() -> None:
    reader, image = EasyOcrReader(GivenEasyOcr()), np.zeros((8, 8, 3), np.uint8)
    assert reader.read([image]) == [LineReading("Tổng cộng", 0.7)]
    page = PageReader(None, latin=None, fallback=reader).read(image)
    assert page.engine == "easyocr"
    assert [(found.text, found.polygon.tolist()[2]) for found in page.lines] == [("Tổng cộng", [9, 6])]


def test_easyocr_that_fails_is_a_failure_of_the_reader() -> None:
    class Broken(GivenEasyOcr):
        def readtext(self, _: Image, *, detail: int) -> list[tuple[Sequence[Sequence[float]], str, float]]:
            raise RuntimeError(f"out of memory at {detail}")

    with pytest.raises(ReaderFailure):
        EasyOcrReader(Broken()).read_page(np.zeros((8, 8, 3), np.uint8))


def test_the_amount_in_words_and_digits_is_the_total() -> None:
    rows = [
        [(40, "HOÁ ĐƠN GIÁ TRỊ GIA TĂNG")],
        [(40, "Ngày 02 tháng 01 năm 2025")],
        [(40, "Cộng tiền hàng / Total:"), (600, "990.000")],
        [(40, "Tiền thuế GTGT / VAT value:"), (600, "99.000")],
        [(40, "Tổng cộng tiền thanh toán / Total")],
        [(40, "payment:"), (600, "1.089.000")],
        [(40, "Số tiền viết bằng chữ: Một triệu không trăm tám mươi chín nghìn VND ./.")],
    ]
    invoice = read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY)
    assert invoice.total == 1_089_000
    assert invoice.values["total_amount"].confidence >= 0.95


@pytest.mark.parametrize(
    ("place", "day"), [("120 Main St, Asheville, NC 28801", date(2025, 7, 4)), ("Hà Nội, VIỆT NAM", date(2025, 4, 7))]
)
def test_a_date_is_read_in_the_order_of_its_country(place: str, day: date) -> None:
    signs = [(40, "Địa chỉ: 12 Trần Phú")] if "VIỆT" in place else [(40, "USA")]
    rows = [[(40, "BLUE RIDGE DINER")], [(40, place)], signs, [(40, "Date: 07/04/2025 8:12 PM")]]
    rows += [[(40, "Burger"), (400, "14.50")], [(40, "Total"), (400, "14.50")]]
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).date == day


def test_an_american_telephone_and_dollars_tell_the_order_of_a_date() -> None:
    rows = [[(40, "MEGA MARKET PLUS")], [(40, "800-532-2918")], [(40, "12/07/2019 12:22 PM")]]
    rows += [[(40, "TV STAND"), (400, "$89.99")], [(40, "TOTAL"), (400, "$89.99")]]
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).date == date(2019, 12, 7)


def test_a_day_that_is_its_months_number_is_a_date_in_either_order() -> None:
    rows = [[(40, "BLUE RIDGE DINER")], [(40, "Asheville, NC 28801, USA")], [(40, "Date: 05/05/2025 8:12 PM")]]
    rows += [[(40, "Burger"), (400, "14.50")], [(40, "Total"), (400, "14.50")]]
    assert read_invoice(arrange(page_of(*rows)), load_ranker(), today=TODAY).date == date(2025, 5, 5)

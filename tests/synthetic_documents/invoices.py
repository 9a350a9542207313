"""Vietnamese VAT invoices and bills in several layouts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tests.synthetic_documents.base import Canvas, LineItem, SyntheticDocument, families
from tests.synthetic_documents.people import address, person, tax_code
from tests.synthetic_documents.words import amount_in_words

_GOODS = (
    ("Khăn tắm cotton 70x140cm", "Cái", 85000),
    ("Ga trải giường đơn màu trắng", "Bộ", 320000),
    ("Nước khoáng thiên nhiên 500ml", "Chai", 6500),
    ("Dầu gội đầu hương sả chanh 30ml", "Lọ", 3200),
    ("Dép đi trong phòng loại dùng một lần, đế chống trơn trượt", "Đôi", 7800),
    ("Bàn chải đánh răng kèm kem", "Bộ", 4500),
    ("Giấy vệ sinh cuộn nhỏ", "Cuộn", 5200),
    ("Nước lau sàn hương hoa hồng can 5 lít", "Can", 145000),
    ("Cà phê hạt rang xay nguyên chất gói 1kg", "Gói", 265000),
    ("Bóng đèn LED 9W ánh sáng vàng", "Cái", 42000),
    ("Gạo thơm Jasmine bao 25kg", "Bao", 512000),
    ("Thịt bò thăn nhập khẩu đông lạnh", "Kg", 389000),
    ("Dịch vụ giặt là đồ vải phòng nghỉ tháng này theo hợp đồng", "Kg", 12000),
    ("Trứng gà ta loại một", "Quả", 3800),
    ("Máy sấy tóc gắn tường 1600W", "Chiếc", 690000),
    ("Túi đựng đồ giặt bằng vải không dệt", "Cái", 5400),
)  # fmt: skip
_TRADES = ("Thương mại và Dịch vụ", "Sản xuất Thương mại", "Thiết bị Khách sạn", "Thực phẩm", "Vật tư Nội thất")
_NAMES = (
    "Hoàng Gia",
    "Phú Thịnh",
    "Đại Dương Xanh",
    "Việt Tiến Phát",
    "Ánh Dương",
    "Trường Sơn",
    "Mỹ Đức",
    "Thuận Phước",
)
_HOTELS = ("Khách sạn Biển Ngọc", "Khách sạn Hương Giang Mới", "Công ty Cổ phần Du lịch Sao Mai")


@dataclass(frozen=True, slots=True)
class _Invoice:
    number: str
    serial: str
    day: date
    seller: str
    seller_tax_code: str
    seller_address: str
    buyer: str
    buyer_person: str
    buyer_tax_code: str
    payment: str
    items: tuple[LineItem, ...]
    units: tuple[str, ...]
    tax_percent: int

    @property
    def subtotal(self) -> int:
        return sum(item.amount for item in self.items)

    @property
    def tax(self) -> int:
        return round(self.subtotal * self.tax_percent / 100)

    @property
    def total(self) -> int:
        return self.subtotal + self.tax


def _draft(rng: random.Random) -> _Invoice:
    goods = rng.sample(_GOODS, k=rng.randint(3, 7))
    items = []
    for description, _, price in goods:
        quantity = rng.randint(1, 60)
        items.append(LineItem(description, quantity, price, price * quantity))
    return _Invoice(
        number=f"{rng.randint(1, 99999):08d}" if rng.random() < 0.5 else str(rng.randint(100, 99999)),
        serial=f"{rng.choice((1, 2))}C{rng.randint(22, 25)}T{rng.choice('ABDMNY')}{rng.choice('ABDHKL')}",
        day=date(2022, 1, 1) + timedelta(days=rng.randint(0, 1400)),
        seller=f"CÔNG TY TNHH {rng.choice(_TRADES).upper()} {rng.choice(_NAMES).upper()}",
        seller_tax_code=tax_code(rng),
        seller_address=address(rng),
        buyer=rng.choice(_HOTELS),
        buyer_person=person(rng).name,
        buyer_tax_code=tax_code(rng),
        payment=rng.choice(("TM/CK", "Chuyển khoản", "Tiền mặt")),
        items=tuple(items),
        units=tuple(unit for _, unit, _ in goods),
        tax_percent=rng.choice((0, 5, 8, 10)),
    )


def _money(value: float, mark: str) -> str:
    return f"{round(value):,}".replace(",", mark)


def _ruled(rng: random.Random, invoice: _Invoice) -> Canvas:
    """The state form: centred title, ruled table, values after dotted labels."""
    canvas = Canvas(1240, 1560, family=rng.choice(families()))
    canvas.write((620, 60), "HÓA ĐƠN GIÁ TRỊ GIA TĂNG", 36, bold=True, colour=(180, 30, 30), anchor="ma")
    canvas.write((620, 108), "(VAT INVOICE)", 20, anchor="ma")
    canvas.write((620, 140), f"Ngày {invoice.day:%d} tháng {invoice.day:%m} năm {invoice.day:%Y}", 22, anchor="ma")
    canvas.write((900, 60), f"Ký hiệu (Serial): {invoice.serial}", 21)
    canvas.write((900, 92), f"Số (No.): {invoice.number}", 21, bold=True)
    y = 200.0
    for text in (
        f"Đơn vị bán hàng (Seller): {invoice.seller}",
        f"Mã số thuế (Tax code): {invoice.seller_tax_code}",
        f"Địa chỉ (Address): {invoice.seller_address}",
        f"Họ tên người mua hàng (Buyer): {invoice.buyer_person}",
        f"Tên đơn vị (Company's name): {invoice.buyer}",
        f"Mã số thuế (Tax code): {invoice.buyer_tax_code}",
        f"Hình thức thanh toán (Payment method): {invoice.payment}",
    ):
        for line in canvas.wrap(text, 22, 1120):
            canvas.write((60, y), line, 22)
            y += 36
    return _table(canvas, invoice, y + 16, mark=".", rules=True)


def _open(rng: random.Random, invoice: _Invoice) -> Canvas:
    """An e-invoice: seller as a letter head, table without rules, amounts with commas."""
    canvas = Canvas(1240, 1560, family=rng.choice(families()))
    for index, line in enumerate(canvas.wrap(invoice.seller, 28, 1000, bold=True)):
        canvas.write((60, 50 + 38 * index), line, 28, bold=True, colour=(20, 60, 120))
    canvas.write((60, 130), f"MST: {invoice.seller_tax_code}", 21)
    canvas.write((60, 162), f"Địa chỉ: {invoice.seller_address}", 21)
    canvas.write((620, 230), "HÓA ĐƠN GIÁ TRỊ GIA TĂNG", 34, bold=True, anchor="ma")
    canvas.write((60, 290), f"Ký hiệu: {invoice.serial}", 21)
    canvas.write((460, 290), f"Số: {invoice.number}", 21, bold=True)
    canvas.write((860, 290), f"Ngày lập: {invoice.day:%d/%m/%Y}", 21)
    canvas.write((60, 340), f"Người mua hàng: {invoice.buyer_person}", 21)
    canvas.write((60, 374), f"Đơn vị: {invoice.buyer}", 21)
    canvas.write((60, 408), f"MST người mua: {invoice.buyer_tax_code}", 21)
    canvas.write((700, 408), f"Hình thức thanh toán: {invoice.payment}", 21)
    return _table(canvas, invoice, 470, mark=",", rules=False)


def _table(canvas: Canvas, invoice: _Invoice, y: float, *, mark: str, rules: bool) -> Canvas:
    """The lines of the invoice and its totals."""
    edges = (60, 120, 560, 660, 780, 960, 1180)
    heads = ("STT", "Tên hàng hóa, dịch vụ", "ĐVT", "Số lượng", "Đơn giá", "Thành tiền")
    top = y
    for head, left, right in zip(heads, edges[:-1], edges[1:], strict=True):
        canvas.write(((left + right) / 2, y + 8), head, 21, bold=True, anchor="ma")
    y += 44
    lines_at = [top, y]
    for number, (item, unit) in enumerate(zip(invoice.items, invoice.units, strict=True), start=1):
        wrapped = canvas.wrap(item.description, 21, edges[2] - edges[1] - 20)
        middle = y + 8 + 14 * (len(wrapped) - 1)
        for index, line in enumerate(wrapped):
            canvas.write((edges[1] + 8, y + 8 + 28 * index), line, 21)
        canvas.write(((edges[0] + edges[1]) / 2, middle), str(number), 21, anchor="ma")
        canvas.write(((edges[2] + edges[3]) / 2, middle), unit, 21, anchor="ma")
        canvas.write((edges[4] - 12, middle), f"{item.quantity:g}", 21, anchor="ra")
        canvas.write((edges[5] - 12, middle), _money(item.unit_price, mark), 21, anchor="ra")
        canvas.write((edges[6] - 12, middle), _money(item.amount, mark), 21, anchor="ra")
        y += 28 * len(wrapped) + 18
        lines_at.append(y)
    if rules:
        for line_y in lines_at:
            canvas.draw.line((edges[0], line_y, edges[-1], line_y), fill=(60, 60, 60), width=2)
        for x in edges:
            canvas.draw.line((x, top, x, y), fill=(60, 60, 60), width=2)
    y += 14
    for label, value in (
        ("Cộng tiền hàng:", invoice.subtotal),
        (f"Thuế suất GTGT: {invoice.tax_percent}%   Tiền thuế GTGT:", invoice.tax),
        ("Tổng cộng tiền thanh toán:", invoice.total),
    ):
        canvas.write((500, y), label, 22, bold=label.startswith("Tổng"))
        canvas.write((edges[6] - 12, y), _money(value, mark), 22, bold=label.startswith("Tổng"), anchor="ra")
        y += 38
    for line in canvas.wrap(f"Số tiền viết bằng chữ: {amount_in_words(invoice.total)} đồng chẵn", 22, 1100):
        canvas.write((60, y), line, 22)
        y += 32
    return canvas


def _bill(rng: random.Random, invoice: _Invoice) -> Canvas:
    """A narrow till receipt with the numbers of a line below its description."""
    canvas = Canvas(720, 1180, family=rng.choice(families()))
    y = 40.0
    for line in canvas.wrap(invoice.seller, 27, 640, bold=True):
        canvas.write((360, y), line, 27, bold=True, anchor="ma")
        y += 36
    for line in canvas.wrap(f"ĐC: {invoice.seller_address}", 20, 620):
        canvas.write((360, y), line, 20, anchor="ma")
        y += 28
    canvas.write((360, y), f"MST: {invoice.seller_tax_code}", 20, anchor="ma")
    canvas.write((360, y + 44), "HÓA ĐƠN BÁN HÀNG", 30, bold=True, anchor="ma")
    y += 100
    canvas.write((40, y), f"Số HĐ: {invoice.number}", 21)
    canvas.write((680, y), f"Ngày: {invoice.day:%d/%m/%Y} 18:{rng.randint(10, 59)}", 21, anchor="ra")
    y += 46
    for x, head, anchor in (
        (40, "Tên hàng", "la"),
        (330, "SL", "ra"),
        (500, "Đơn giá", "ra"),
        (680, "Thành tiền", "ra"),
    ):
        canvas.write((x, y), head, 21, bold=True, anchor=anchor)
    y += 40
    for item in invoice.items:
        for line in canvas.wrap(item.description, 21, 640):
            canvas.write((40, y), line, 21)
            y += 30
        canvas.write((330, y), f"{item.quantity:g}", 21, anchor="ra")
        canvas.write((500, y), _money(item.unit_price, "."), 21, anchor="ra")
        canvas.write((680, y), _money(item.amount, "."), 21, anchor="ra")
        y += 36
    for label, value in (
        ("Cộng tiền hàng:", invoice.subtotal),
        (f"Thuế GTGT ({invoice.tax_percent}%):", invoice.tax),
        ("Tổng thanh toán:", invoice.total),
    ):
        canvas.write((40, y + 12), label, 23, bold=label.startswith("Tổng"))
        canvas.write((680, y + 12), _money(value, "."), 23, bold=label.startswith("Tổng"), anchor="ra")
        y += 38
    canvas.write((360, y + 40), "Xin cảm ơn quý khách!", 21, anchor="ma")
    return canvas


INVOICE_LAYOUTS: dict[str, Callable[[random.Random, _Invoice], Canvas]] = {
    "ruled": _ruled,
    "open": _open,
    "bill": _bill,
}


def vat_invoice(seed: int, layout: str) -> SyntheticDocument:
    """An invoice in one of ``INVOICE_LAYOUTS``. ``fields`` lists only what that layout prints."""
    rng = random.Random(seed)
    invoice = _draft(rng)
    canvas = INVOICE_LAYOUTS[layout](rng, invoice)
    truth = {
        "invoice_number": invoice.number,
        "date": invoice.day.isoformat(),
        "vendor": invoice.seller,
        "vendor_tax_code": invoice.seller_tax_code,
        "subtotal": str(invoice.subtotal),
        "tax_rate": str(invoice.tax_percent),
        "tax_amount": str(invoice.tax),
        "total_amount": str(invoice.total),
        "currency": "VND",
    }
    if layout != "bill":
        truth |= {"invoice_serial": invoice.serial, "buyer": invoice.buyer, "payment_method": invoice.payment}
    return SyntheticDocument("invoice", canvas.bgr(), truth, items=invoice.items)

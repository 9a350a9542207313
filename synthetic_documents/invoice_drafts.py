"""What is on an invoice that never existed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

from synthetic_documents.base import DrawnItem
from synthetic_documents.people import address, person, tax_code

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
_ENGLISH_GOODS = (
    ("Bed linens, king size", "set", 420000),
    ("Cleaning supplies", "box", 185000),
    ("Bath towels, white", "pc", 96000),
    ("Shampoo bottles 30ml", "pc", 4200),
    ("Orange juice, chilled", "ltr", 68000),
    ("LED bulbs 9W warm white", "pc", 45000),
    ("Laundry service, March", "kg", 14000),
    ("Coffee beans, medium roast", "bag", 310000),
)
_ENGLISH_SELLERS = ("Pacific Hotel Supplies Co., Ltd", "Blue Harbour Trading Limited", "Green Leaf Foods Corporation")
_ENGLISH_BUYERS = ("Sunrise Beach Hotel", "Lotus Garden Resort", "Old Quarter Inn")
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
class InvoiceDraft:
    """Seller, buyer, lines and what they add up to."""

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
    items: tuple[DrawnItem, ...]
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


def draft(rng: random.Random) -> InvoiceDraft:
    """Between Vietnamese companies."""
    goods = rng.sample(_GOODS, k=rng.randint(3, 7))
    items = []
    for description, _, price in goods:
        quantity = rng.randint(1, 60)
        items.append(DrawnItem(description, quantity, price, price * quantity))
    return InvoiceDraft(
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


def english_draft(rng: random.Random) -> InvoiceDraft:
    """The same invoice between companies that write English."""
    goods = rng.sample(_ENGLISH_GOODS, k=rng.randint(3, 6))
    quantities = [rng.randint(1, 60) for _ in goods]
    return replace(
        draft(rng),
        number=f"INV-{rng.randint(2022, 2025)}-{rng.randint(1, 999):03d}",
        seller=rng.choice(_ENGLISH_SELLERS),
        buyer=rng.choice(_ENGLISH_BUYERS),
        payment=rng.choice(("Bank transfer", "Cash", "Credit card")),
        items=tuple(
            DrawnItem(description, quantity, price, price * quantity)
            for (description, _, price), quantity in zip(goods, quantities, strict=True)
        ),
        units=tuple(unit for _, unit, _ in goods),
    )


def money(value: float, mark: str) -> str:
    """With ``mark`` between thousands."""
    return f"{round(value):,}".replace(",", mark)

"""Which of a receipt's amounts is the total: what the labels say, held against what the arithmetic allows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from rapidfuzz import fuzz, process

from app.core.ocr.layout import Page, Row
from app.core.ocr.money import Amount, find_amounts
from app.core.ocr.text import find_label, fold


class Role(StrEnum):
    """What a row's amount is, by its label."""

    DUE = "due"
    TOTAL = "total"
    SUBTOTAL = "subtotal"
    TAX = "tax"
    DISCOUNT = "discount"
    ROUNDING = "rounding"
    CHARGE = "charge"
    PAID = "paid"
    CHANGE = "change"
    OTHER = "other"


_LABELS: dict[Role, tuple[str, ...]] = {
    Role.DUE: (
        "tong tien phai thanh toan", "tong tien phai t toan", "tong tien thanh toan", "tong so thanh toan",
        "tong so tien thanh toan", "tong thanh toan", "tong cong tien thanh toan", "tong cong thanh toan",
        "khach phai tra", "khach can tra", "phai thanh toan", "so tien thanh toan", "can thanh toan", "phai tra",
        "tong hoa don", "tong tien khach phai tra", "thanh toan",
        "grand total", "total amount due", "amount due", "total due", "balance due", "total payable", "amount payable",
        "net total", "nett total", "total rounded", "rounded total", "total after rounding", "total inclusive",
        "total incl", "total with", "total sales inclusive", "total amount incl", "total amount payable",
    ),
    Role.TOTAL: (
        "tong cong", "tong tien", "tong gia tri", "cong", "tong", "tong so tien", "thanh tien",
        "total", "total amount", "total sales", "amount",
    ),
    Role.SUBTOTAL: (
        "cong tien hang", "tong tien hang", "tong cong tien hang", "tien hang", "tam tinh", "tong truoc thue",
        "thanh tien truoc thue", "tien truoc thue",
        "sub total", "subtotal", "total excluding", "total excl", "total before tax", "total before gst", "net amount",
        "total sales excluding", "total amount excl",
    ),
    Role.TAX: (
        "tien thue gtgt", "thue gtgt", "tien thue", "thue vat", "vat", "vat amount", "thue",
        "gst", "cgst", "sgst", "igst", "utgst",
        "gst payable", "total gst", "sst", "service tax", "sales tax", "tax", "tax amount", "total tax",
    ),
    Role.DISCOUNT: (
        "chiet khau", "giam gia", "tong tien da giam", "da giam", "khuyen mai", "tien giam", "giam tru",
        "discount", "less discount", "total discount", "voucher",
    ),
    Role.ROUNDING: ("rounding", "rounding adjustment", "rounding adj", "rnd adj", "lam tron"),
    Role.PAID: (
        "khach dua", "tien khach dua", "khach tra", "tien khach tra", "tong tien khach tra", "tien mat", "tien nhan",
        "khach thanh toan", "tien the", "chuyen khoan",
        "cash", "cash tendered", "tendered", "amount tendered", "received", "paid", "credit", "credit card", "visa",
        "mastercard",
        "debit", "payment",
    ),
    Role.CHANGE: (
        "tien thua", "tien tra lai", "tra lai", "tien thoi lai", "tien thoi", "thoi lai", "con lai",
        "change", "change due", "balance",
    ),
    Role.OTHER: (
        "tong so luong", "so luong", "tong so mat hang", "so mat hang", "total qty", "total quantity", "total item",
        "total items", "item count", "item s", "qty", "diem", "tong diem", "diem tich luy", "points", "total saving",
        "total savings", "don gia", "unit price", "gia ban", "gia tri thuong tich luy", "tham chieu", "hotline",
        "dien thoai", "gst summary", "tax summary", "so hoa don", "invoice no", "gst id", "gst reg", "so gd",
        "tien thua lan truoc", "du no",
    ),
}  # fmt: skip

_CHARGES = (
    "phi dich vu", "phi phuc vu", "phi giao hang", "phi van chuyen", "phu thu", "service charge", "svc charge",
    "service chg", "delivery fee", "shipping", "surcharge",
)  # fmt: skip
"""Only where they fill the row: ``Phí dịch vụ giặt là`` is an item."""

_ROLE_OF = {label: role for role, labels in _LABELS.items() for label in labels}
_WHOLE_ROW_ROLE_OF = _ROLE_OF | dict.fromkeys(_CHARGES, Role.CHARGE)
_WEIGHT = {Role.DUE: 3.0, Role.TOTAL: 2.0, Role.SUBTOTAL: 0.9, Role.PAID: 0.6}
_WHOLE_ROW = 90.0
"""Of 100: one letter in ten may be lost."""


@dataclass(frozen=True, slots=True)
class LabelledAmount:
    """An amount and what its row's label calls it. ``row`` is the index of the row in the page."""

    role: Role
    label: str
    amount: Amount
    row: int
    similarity: float
    score: float


def role_of(text: str) -> tuple[Role, str, float] | None:
    """``(role, label, similarity)`` of the label in a row's text, amounts and punctuation left aside."""
    plain = re.sub(r"[^a-z]+", " ", fold(text)).strip()
    if len(plain) < 3:
        return None
    # A label that fills the row says more than one inside it: readers drop the Đ of "Tổng tiền đã giảm".
    whole = process.extractOne(plain, _WHOLE_ROW_ROLE_OF.keys(), scorer=fuzz.ratio, score_cutoff=_WHOLE_ROW)
    if whole is not None:
        return _WHOLE_ROW_ROLE_OF[whole[0]], whole[0], whole[1]
    match = find_label(plain, _ROLE_OF)
    if match is None or len(match.label) < 0.28 * len(plain):
        return None  # a label inside a long sentence is not the row's label
    return _ROLE_OF[match.label], match.label, match.similarity


def find_labelled_amounts(page: Page) -> list[LabelledAmount]:
    """Each labelled row with its amount: the last one in the row, else that of an unlabelled row beside it."""
    labelled: list[LabelledAmount] = []
    taken: set[int] = set()
    roles = [role_of(row.text) for row in page.rows]
    for index, row in enumerate(page.rows):
        role = roles[index]
        if role is None:
            continue
        source = index
        amount = _money_in(row)
        if amount is None:
            source, amount = _beside(page.rows, roles, index, taken)
        if amount is not None:
            taken.add(source)
            score = min(row.score, page.rows[source].score)
            labelled.append(LabelledAmount(role[0], role[1], amount, index, role[2], score))
    return _rounded_totals(labelled)


def _rounded_totals(labelled: Sequence[LabelledAmount]) -> list[LabelledAmount]:
    """``Rounding RM 182.00`` is the rounded total, not what was added by rounding."""
    largest = max((item.amount.value for item in labelled if item.role in _WEIGHT), default=Decimal(0))
    return [
        replace(item, role=Role.DUE) if item.role is Role.ROUNDING and item.amount.value > largest / 2 else item
        for item in labelled
    ]


def _money_in(row: Row) -> Amount | None:
    """The last amount of a row that is no count, code or percentage."""
    amounts = [amount for cell in row.cells for amount in find_amounts(cell.text) if is_money(amount)]
    return amounts[-1] if amounts else None


def is_money(amount: Amount) -> bool:
    """Printed as money: with a currency, thousands groups, cents or a sign; or at least a thousand and no code's
    length."""
    if amount.currency or amount.grouped or amount.decimals == 2 or amount.value < 0:
        return True
    return (amount.decimals == 0 and 1000 <= abs(amount.value) < 10**8) or amount.value == 0


def _beside(rows: Sequence[Row], roles: Sequence[object], index: int, taken: set[int]) -> tuple[int, Amount | None]:
    """The amount of the nearest row without a label, at most 1.3 text heights away and not left of the label."""
    row = rows[index]
    near = sorted(
        (other for other in (index - 1, index + 1, index - 2, index + 2) if 0 <= other < len(rows)),
        key=lambda other: abs(rows[other].y_centre - row.y_centre),
    )
    for other in near:
        distance = abs(rows[other].y_centre - row.y_centre) / max(row.height, 1.0)
        if other in taken or roles[other] is not None or distance > 1.3 or rows[other].x2 < row.x2:
            continue
        amount = _money_in(rows[other])
        if amount is not None and re.sub(r"[\W\d]", "", rows[other].text) in ("", "VND", "đ", "d", "RM"):
            return other, amount
    return index, None

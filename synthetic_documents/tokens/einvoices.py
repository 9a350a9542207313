"""Vietnamese e-invoices: the parties stand in rows of labels in two languages, which wrap where columns are narrow."""

from __future__ import annotations

import random
from dataclasses import replace

from synthetic_documents.tokens.drafts import Draft, fill
from synthetic_documents.tokens.layouts import InvoiceLayout
from synthetic_documents.tokens.sheet import TokenSheet

_FORMS = (
    "Công ty TNHH", "Công ty Cổ phần", "Công ty TNHH Một thành viên", "Công ty TNHH Thương mại Dịch vụ",
    "Công ty Cổ phần Đầu tư", "Hộ kinh doanh", "Doanh nghiệp tư nhân", "Chi nhánh Công ty Cổ phần",
)  # fmt: skip
_TRADES = (
    "Thực phẩm", "Vật tư", "Thiết bị điện", "Giặt là", "Nội thất", "Nước giải khát", "Xăng dầu", "In ấn & Quảng cáo",
    "Vận tải", "Hoa tươi", "Nhà hàng", "Khách sạn & Lữ hành", "Công nghệ", "Bảo trì", "Dệt may", "", "",
)  # fmt: skip
_NAMES = (
    "An Phát", "Bình Minh", "Hoàng Gia", "Sao Mai", "Thành Đạt", "Phú Quý", "Nam Á", "Đông Dương", "Việt Tiến",
    "Kim Long", "Hải Vân", "Tân Phong", "Minh Khuê", "Thiên Hương", "Nguyễn Văn Tư", "Trần Thị Sáu", "Lam Sơn",
)  # fmt: skip
_PEOPLE = ("Lê Văn Hùng", "Phạm Thu Hà", "Vũ Minh Đức", "Đỗ Thị Lan", "")
_SELLER = (
    ("Đơn vị bán hàng", "Seller"), ("Đơn vị bán hàng", "Seller"), ("Tên người bán", "Seller"), ("Bên bán", "Seller"),
    ("Tên đơn vị bán hàng", "Seller's name"), ("Người bán hàng", "Seller"), ("Đơn vị", "Company"),
    ("Đơn vị", "Company"),
)  # fmt: skip
_BUYER = (
    ("Tên đơn vị", "Company's name"), ("Tên đơn vị mua hàng", "Buyer's company"), ("Tên người mua", "Buyer"),
    ("Đơn vị mua hàng", "Company's name"),
)  # fmt: skip
_PERSON = (("Họ tên người mua hàng", "Buyer"), ("Người mua hàng", "Customer name"))
_TITLES = (("HÓA ĐƠN GIÁ TRỊ GIA TĂNG", "(VAT INVOICE)"), ("HÓA ĐƠN BÁN HÀNG", "(SALES INVOICE)"))
_LEFT, _RIGHT = 70.0, 1130.0
Row = tuple[tuple[str, str], str]
"""A label in both languages, and its value."""


class EInvoiceLayout(InvoiceLayout):
    """Rows of labels below the title; or the seller as a letterhead above it."""

    def __init__(self, rng: random.Random, sheet: TokenSheet, paper: Draft) -> None:
        super().__init__(rng, sheet, replace(paper, seller=_company(rng), buyer=_company(rng)))
        self.in_english = rng.random() < 0.6
        self.form = rng.choice(("inline", "inline", "cells", "cells", "wrapped"))
        self.value_x = _LEFT + rng.uniform(330, 460)

    def draw(self) -> None:
        first = self.rng.random()
        if first < 0.45:
            self._letterhead()
        self._head()
        if first >= 0.45:
            self._seller(_LEFT)
        self._buyer(_LEFT)
        self._table()
        self._totals()
        self._signatures()
        self.printed |= {"date": self.paper.day, "invoice_number": self.paper.number, "buyer": self.paper.buyer}

    def _letterhead(self) -> None:
        """The name large, with or without a label, in a column that may be narrow."""
        narrow = self.rng.random() < 0.5
        labelled = self.rng.random() < 0.5
        label = self._label(self.rng.choice(_SELLER)) + " " if labelled else ""
        scale = self.rng.choice((1.0, 1.2, 1.4))
        start = self.y
        self._flow(_LEFT, label + self.paper.seller, _LEFT + (320 if narrow else 900), scale=scale)
        for row in self._seller_details():
            self._flow(_LEFT, f"{self._label(row[0])} {row[1]}", _LEFT + (420 if narrow else 900))
        if narrow:
            end, self.y = self.y, start
            self._flow(_RIGHT - 330, self.rng.choice(("Mẫu số: 1", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")), _RIGHT)
            self.y = max(self.y, end)
        self.down()

    def _head(self) -> None:
        paper, (title, english) = self.paper, self.rng.choice(_TITLES)
        serial = f"{self.rng.choice(('1C', '2C', 'C'))}{paper.day:%y}T{self.rng.choice(('AA', 'MB', 'XK', 'HD'))}"
        rows: list[Row] = [(("Ký hiệu", "Serial No"), serial), (("Số", "No"), fill(self.rng, "0000####"))]
        if self.rng.random() < 0.5:
            rows.insert(0, (("Mẫu số", "Form"), "1"))
        self.sheet.write(520, self.y, title, scale=self.rng.uniform(1.1, 1.6), centre=True)
        for label, value in rows:
            self.sheet.write(_RIGHT - 260, self.y, f"{self._label(label)} {value}")
            self.down()
        if self.in_english:
            self.sheet.write(520, self.y, english, centre=True)
            self.down()
        words = ("Ngày (Date)", "tháng (month)", "năm (year)") if self.in_english else ("Ngày", "tháng", "năm")
        day = f"{words[0]} {paper.day:%d} {words[1]} {paper.day:%m} {words[2]} {paper.day:%Y}"
        self.sheet.write(520, self.y, day, centre=True)
        self.down(1.6)

    def _seller(self, x: float) -> None:
        self._rows(x, [(self.rng.choice(_SELLER), self.paper.seller), *self._seller_details()])

    def _seller_details(self) -> list[Row]:
        paper = self.paper
        rows: list[Row] = [
            (("Mã số thuế", "Tax code"), self._tax_code()),
            (("Địa chỉ", "Address"), ", ".join(paper.address)),
            (("Điện thoại", "Tel"), paper.phone),
            (
                ("Số tài khoản", "Account No"),
                fill(self.rng, "############") + " Tại: Ngân hàng TMCP Ngoại thương Việt Nam",
            ),
        ]
        return [row for index, row in enumerate(rows) if not index or self.rng.random() < 0.8]

    def _buyer(self, x: float) -> None:
        rows: list[Row] = [
            (self.rng.choice(_PERSON), self.rng.choice(_PEOPLE)),
            (self.rng.choice(_BUYER), self.paper.buyer),
            (("Mã số thuế", "Tax code"), self._tax_code()),
            (("Địa chỉ", "Address"), ", ".join(self.paper.buyer_address)),
            (("Hình thức thanh toán", "Payment method"), "TM/CK"),
        ]
        self._rows(x, rows[self.rng.choice((0, 0, 1)) :])

    def _tax_code(self) -> str:
        """Some print it in boxes, a digit each."""
        code = fill(self.rng, "0#########")
        return " ".join(code) if self.rng.random() < 0.3 else code

    def _rows(self, x: float, rows: list[Row]) -> None:
        for label, value in rows:
            if self.form == "inline":
                self._flow(x, f"{self._label(label)} {value}", _RIGHT)
            elif self.form == "wrapped" and self.in_english and len(label[0]) > 10:
                self.sheet.write(x, self.y, label[0])
                self.sheet.write(self.value_x, self.y + self.step / 2, value)
                self.down()
                self.sheet.write(x, self.y, f"({label[1]}){self.colon}")
                self.down()
            else:
                self.sheet.write(x, self.y, self._label(label))
                self._flow(self.value_x, value, _RIGHT)
        self.down(0.6)

    def _flow(self, x: float, text: str, until: float, *, scale: float = 1.0) -> None:
        """``text`` in lines from ``x`` that end before ``until``."""
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and x + self.sheet.width(longer, scale) > until:
                self.sheet.write(x, self.y, line, scale=scale)
                self.down(scale)
                longer = word
            line = longer
        self.sheet.write(x, self.y, line, scale=scale)
        self.down(scale)

    def _label(self, texts: tuple[str, str]) -> str:
        return f"{texts[0]} ({texts[1]}){self.colon}" if self.in_english else texts[0] + self.colon

    def _signatures(self) -> None:
        self.down()
        self.sheet.write(_LEFT + 60, self.y, self._label(("Người mua hàng", "Buyer")).rstrip(" :"))
        self.sheet.write(_RIGHT - 330, self.y, self._label(("Người bán hàng", "Seller")).rstrip(" :"))
        self.down(1.5)
        if self.rng.random() < 0.7:
            signed = self.rng.choice(("Được ký bởi", "Ký bởi"))
            self._flow(_RIGHT - 360, f"{signed}: {self.paper.seller}", _RIGHT)
            self.sheet.write(_RIGHT - 360, self.y, f"Ngày ký: {self.paper.written(self.paper.day)}")


def _company(rng: random.Random) -> str:
    name = " ".join(part for part in (rng.choice(_FORMS), rng.choice(_TRADES), rng.choice(_NAMES)) if part)
    return name.upper() if rng.random() < 0.75 else name

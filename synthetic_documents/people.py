"""Names, places and numbers for people and companies that do not exist."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

_SURNAMES = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô",
    "Dương", "Lý", "Đinh", "Trịnh", "Mai", "Tạ", "Quách", "Lưu",
)  # fmt: skip
_MIDDLE = (
    "Văn", "Thị", "Hữu", "Đức", "Minh", "Ngọc", "Thanh", "Quang", "Hồng", "Thùy", "Xuân", "Bảo", "Gia", "Mỹ",
    "Kim", "Tuấn", "Diệu", "Phương", "Khánh", "Như",
)  # fmt: skip
_MEN = (
    "Hùng", "Dũng", "Cường", "Sơn", "Thắng", "Tuấn", "Khôi", "Phước", "Đạt", "Nghĩa", "Tiến", "Trường", "Vượng",
    "Hiếu", "Kiệt", "Lộc", "Quyền", "Thịnh", "Bình",
)  # fmt: skip
_WOMEN = (
    "Hương", "Lan", "Hằng", "Thảo", "Trang", "Nguyệt", "Huyền", "Yến", "Thủy", "Ngân", "Diễm", "Quỳnh", "Loan",
    "Phượng", "Nhung", "Tuyết", "Vy", "Hạnh", "Oanh",
)  # fmt: skip
_STREETS = (
    "Nguyễn Trãi", "Lê Lợi", "Trần Hưng Đạo", "Điện Biên Phủ", "Hai Bà Trưng", "Phan Đình Phùng", "Võ Thị Sáu",
    "Cách Mạng Tháng Tám", "Nguyễn Thị Minh Khai", "Lý Thường Kiệt", "Bạch Đằng", "Hùng Vương", "Phạm Ngũ Lão",
)  # fmt: skip
_COMMUNES = (
    "Phường Bến Nghé", "Xã Phú Thị", "Phường Cẩm Thủy", "Xã Đông Dư", "Phường Thảo Điền", "Xã Vĩnh Lộc A",
    "Phường Mỹ Đình 1", "Thị trấn Củ Chi", "Phường Hòa Cường Bắc", "Xã Tân Thới Nhì", "Phường Lê Hồng Phong",
)  # fmt: skip
_DISTRICTS = (
    ("Quận 1", "Thành phố Hồ Chí Minh", "079"),
    ("Huyện Gia Lâm", "Hà Nội", "001"),
    ("Quận Hải Châu", "Đà Nẵng", "048"),
    ("Thành phố Cẩm Phả", "Quảng Ninh", "022"),
    ("Quận Ninh Kiều", "Cần Thơ", "092"),
    ("Huyện Hóc Môn", "Thành phố Hồ Chí Minh", "079"),
    ("Thành phố Nha Trang", "Khánh Hòa", "056"),
    ("Quận Đống Đa", "Hà Nội", "001"),
    ("Thành phố Huế", "Thừa Thiên Huế", "046"),
    ("Huyện Đức Trọng", "Lâm Đồng", "068"),
    ("Thị xã Từ Sơn", "Bắc Ninh", "027"),
    ("Thành phố Vũng Tàu", "Bà Rịa - Vũng Tàu", "077"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SyntheticPerson:
    """A person on paper. ``number`` is the twelve-digit personal number, consistent with birth, sex and province."""

    name: str
    born: date
    female: bool
    number: str
    old_number: str
    origin: str
    residence: str
    issued: date
    expires: date

    @property
    def sex(self) -> str:
        return "Nữ" if self.female else "Nam"


def person(rng: random.Random) -> SyntheticPerson:
    """A new person; adults, issued between 2021 and 2025."""
    female = rng.random() < 0.5
    born = date(rng.randint(1955, 2004), 1, 1) + timedelta(days=rng.randint(0, 364))
    given = rng.choice(_WOMEN if female else _MEN)
    middle = rng.sample(_MIDDLE, k=rng.choice((1, 1, 2)))
    district, province, code = rng.choice(_DISTRICTS)
    digit = (0 if born.year < 2000 else 2) + female
    issued = date(2021, 3, 1) + timedelta(days=rng.randint(0, 1500))
    return SyntheticPerson(
        name=" ".join([rng.choice(_SURNAMES), *middle, given]),
        born=born,
        female=female,
        number=f"{code}{digit}{born.year % 100:02d}{rng.randint(0, 999999):06d}",
        old_number=f"{rng.randint(100000000, 399999999):09d}",
        origin=f"{rng.choice(_COMMUNES)}, {district}, {province}",
        residence=address(rng),
        issued=issued,
        expires=issued.replace(year=issued.year + 10, day=min(issued.day, 28)),
    )


def address(rng: random.Random) -> str:
    """A house number, street, commune, district and province."""
    district, province, _ = rng.choice(_DISTRICTS)
    house = f"{rng.randint(1, 399)}{rng.choice(('', '', 'A', '/12'))}"
    return f"{house} {rng.choice(_STREETS)}, {rng.choice(_COMMUNES)}, {district}, {province}"


def plain(text: str) -> str:
    """Without diacritics, upper case, as machine-readable zones spell names."""
    text = text.replace("đ", "d").replace("Đ", "D")
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).upper()


def tax_code(rng: random.Random) -> str:
    """Ten digits whose last checks the others."""
    weights = (31, 29, 23, 19, 17, 13, 7, 5, 3)
    while True:
        digits = [0, *(rng.randint(0, 9) for _ in range(8))]
        check = 10 - sum(w * d for w, d in zip(weights, digits, strict=True)) % 11
        if check < 10:
            return "".join(map(str, [*digits, check]))

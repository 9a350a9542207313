"""Fixed expressions of Vietnamese papers, to put back tone marks that a reader lost.

Only whole expressions are restored, and only where their letters agree: single words are too ambiguous without tone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from app.core.ocr.text import fold

_EXPRESSIONS = """
Thành phố|Thị trấn|Thị xã|Hồ Chí Minh|Hà Nội|Hải Phòng|Đà Nẵng|Cần Thơ|Việt Nam|An Giang|Bà Rịa|Vũng Tàu|Bạc Liêu|
Bắc Giang|Bắc Kạn|Bắc Ninh|Bến Tre|Bình Dương|Bình Định|Bình Phước|Bình Thuận|Cà Mau|Cao Bằng|Đắk Lắk|Đắk Nông|
Điện Biên|Đồng Nai|Đồng Tháp|Gia Lai|Hà Giang|Hà Nam|Hà Tĩnh|Hải Dương|Hậu Giang|Hòa Bình|Hưng Yên|Khánh Hòa|
Kiên Giang|Kon Tum|Lai Châu|Lạng Sơn|Lào Cai|Lâm Đồng|Long An|Nam Định|Nghệ An|Ninh Bình|Ninh Thuận|Phú Thọ|Phú Yên|
Quảng Bình|Quảng Nam|Quảng Ngãi|Quảng Ninh|Quảng Trị|Sóc Trăng|Sơn La|Tây Ninh|Thái Bình|Thái Nguyên|Thanh Hóa|
Thừa Thiên Huế|Tiền Giang|Trà Vinh|Tuyên Quang|Vĩnh Long|Vĩnh Phúc|Yên Bái|Nha Trang|Hạ Long|Cẩm Phả|Thủ Đức|
Sài Gòn|Đà Lạt|Hội An|Phú Quốc|Biên Hòa|Quy Nhơn|Phan Thiết|Buôn Ma Thuột|Đồng Hới|Việt Trì|
Khách sạn|Nhà hàng|Công ty|Cổ phần|Trách nhiệm hữu hạn|Thương mại|Dịch vụ|Thiết bị|Sản xuất|Siêu thị|Cửa hàng|
Thực phẩm|Nội thất|Vật tư|Du lịch|Xuất nhập khẩu|Văn phòng phẩm|Doanh nghiệp|Tư nhân|Hộ kinh doanh|Chi nhánh|
Chuyển khoản|Tiền mặt|Nước khoáng|Nước suối|Khăn tắm|Khăn mặt|Ga trải giường|Bàn chải đánh răng|Giấy vệ sinh|Dầu gội|
Sữa tắm|Cà phê|Giặt là|Nước lau sàn|Xà phòng
"""


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    expressions = [expression.strip() for expression in _EXPRESSIONS.replace("\n", "").split("|")]
    return [(re.compile(rf"(?<![a-z]){re.escape(fold(text))}(?![a-z])"), text) for text in expressions]


def restore_expressions(text: str) -> str:
    """``text`` with the tone marks of known expressions put right, its case kept."""
    text = unicodedata.normalize("NFC", text)
    folded = fold(text)
    for pattern, expression in _patterns():
        for match in pattern.finditer(folded):
            printed = text[match.start() : match.end()]
            text = text[: match.start()] + _in_case_of(printed, expression) + text[match.end() :]
    return text


def _in_case_of(printed: str, expression: str) -> str:
    return "".join(
        right.upper() if left.isupper() else right.lower() for left, right in zip(printed, expression, strict=True)
    )


_SURNAMES = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương",
    "Lý", "Đinh", "Trịnh", "Mai", "Tạ", "Quách", "Lưu", "Đoàn", "Đào", "Trương", "Lâm", "Phùng", "Hà", "Châu", "Cao",
    "Tô", "Thái", "Chu", "Tống", "La", "Kiều", "Vương", "Triệu", "Hứa", "Nghiêm", "Lương",
)  # fmt: skip
_MIDDLE_NAMES = ("Văn", "Thị", "Hữu", "Đức", "Ngọc", "Hồng", "Thùy", "Xuân", "Quốc", "Công", "Đình")


def restore_name(name: str) -> str:
    """A Vietnamese full name, upper case, with the marks of its surname and of fixed middle names put right."""
    words = unicodedata.normalize("NFC", name).upper().split()
    for index, word in enumerate(words):
        known = _SURNAMES if index == 0 else _MIDDLE_NAMES if index < len(words) - 1 else ()
        fitting = [other.upper() for other in known if fold(other) == fold(word)]
        if len(fitting) == 1 and word not in [other.upper() for other in (*_SURNAMES, *_MIDDLE_NAMES)]:
            words[index] = fitting[0]
    return " ".join(words)

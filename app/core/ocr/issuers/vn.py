"""Vietnam: citizen cards of 2021 and 2024, old identity cards, driving licences, passports, the screens of VNeID."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from app.core.ocr.identity_fields import clean_address, clean_name
from app.core.ocr.issuers.base import CardCode, DocumentType, Issuer, NumberFacts, SecondLanguage
from app.core.ocr.lexicon import restore_expressions, restore_name
from app.core.ocr.mrz import Mrz
from app.core.ocr.text import fold, has_vietnamese_letter, squeeze

_LABELS = {
    "full_name": (
        "ho va ten", "ho ten", "ho chu dem va ten khai sinh", "ho va ten khai sinh", "ho chu dem va ten",
    ),
    "surname": ("ten ho",),
    "date_of_birth": ("ngay sinh", "sinh ngay", "ngay thang nam sinh"),
    "gender": ("gioi tinh",),
    "nationality": ("quoc tich",),
    "place_of_origin": ("que quan", "nguyen quan", "noi dang ky khai sinh", "noi sinh"),
    "address": ("noi thuong tru", "noi cu tru", "noi dkhk thuong tru", "noi dang ky hktt"),
    "issue_date": ("ngay cap", "ngay thang nam cap", "ngay thang nam", "date month year"),
    "expiry_date": ("co gia tri den", "co gia tri den ngay", "gia tri den", "ngay het han", "ngay thang nam het han"),
    "passport_number": ("so ho chieu",),
    "other": (
        "so gcmnd", "loai", "ma so", "dac diem nhan dang", "so dinh danh ca nhan", "hang", "cuc truong", "bo cong an",
        "noi cap", "nhom mau", "dan toc", "ton giao", "noi o hien tai", "thong tin can cuoc", "ho so",
    ),
}  # fmt: skip
_TITLES = {
    DocumentType.DRIVER_LICENSE: ("giay phep lai xe",),
    DocumentType.PASSPORT: ("ho chieu",),
    DocumentType.ID_CARD: (
        "can cuoc cong dan", "giay chung minh nhan dan", "chung minh nhan dan", "the can cuoc", "can cuoc",
        "the can cuoc cong dan", "can cuoc dien tu", "thong tin can cuoc",
    ),
}  # fmt: skip
_MARKS = ("cong hoa xa hoi chu nghia viet nam", "socialist republic of viet nam", "doc lap tu do hanh phuc")
_WORDS = (
    "hoa don", "ngay", "tong", "tien", "cong", "khach", "thanh toan", "so luong", "don gia", "thanh tien", "viet nam",
    "duong", "phuong", "quan", "thue", "cong hoa", "ho va ten", "giay", "can cuoc", "dia chi", "gioi tinh", "quoc tich",
    "noi cu tru", "que quan", "cuc truong",
)  # fmt: skip
_SHARE_OF_LINES = 0.08

_UNCHECKED_NUMBERS = (
    re.compile(r"(?<!\d)(?<!\d\s)\d(?:\s?\d){11}(?!\s?\d)"),
    re.compile(r"(?<!\d)(?<!\d\s)\d{3}\s?\d{3}\s?\d{3}(?!\s?\d)"),
)
"""Licences, and cards whose province cannot be read; cards before 2016."""

_PROVINCES = frozenset(
    (
        "001", "002", "004", "006", "008", "010", "011", "012", "014", "015", "017", "019", "020", "022", "024",
        "025", "026", "027", "030", "031", "033", "034", "035", "036", "037", "038", "040", "042", "044", "045",
        "046", "048", "049", "051", "052", "054", "056", "058", "060", "062", "064", "066", "067", "068", "070",
        "072", "074", "075", "077", "079", "080", "082", "083", "084", "086", "087", "089", "091", "092", "093",
        "094", "095", "096",
    )
)  # fmt: skip
"""Codes of the birth provinces in personal numbers (Circular 59/2021/TT-BCA, annex I)."""

_DIGIT_LIKE = str.maketrans(
    {"O": "0", "o": "0", "D": "0", "Q": "0", "I": "1", "l": "1", "|": "1", "S": "5", "B": "8", "Z": "2"}
)

_UNMARKED_UNIT = re.compile(r"(?<=[^\s,])(?<!Thị) (?=(?:Thành phố|Quận|Huyện|Tỉnh|Thị xã|Thị trấn|Phường|Xã) )")
"""Where a line of an address broke at a comma, the comma is often lost."""


def is_vietnamese(texts: Sequence[str]) -> bool:
    """Whether the lines of a page are Vietnamese: letters that only it has, or its commonest words on bills."""
    lines = [text for text in texts if sum(character.isalpha() for character in text) >= 3]
    if not lines:
        return False
    hits = sum(has_vietnamese_letter(text) or any(word in fold(text) for word in _WORDS) for text in lines)
    return hits >= max(2, _SHARE_OF_LINES * len(lines))


def is_personal_number(number: str) -> bool:
    """Whether twelve digits have the structure of a Vietnamese personal number: a province's code first."""
    return re.fullmatch(r"\d{12}", number) is not None and number[:3] in _PROVINCES


def birth_year_and_sex(number: str) -> tuple[int, str]:
    """What a personal number says: ``(year, "Male" or "Female")``. The fourth digit holds century and sex."""
    digit = int(number[3])
    return 1900 + 100 * (digit // 2) + int(number[4:6]), "Female" if digit % 2 else "Male"


def find_personal_numbers(text: str) -> list[str]:
    """Twelve digits in a row, or in groups, of the right structure; letters read for digits are repaired."""
    found = []
    for match in re.finditer(r"(?<![\w])[\dOoDQIl|SBZ](?:\s?[\dOoDQIl|SBZ]){11}(?![\w])", text):
        digits = re.sub(r"\s", "", match[0])
        if sum(character.isdigit() for character in digits) >= 9:
            number = digits.translate(_DIGIT_LIKE)
            if is_personal_number(number) and number not in found:
                found.append(number)
    return found


def facts_of(number: str) -> NumberFacts | None:
    """Birth year and sex of a personal number; None where it is none, as of old cards and licences."""
    return NumberFacts(*birth_year_and_sex(number)) if is_personal_number(number) else None


def _is_card_number(number: str) -> bool:
    return is_personal_number(number) or re.fullmatch(r"\d{9}", number) is not None


def _number_of_zone(zone: Mrz) -> tuple[str, str]:
    """On cards the whole number is the optional data, which only the composite covers."""
    if zone.layout != "TD1":
        return zone.number, "number"
    return (zone.personal if is_personal_number(zone.personal) else zone.number), "composite"


def _name(text: str) -> str:
    words: list[str] = []
    for word in clean_name(text).split():
        if words and not re.search(r"[aeiouy]", fold(word)):
            words[-1] += word  # a syllable has a vowel: CƯỜ NG is one
        else:
            words.append(word)
    name = " ".join(words)
    return restore_name(name) if has_vietnamese_letter(name) or len(name.split()) >= 3 else name


def _place(text: str) -> str:
    return clean_address(_UNMARKED_UNIT.sub(", ", restore_expressions(" ".join(text.split()))))


def read_citizen_code(text: str) -> CardCode | None:
    """``number|old number|name|ddmmyyyy|sex|address|ddmmyyyy``; later cards append more parts."""
    parts = [part.strip() for part in text.split("|")]
    if len(parts) < 6 or not re.fullmatch(r"\d{12}", parts[0]):
        return None
    fields = {
        "id_number": parts[0],
        "full_name": parts[2].upper(),
        "date_of_birth": _day(parts[3]),
        "gender": {"nam": "Male", "nu": "Female"}.get(squeeze(parts[4])),
        "address": parts[5],
        "issue_date": _day(parts[6]) if len(parts) > 6 else None,
    }
    return CardCode(parts[0], {name: value for name, value in fields.items() if value})


def _day(text: str) -> str | None:
    try:
        return datetime.strptime(text, "%d%m%Y").date().isoformat()  # noqa: DTZ007  # a day without a zone
    except ValueError:
        return None


PROFILE = Issuer(
    country="VN",
    code="VNM",
    labels=_LABELS,
    languages=("en",),
    titles=_TITLES,
    marks=_MARKS,
    find_numbers=find_personal_numbers,
    is_card_number=_is_card_number,
    unchecked_numbers=_UNCHECKED_NUMBERS,
    facts_of=facts_of,
    number_of_zone=_number_of_zone,
    clean_name=_name,
    clean_place=_place,
    read_code=read_citizen_code,
    second_language=SecondLanguage("vi", "ocr_recognition_vi", is_vietnamese),
)

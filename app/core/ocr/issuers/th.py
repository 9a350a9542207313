"""Thailand: the national identity card, in Thai and English, its years counted from the Buddha's death."""

from __future__ import annotations

import re

from app.core.ocr.identity_fields import clean_name
from app.core.ocr.issuers.base import DocumentType, Issuer

_LABELS = {
    "full_name": ("ชื่อตัวและชื่อสกุล",),
    "given_names": ("ชื่อตัว",),
    "surname": ("ชื่อสกุล", "นามสกุล"),
    "date_of_birth": ("เกิดวันที่", "วันเกิด"),
    "address": ("ที่อยู่",),
    "issue_date": ("วันออกบัตร",),
    "expiry_date": ("วันบัตรหมดอายุ",),
    "document_number": ("เลขประจำตัวประชาชน",),
    "other": ("ศาสนา", "เจ้าพนักงานออกบัตร", "identification number"),
}
_TITLES = {
    DocumentType.ID_CARD: ("thai national id card", "บัตรประจำตัวประชาชน"),
    DocumentType.DRIVER_LICENSE: ("ใบอนุญาตขับรถ", "kingdom of thailand driving licence"),
    DocumentType.PASSPORT: ("หนังสือเดินทาง",),
}
_MARKS = ("thai national id card", "kingdom of thailand", "บัตรประจำตัวประชาชน")

_NUMBER = re.compile(r"(?<!\d)\d(?:[\s-]?\d){12}(?!\d)")
_COURTESY = re.compile(r"^\s*(?:mr|mrs|ms|miss|master|นาย|นางสาว|นาง|ด\.ช|ด\.ญ|น\.ส)\b\.?\s*", re.IGNORECASE)
_MONTHS = (
    "ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค.",
)  # fmt: skip
_BUDDHIST_YEAR = re.compile(r"(?<!\d)2[45]\d{2}(?!\d)")
_YEARS_BEFORE = 543


def find_identity_numbers(text: str) -> list[str]:
    """Thirteen digits, in a row or in the card's groups, whose check digit is right."""
    numbers = (re.sub(r"\D", "", match[0]) for match in _NUMBER.finditer(text))
    return list(dict.fromkeys(number for number in numbers if _is_valid(number)))


def _is_valid(number: str) -> bool:
    """Weights 13 to 2; the last digit makes the sum eleven's multiple. No number begins with 0 or 9."""
    if not re.fullmatch(r"[1-8]\d{12}", number):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:12], range(13, 1, -1), strict=True))
    return (11 - total % 11) % 10 == int(number[12])


def in_gregorian_calendar(text: str) -> str:
    """``25 ก.ค. 2555`` as ``25/7/2012``: Thai months as numbers, years of the Buddhist era 543 less."""
    for number, month in enumerate(_MONTHS, start=1):
        text = re.sub(rf"\s*{re.escape(month)}\s*", f"/{number}/", text)
    return _BUDDHIST_YEAR.sub(lambda year: str(int(year[0]) - _YEARS_BEFORE), text)


def _name(text: str) -> str:
    return clean_name(_COURTESY.sub("", text))


PROFILE = Issuer(
    country="TH",
    code="THA",
    labels=_LABELS,
    titles=_TITLES,
    marks=_MARKS,
    find_numbers=find_identity_numbers,
    is_card_number=_is_valid,
    gregorian=in_gregorian_calendar,
    clean_name=_name,
)

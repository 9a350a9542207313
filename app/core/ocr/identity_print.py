"""The printed fields of identity papers, by their labels in two languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from app.core.ocr.dates import find_dates
from app.core.ocr.identity_fields import (
    clean_address,
    clean_name,
    find_personal_numbers,
    nationality,
    parse_birth,
    parse_day,
    parse_sex,
)
from app.core.ocr.labels import LabelledValue, find_values
from app.core.ocr.layout import Page
from app.core.ocr.lexicon import restore_expressions, restore_name
from app.core.ocr.text import find_label, fold, has_vietnamese_letter

_LABELS: dict[str, tuple[str, ...]] = {
    "full_name": (
        "ho va ten", "ho ten", "ho  chu dem va ten khai sinh", "ho chu dem va ten khai sinh", "full name",
        "ho va ten khai sinh",
    ),
    "surname": ("surname", "last name", "ten ho"),
    "given_names": ("given names", "given name", "first name"),
    "date_of_birth": (
        "ngay sinh", "sinh ngay", "ngay  thang  nam sinh", "ngay thang nam sinh", "date of birth", "birth date", "born",
    ),
    "gender": ("gioi tinh", "sex", "gender"),
    "nationality": ("quoc tich", "nationality"),
    "place_of_origin": (
        "que quan", "nguyen quan", "place of origin", "noi dang ky khai sinh", "noi sinh", "place of birth",
    ),
    "address": (
        "noi thuong tru", "noi cu tru", "noi dkhk thuong tru", "noi dang ky hktt", "place of residence",
        "address", "residence",
    ),
    "issue_date": (
        "ngay cap", "ngay  thang  nam cap", "ngay thang nam cap", "date of issue", "issued on", "ngay  thang  nam",
        "date  month  year",
    ),
    "expiry_date": (
        "co gia tri den", "co gia tri den ngay", "gia tri den", "ngay het han", "ngay  thang  nam het han",
        "ngay thang nam het han", "date of expiry", "expires", "valid until", "expiry date", "date of expiration",
    ),
    "passport_number": ("so ho chieu", "passport no", "passport number"),
    "other": (
        "so gcmnd", "id card no", "loai", "type", "ma so", "code", "dac diem nhan dang", "personal identification",
        "personal identification number", "so dinh danh ca nhan", "hang", "class", "cuc truong", "bo cong an",
        "noi cap",
        "place of issue", "authority",
    ),
}  # fmt: skip
_MULTILINE = frozenset({"address", "place_of_origin"})

_TITLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("driver_license", ("giay phep lai xe", "driver s license", "driving licence", "driver license")),
    ("passport", ("ho chieu", "passport", "passeport", "reisepass", "pasaporte")),
    (
        "id_card",
        ("can cuoc cong dan", "citizen identity card", "identity card", "giay chung minh nhan dan",
        "chung minh nhan dan",
         "the can cuoc", "can cuoc", "personal identification"),
    ),
)  # fmt: skip
_OLD_NUMBER = re.compile(r"(?<!\d)(\d{3}\s?\d{3}\s?\d{3})(?!\d)")
_PASSPORT_NUMBER = re.compile(r"\b[A-Z]\d{7,8}\b")
_TWELVE_DIGITS = re.compile(r"(?<!\d)\d(?:\s?\d){11}(?!\d)")
_NUMBER_LABEL = re.compile(r"\W*(?:(?:s\w?|no|number|cccd|gplx|can cuoc|dinh danh|ca nhan|id)\W+)*")
"""What may stand before a number in its cell."""


@dataclass(frozen=True, slots=True)
class PrintedField:
    """A value in its public form; ``score`` is the reading's, 0 to 1."""

    value: str
    score: float


@dataclass(frozen=True, slots=True)
class Print:
    """All that print says; ``personal_numbers`` are the twelve-digit numbers of the whole page."""

    fields: dict[str, PrintedField]
    personal_numbers: tuple[str, ...]


def find_document_type(page: Page) -> str | None:
    """``id_card``, ``passport`` or ``driver_license`` by the page's title; None without one."""
    best: tuple[float, int, str] | None = None
    for row in page.rows:
        plain = re.sub(r"[^a-z0-9]+", " ", fold(row.text)).strip()
        for kind, titles in _TITLES:
            match = find_label(plain, titles, min_similarity=86)
            # A title fills its line; a field that only mentions the paper does not.
            if match and len(match.label) >= 0.3 * len(plain):
                rank = (match.similarity * min(1.0, 0.5 + len(match.label) / len(plain)), len(match.label), kind)
                if best is None or rank > best:
                    best = rank
    return best[2] if best else None


def read_print(page: Page, *, today: date) -> Print:
    """The fields that stand in print."""
    values = find_values(page, _LABELS, multiline=_MULTILINE)
    fields: dict[str, PrintedField] = {}
    for name, clean in _cleaners(today).items():
        if name in values and (value := clean(values[name].text)):
            fields[name] = PrintedField(value, values[name].score)
    if "full_name" not in fields:
        _join_names(values, fields)
    numbers = _numbers(page)
    number = _number(page, values, numbers, find_document_type(page))
    if number:
        fields["id_number"] = number
    if "issue_date" not in fields:
        _dated_place(page, fields, today=today)
    return Print(fields, tuple(numbers))


def _cleaners(today: date) -> dict[str, Callable[[str], str | None]]:
    def day(text: str) -> str | None:
        found = parse_day(text, today=today)
        return found.isoformat() if found else None

    def birth(text: str) -> str | None:
        found = parse_birth(text, today=today)
        return found.isoformat() if found else None

    def place(text: str) -> str:
        return clean_address(restore_expressions(text))

    return {
        "full_name": _name,
        "date_of_birth": birth,
        "gender": parse_sex,
        "nationality": lambda text: nationality(text) if text else None,
        "place_of_origin": place,
        "address": place,
        "issue_date": day,
        "expiry_date": day,
    }


def _name(text: str) -> str | None:
    name = clean_name(text)
    if len(name) < 3:
        return None
    return restore_name(name) if has_vietnamese_letter(name) or len(name.split()) >= 3 else name


def _join_names(values: dict[str, LabelledValue], fields: dict[str, PrintedField]) -> None:
    parts = [values[name] for name in ("surname", "given_names") if name in values and values[name].text]
    if parts:
        name = clean_name(" ".join(part.text for part in parts))
        fields["full_name"] = PrintedField(name, min(part.score for part in parts))


def _number(
    page: Page, values: dict[str, LabelledValue], numbers: Sequence[str], kind: str | None
) -> PrintedField | None:
    """The paper's own number: a passport's by its form, a card's or a licence's twelve digits, an old card's nine."""
    if "passport_number" in values or kind == "passport":
        return _passport_number(page, values.get("passport_number"))
    for row in page.rows:
        for cell in row.cells:
            if numbers and numbers[0] in re.sub(r"\s", "", cell.text):
                return PrintedField(numbers[0], cell.score)
    if numbers:
        return PrintedField(numbers[0], 0.8)  # mended digits, or digits spread over cells
    for row in page.rows:
        match = _OLD_NUMBER.search(row.text)
        if match and re.fullmatch(r"\W*(s\w?\W*)?", fold(row.text[: match.start()])):
            return PrintedField(re.sub(r"\s", "", match[1]), row.score)
    return None


def _passport_number(page: Page, labelled: LabelledValue | None) -> PrintedField | None:
    """Behind its label, else alone in a cell: the personal number that a passport prints too is not its own."""
    if labelled and (match := _PASSPORT_NUMBER.search(labelled.text.upper().replace(" ", ""))):
        return PrintedField(match[0], labelled.score)
    alone = (cell for cell in page.cells if _PASSPORT_NUMBER.fullmatch(cell.text.upper().replace(" ", "")))
    return next((PrintedField(cell.text.upper().replace(" ", ""), cell.score) for cell in alone), None)


def _numbers(page: Page) -> list[str]:
    """The twelve-digit numbers of ``page`` of the right structure; without any, those that stand where a number does:
    licences are numbered otherwise, and digits may be misread."""
    structured = find_personal_numbers(page.text)
    if structured:
        return structured
    found = []
    for cell in page.cells:
        match = _TWELVE_DIGITS.search(cell.text)
        if match and _NUMBER_LABEL.fullmatch(fold(cell.text[: match.start()])):
            found.append(re.sub(r"\s", "", match[0]))
    return list(dict.fromkeys(found))


def _dated_place(page: Page, fields: dict[str, PrintedField], *, today: date) -> None:
    """``Hà Nội, ngày 10 tháng 04 năm 2021``: the day of issue without a label."""
    for row in page.rows:
        if re.search(r"ngay.{0,12}\d.{0,16}thang", fold(row.text)):
            dates = find_dates(row.text, latest=today)
            if dates:
                fields["issue_date"] = PrintedField(dates[0].value.isoformat(), row.score)
                return

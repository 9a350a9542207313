"""Number, serial, buyer, tax codes, tax rate and payment method of an invoice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from app.core.ocr.layout import Page, Row
from app.core.ocr.lexicon import restore_expressions
from app.core.ocr.money import find_amounts
from app.core.ocr.tax_code import find_personal_codes, find_tax_codes
from app.core.ocr.text import find_label, fold, squeeze
from app.core.ocr.totals import Role, is_money, role_of

_NUMBER_LABELS = (
    "so hoa don", "hoa don so", "so hd", "hd so", "so phieu", "so ct", "so chung tu", "ma hoa don", "ma don hang",
    "so bill", "so",
    "so gd", "hd", "s", "sa", "sd", "s6", "h",
    "invoice no", "invoice number", "invoice", "inv no", "receipt no", "bill no", "doc no",
    "document no",
    "tax invoice no", "tax invoice", "ref no", "order no", "check no",
)  # fmt: skip
_WEAK_NUMBER_LABELS = ("s", "sa", "sd", "s6", "h")
"""What readers make of ``Số`` and ``HĐ`` in bad print."""

_MARKED = re.compile(r"[^\W\d]{1,3}\s?(?:\([^)]*\)?\s?)?[:.#/]")
"""A label with its mark: ``Số: 17``, ``Số (No.): 17``."""

_NEXT_PAIR = re.compile(r":\s?[\w./-]*\d[\w./-]*\s+(?=[^\W\d]+(?:\s[^\W\d]+){0,2}\s?(?:\([^)]*\)\s?)?[:#])")
"""Where one label and its value end and the next begin: ``Ký hiệu: 1C26TPP Số: 00001234``."""

_SELF_NAMED = re.compile(r"\bH[DĐ]\d[\d./-]{4,}\d")

_NOT_NUMBER = (
    "so tham chieu",
    "so luong",
    "so dien thoai",
    "so tien",
    "so tai khoan",
    "tong so",
    "so the",
    "ma so thue",
)
_SERIAL_LABELS = ("ky hieu", "serial", "ky hieu hoa don")
_FORM_LABELS = ("mau so",)
"""The form's own number, which some print the serial with."""

_BUYER_LABELS = (
    "ten don vi", "don vi mua hang", "don vi", "ten nguoi mua hang", "nguoi mua hang", "ho ten nguoi mua hang",
    "khach hang", "ten khach hang", "ten khach", "customer", "bill to", "sold to", "buyer", "company s name",
)  # fmt: skip
_MONEY_ROLES = {Role.PAID, Role.CHANGE, Role.DUE}
_PAYS = re.compile(r"khach\s+(?:hang\s+)?(?:can\s+|phai\s+)?(?:tra|dua|thanh toan)\b")
_BUYER_COMPANY = ("ten don vi", "don vi mua hang", "don vi", "company s name")
_PAYMENT_LABELS = (
    "hinh thuc thanh toan",
    "phuong thuc thanh toan",
    "httt",
    "payment method",
    "payment mode",
    "paid by",
)
_TAX_CODE_LABELS = ("ma so thue", "mst", "tax code", "tax id", "tax no", "vat no")

_WORD = re.compile(r"[a-z]{3}")
_NUMBER_VALUE = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,24}", re.IGNORECASE)
_SERIAL_VALUE = re.compile(
    r"\b(?:\d{1,2}[A-Z]{2,4}\d?/?\d{0,3}[A-Z]{0,3}|[12][CK]\d{2}[TDLMNBGH][A-Z]{2}|[A-Z]{2}/\d{2}[EPT])\b"
)
_RATE = re.compile(r"(?<![\d.,])(\d{1,2}(?:[.,]\d)?)\s?%")
_HELP = re.compile(r"^\s*\([^)]*\)")
"""The English of a label, as in ``Số (No.): 123``."""


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """None where a field is not printed or could not be read."""

    invoice_number: str | None = None
    serial: str | None = None
    buyer: str | None = None
    vendor_tax_code: str | None = None
    buyer_tax_code: str | None = None
    tax_rate_percent: Decimal | None = None
    payment_method: str | None = None


def find_header_fields(page: Page) -> HeaderFields:
    """The fields that stand beside labels."""
    vendor_code, buyer_code = _tax_codes(page)
    return HeaderFields(
        invoice_number=_invoice_number(page),
        serial=_serial(page),
        buyer=_buyer(page),
        vendor_tax_code=vendor_code,
        buyer_tax_code=buyer_code,
        tax_rate_percent=_tax_rate(page),
        payment_method=_payment(page),
    )


def value_after(text: str, labels: tuple[str, ...], *, min_similarity: float = 88) -> tuple[str, str] | None:
    """``(label, what follows it)`` in one cell; the label must begin it, or follow a separator."""
    plain = re.sub(r"[^\w]", " ", fold(text))
    match = find_label(plain, labels, min_similarity=min_similarity)
    if match is None or (
        re.search(r"[a-z0-9]{2}", plain[: match.start]) and text[: match.start].strip()[-1] not in "-,;|()"
    ):
        return None
    rest = text[match.end :]
    rest = re.sub(r"^[^\W\d]*\.?", "", rest) if rest[:1].isalpha() else rest
    return match.label, re.sub(r"^[\W_]+", "", _HELP.sub("", rest))


def _invoice_number(page: Page) -> str | None:
    """The first value with a digit behind a number label; labels that name an invoice go before the bare ``Số``, and a
    number that names itself, ``HD130820-0031``, is better than none."""
    found: list[tuple[int, int, str]] = []
    for index, row in enumerate(page.rows):
        for part, following in _parts(row):
            if find_label(part, _NOT_NUMBER, min_similarity=90):
                continue
            labelled = value_after(part, _NUMBER_LABELS)
            if labelled is None:
                continue
            label, value = labelled
            match = _NUMBER_VALUE.match(value or following.lstrip(" :.#"))
            marked = _MARKED.match(part) is not None or (not value and following.startswith(":"))
            if match and _is_number(match, label, marked=marked):
                found.append((-len(label), index, match[0].rstrip("./-")))
    if found:
        return min(found)[2]
    named = (_SELF_NAMED.search(row.text) for row in page.rows)
    return next((match[0] for match in named if match), None)


def _parts(row: Row) -> Iterator[tuple[str, str]]:
    """The labels of a row with the value that may stand behind each, and what follows them."""
    cuts = [[0, *(pair.end() for pair in _NEXT_PAIR.finditer(cell.text)), len(cell.text)] for cell in row.cells]
    parts = [
        cell.text[start:end] for cell, borders in zip(row.cells, cuts, strict=True) for start, end in pairwise(borders)
    ]
    yield from pairwise([*parts, ""])


def _is_number(match: re.Match[str], label: str, *, marked: bool) -> bool:
    """Whether the value can be a number: it has a digit and is no date; behind what may not have been a label at all,
    ``Số A4``, ``Số 12 Lê Lợi``, more is asked of it."""
    value = match[0]
    if not any(character.isdigit() for character in value) or _is_date(value) or _WORD.match(value):
        return False
    if label in _WEAK_NUMBER_LABELS:
        return re.match(r"\d{4}", value) is not None
    if label == "so" and not marked:
        return re.match(r"\d{4}", value) is not None and match.end() == len(match.string.rstrip())
    return True


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}", text) is not None


def _serial(page: Page) -> str | None:
    return _serial_behind(page, _SERIAL_LABELS) or _serial_behind(page, _FORM_LABELS)


def _serial_behind(page: Page, labels: tuple[str, ...]) -> str | None:
    for row in page.rows[:16]:
        for part, following in _parts(row):
            labelled = value_after(part, labels)
            if labelled:
                value = labelled[1] or following
                match = _SERIAL_VALUE.search(value.upper().replace(" ", ""))
                if match:
                    return match[0]
    return None


def _buyer(page: Page) -> str | None:
    """The buyer's company where one is named, else the person."""
    found: dict[bool, str] = {}
    for row in page.rows[:24]:
        if _is_payment(row):
            continue
        for position, cell in enumerate(row.cells):
            labelled = value_after(cell.text, _BUYER_LABELS)
            if labelled is None or find_label(cell.text, ("don vi ban hang", "don vi tinh"), min_similarity=90):
                continue
            label, value = labelled
            if not value and position + 1 < len(row.cells):
                value = row.cells[position + 1].text
            if len(squeeze(value)) >= 3 and not value.isdigit():
                found.setdefault(label in _BUYER_COMPANY, value.strip(" .:;,"))
    buyer = found.get(True) or found.get(False)
    return restore_expressions(buyer) if buyer else None


def _is_payment(row: Row) -> bool:
    """What the customer paid, got back or owes."""
    role = role_of(row.text)
    has_money = any(is_money(amount) for amount in find_amounts(row.text))
    return role is not None and role[0] in _MONEY_ROLES and (has_money or bool(_PAYS.search(fold(row.text))))


def _tax_codes(page: Page) -> tuple[str | None, str | None]:
    """Seller's and buyer's. The seller's stands first unless its label names the buyer."""
    seller: str | None = None
    buyer: str | None = None
    after_buyer = False
    for row in page.rows:
        after_buyer = after_buyer or _names_buyer(row)
        if find_label(row.text, _TAX_CODE_LABELS, min_similarity=88) is None:
            continue
        codes = find_tax_codes(row.text) or find_personal_codes(row.text)
        if not codes:
            continue
        if after_buyer or "mua" in fold(row.text).split():
            buyer = buyer or codes[0]
        else:
            seller = seller or codes[0]
    return seller, buyer


def _names_buyer(row: Row) -> bool:
    return any(value_after(cell.text, _BUYER_LABELS) is not None for cell in row.cells) and not find_label(
        row.text, ("don vi ban hang", "don vi tinh"), min_similarity=90
    )


def _tax_rate(page: Page) -> Decimal | None:
    for row in page.rows:
        if find_label(
            row.text, ("thue suat", "thue gtgt", "vat", "gst", "tax rate", "sst", "tien thue"), min_similarity=88
        ):
            match = _RATE.search(row.text)
            if match:
                return Decimal(match[1].replace(",", "."))
    return None


def _payment(page: Page) -> str | None:
    for row in page.rows:
        for position, cell in enumerate(row.cells):
            labelled = value_after(cell.text, _PAYMENT_LABELS)
            if labelled:
                value = labelled[1] or (row.cells[position + 1].text if position + 1 < len(row.cells) else "")
                if squeeze(value):
                    return restore_expressions(value.strip(" .:;,"))
    words = fold(page.text)
    for method, marks in (
        ("Tiền mặt", ("tien mat",)),
        ("Cash", ("cash",)),
        ("Thẻ", ("tien the",)),
        ("Card", ("visa", "mastercard", "credit card")),
    ):
        if any(mark in words for mark in marks):
            return method
    return None

"""Who issued a receipt or an invoice: guessed from the head of the page, or recognised among known suppliers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.tax_code import find_tax_codes
from app.core.ocr.text import find_label, fold, similarity, squeeze

_NO_NAME = re.compile(
    r"\b(tel|phone|fax|hotline|dt|sdt|dien thoai|mobile|www|website|email|http|facebook|gst|mst|ma so thue|tax|reg|"
    r"ngay|date|time|thoi gian|thu ngan|cashier|nhan vien|nvien|staff|welcome|xin chao|xin cam on|thank|wifi|"
    r"powered|quay|nvbh|ban|table|ma don|so hd|so phieu|khach hang|customer|samsung|iphone|camera|"
    r"galaxy|oppo|xiaomi|shot on)\b"
)
_TITLES = (
    "hoa don ban hang", "hoa don ban le", "hoa don thanh toan", "hoa don gia tri gia tang", "hoa don gtgt", "hoa don",
    "phieu thanh toan", "phieu tinh tien", "phieu thu", "phieu tam tinh", "bien lai", "bien nhan", "phieu giao hang",
    "tax invoice", "simplified tax invoice", "invoice", "receipt", "cash receipt", "official receipt", "bill",
    "cash bill",
)  # fmt: skip
_ITEM_HEADS = ("ten hang", "mat hang", "don gia", "thanh tien", "description", "unit price", "ten mon", "dien giai")
_CUSTOMER = ("khach hang", "nguoi mua", "ten nguoi mua hang", "don vi mua", "customer", "bill to", "sold to", "buyer")

_HEAD_ROWS = 10

_PHONE = re.compile(r"(?<!\d)(?:\+?84|0)\d(?:[\s.-]?\d){7,9}")
_DOMAIN = re.compile(r"(?:www\.|https?://|@|\b)([a-z0-9-]{3,}\.(?:com\.vn|com\.my|vn|com|net|org|my))\b")
_REGISTRATION = re.compile(r"(?<![\w-])(\d{5,9}\s?-\s?[a-z])(?![a-z])")
_TWELVE_DIGITS = re.compile(r"(?<!\d)0\d{11}(?!\d)")


@dataclass(frozen=True, slots=True)
class Supplier:
    """A seller confirmed before. ``aliases`` are names as readers saw them; ``fingerprints`` as
    :func:`fingerprints` makes them."""

    name: str
    tax_code: str | None = None
    aliases: tuple[str, ...] = ()
    fingerprints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seller:
    """``confidence`` is 0 to 1. ``known`` when a supplier was recognised; ``read`` is the name as printed."""

    name: str
    confidence: float
    read: str
    known: bool = False


def fingerprints(page: Page) -> frozenset[str]:
    """What identifies a seller whatever the reader made of its name: tax and registration numbers, phones, domains.

    A customer's are left out: rows from a customer label to two rows below it are not looked at.
    """
    found: set[str] = set()
    customer_until = -1
    for index, row in enumerate(page.rows):
        if find_label(row.text, _CUSTOMER, min_similarity=90):
            customer_until = index + 2
        if index <= customer_until:
            continue
        text = fold(row.text)
        found.update(f"tax:{code}" for code in find_tax_codes(text))
        found.update(f"tel:{_phone(match[0])}" for match in _PHONE.finditer(text))
        found.update(f"web:{match[1]}" for match in _DOMAIN.finditer(text))
        found.update(f"reg:{re.sub(r'[^0-9a-z]', '', match[1])}" for match in _REGISTRATION.finditer(text))
        found.update(f"id:{match[0]}" for match in _TWELVE_DIGITS.finditer(text))
    return frozenset(found)


def _phone(text: str) -> str:
    """National digits, at most eleven, so that an extension behind the number does not matter."""
    return re.sub(r"^84", "0", re.sub(r"\D", "", text))[:11]


def header_cells(page: Page) -> list[Cell]:
    """What stands above the page's title or the first table head, at most the first ten rows: neighbours joined
    into one cell first, then each by itself."""
    cells: list[Cell] = []
    for index, row in enumerate(page.rows[: _HEAD_ROWS + 4]):
        if index >= _HEAD_ROWS or (cells and find_label(row.text, _ITEM_HEADS, min_similarity=88)):
            break
        if _is_title(row.text) and any(_names_something(cell) for cell in cells):
            break
        cells.extend(_joined(row))
        cells.extend(cell for cell in row.cells if len(row.cells) > 1)
    return cells


def _joined(row: Row) -> list[Cell]:
    """The cells of ``row``; neighbours of one height and a word's distance apart become one."""
    joined: list[Cell] = []
    for cell in row.cells:
        last = joined[-1] if joined else None
        if (
            last
            and cell.x1 - last.x2 < 1.2 * min(cell.height, last.height)
            and max(cell.height, last.height) < 1.2 * min(cell.height, last.height)
        ):
            top, bottom = min(last.y1, cell.y1), max(last.y2, cell.y2)
            score = min(last.score, cell.score)
            joined[-1] = Cell(f"{last.text} {cell.text}", score, last.x1, top, cell.x2, bottom)
        else:
            joined.append(cell)
    return joined


def _is_title(text: str) -> bool:
    match = find_label(text, _TITLES, min_similarity=85)
    return match is not None and match.end - match.start > 0.6 * len(text)


def _names_something(cell: Cell) -> bool:
    return sum(character.isalpha() for character in cell.text) >= 4 and not _NO_NAME.search(fold(cell.text))


def recognise(page: Page, guess: Seller | None, suppliers: Sequence[Supplier]) -> Seller | None:
    """The known supplier that ``page`` points to; ``guess`` is the name as it was read."""
    if not suppliers or not page.rows:
        return None
    printed = fingerprints(page)
    names = [cell.text for cell in header_cells(page)] + ([guess.read] if guess else [])
    best: tuple[float, Supplier] | None = None
    for supplier in suppliers:
        likeness = _likeness(supplier, names, printed)
        if likeness > 0 and (best is None or likeness > best[0]):
            best = (likeness, supplier)
    if best is None:
        return None
    read = guess.read if guess else best[1].name
    return Seller(best[1].name, round(min(best[0], 0.99), 3), read, known=True)


def _likeness(supplier: Supplier, names: Sequence[str], printed: frozenset[str]) -> float:
    """0 when nothing points to ``supplier``; else 0.85 to 1.2, identifiers before names."""
    identifiers = supplier.fingerprints | ({f"tax:{supplier.tax_code}"} if supplier.tax_code else set())
    common = len(identifiers & printed)
    name = max(
        (_name_likeness(known, printed_name) for known in (supplier.name, *supplier.aliases) for printed_name in names),
        default=0.0,
    )
    if common:
        return 0.9 + min(0.03 * common, 0.15) + 0.15 * name
    return name if name >= 0.85 else 0.0


def _name_likeness(known: str, printed: str) -> float:
    whole = similarity(known, printed)
    if len(squeeze(known)) >= 8:
        part = fuzz.partial_ratio(squeeze(known), squeeze(printed)) / 100.0
        whole = max(whole, 0.97 * part if len(squeeze(printed)) >= len(squeeze(known)) else 0.0)
    return whole

"""The lines of an invoice or a receipt: description, quantity, unit price and amount."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.ocr.extraction.labels import find_labels
from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.lexicon import restore_expressions
from app.core.ocr.money import find_amounts
from app.core.ocr.table import Columns, Number, body_rows, find_columns, is_quantity, numbers_in, without_amounts
from app.core.ocr.text import fold
from app.core.ocr.weights import is_weight_first, weight_first, weight_in

_DETAIL = re.compile(
    r"^\W*\d+(?:[.,]\d+)?\s?(?:kg|g|l|pcs|stk|st)?\s?[x×*@]\s?(?:rm|usd|us\$|\$|€|£|đ|vnd)?\s?[\d.]", re.IGNORECASE
)
"""``02 X RM 24.35``: quantity and price below the line that they belong to."""

_DISCOUNT = re.compile(r"^\W*(km|ck|khuyen mai|giam gia|chiet khau|discount|disc|voucher)\b")
_NO_ITEM = re.compile(
    r"^\W*(incl(?:\.|usive|uding)?|inkl|davon|dont|waarvan|of which|trong do|"
    r"gia dang ky|gia goc|rrp|barcode|ma hang|thu ngan|nhan vien|cashier|ngay|date|so hd|hd|tax invoice)\b"
)
_SUMMARY = re.compile(
    r"^\W*(?:tong (?:tien |cong )?(?:hang (?:hoa )?)?(?:dich vu )?(?:chiu|khong chiu)? ?thue(?: suat)?\b|"
    r"(?:tien )?(?:hang )?(?:thue suat|khong chiu thue|khong ke khai)\b|"
    r"(?:cong|so tien|tong) ?(?:chuyen|mang) (?:sang|trang)|mang sang|chuyen sang|(?:cong )?trang truoc|"
    r"(?:sub ?total |total |balance |amount )?(?:carried|brought) (?:forward|fwd|over|down)\b|ubertrag\b|zwischensumme|"
    r"a reporter\b|report de la page|suma (?:y sigue|anterior)|a riportare|riporto|transporte?\b(?= \d|$)|"
    r"(?:vat|gst|sst|tax|mwst|ust|tva|iva|btw) (?:rate|code|summary|analysis|breakdown)\b|"
    r"(?:[csi]gst|vat|gst|sst|mwst|ust|tva|iva|btw|(?:sales )?tax|thue gtgt)\W{1,3}\d{1,2}(?:[.,]\d{1,2})? ?%|"
    r"\d{1,2}(?:[.,]\d{1,2})? ?% (?:vat|gst|mwst|ust|tva|iva|btw|moms)\b)"
)
"""A row of the summary by tax rates, or what one page hands on to the next."""

_LEADING_CODE = re.compile(r"^(?:\d{1,2}[.)]?\s+(?=\D)|\d{1,2}(?=[A-ZĐÀ-Ỹ][a-zà-ỹ])|\d{6,14}\s*[-:]?\s*|\d{1,2}$)")
_PRICE_LABEL = re.compile(r"^\W*(?:giá bán|don gia|đơn giá)\W*", re.IGNORECASE)
_TAX_MARK = re.compile(r"\s+\*?(?:S|SR|ZRL|ZR|Z|GST)$|\s+[sz]$")
_CURRENCY = re.compile(r"\W*(?:[A-Z]{3}|RM)\W*")
_OF_HEAD = frozenset({"buyer", "date", "head", "number", "other_number", "phone", "tax_id", "title"})
_TAKEN_OFF = frozenset({"change", "discount", "paid", "rounding", "tax"})
_TOLERANCE = Decimal("0.006")
"""Of the amount: quantities by weight are printed rounded."""


@dataclass(frozen=True, slots=True)
class LineItem:
    """A line. ``consistent`` when quantity × unit price gives the amount; ``score`` is the reading's, 0 to 1."""

    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    consistent: bool
    score: float


def find_items(page: Page) -> list[LineItem]:
    """The items of ``page``, top to bottom; empty where none can be told from the rest."""
    columns = find_columns(page)
    rows = body_rows(page, columns)
    anchors = [index for index, row in enumerate(rows) if _has_amount(row, columns) and not _is_side_note(row)]
    weighed = [index for index in anchors if is_weight_first(rows[index].text)]
    described = [index for index in anchors if len(_letters(_description(rows[index], columns))) >= 3]
    texts = _text_rows(rows, anchors, columns)
    below = 2 * len(described) < len(anchors)
    items: list[LineItem] = []
    for position, index in enumerate(anchors):
        own = _own_texts(rows, anchors, position, texts, weighed=weighed, below=below)
        item = _read_item(rows[index], [rows[i] for i in own], index, own, columns)
        if item is not None:
            items.append(item)
    return _with_details(items, rows, anchors)


def _text_rows(rows: Sequence[Row], anchors: Sequence[int], columns: Columns | None) -> list[int]:
    """The rows that may describe an item. Above the first item of a table without heads also the page's own stand."""
    first = min(anchors, default=0) if columns is None else 0
    return [
        index
        for index, row in enumerate(rows)
        if index not in anchors
        and len(_letters(row.text)) >= 2
        and not _CURRENCY.fullmatch(row.text)
        and not _DETAIL.search(row.text)
        and not _is_side_note(row)
        and not (index < first and _kinds(row) & _OF_HEAD)
    ]


def _kinds(row: Row) -> set[str]:
    return {label.kind for cell in row.cells for label in find_labels(cell.text)}


def _is_side_note(row: Row) -> bool:
    """A discount on the line above, its list price, or a sum of several lines."""
    folded = fold(row.text)
    return any(pattern.search(folded) for pattern in (_DISCOUNT, _NO_ITEM, _SUMMARY))


def _own_texts(
    rows: Sequence[Row],
    anchors: Sequence[int],
    position: int,
    texts: Sequence[int],
    *,
    weighed: Sequence[int],
    below: bool,
) -> list[int]:
    """The text rows of one item. ``below``: numbers stand under their description, as on till receipts; else each
    text row belongs to the nearest row with numbers, or to the weight below it."""
    index = anchors[position]
    if below:
        first = anchors[position - 1] if position else -1
        last = anchors[position + 1] if position + 1 < len(anchors) else len(rows)
        above = [text for text in texts if first < text < index]
        # A page whose first numbers have no words above them prints the words underneath.
        return above[-3:] if min(texts, default=0) < anchors[0] else [text for text in texts if index < text < last][:2]
    own = []
    for text in texts:
        nearest = min(anchors, key=lambda anchor: abs(rows[anchor].y_centre - rows[text].y_centre))
        nearest = text + 1 if text + 1 in weighed else nearest
        if nearest == index and abs(rows[index].y_centre - rows[text].y_centre) < 3.5 * rows[index].height:
            own.append(text)
    return own


def _read_item(
    row: Row, texts: Sequence[Row], index: int, text_indices: Sequence[int], columns: Columns | None
) -> LineItem | None:
    numbers = [number for number in numbers_in(row) if not number.is_code and number.value]
    if not numbers or (any(number.value < 0 for number in numbers) and _kinds(row) & _TAKEN_OFF):
        return None
    quantity, price, amount, consistent = _assign(numbers, columns)
    parts = [(text_index, _description(text, columns)) for text_index, text in zip(text_indices, texts, strict=True)]
    below = weight_first(row.text, numbers[-1].value, tolerance=_TOLERANCE)
    parts.append((index, below.words if below else _description(row, columns)))
    description = " ".join(part for _, part in sorted(parts) if part)
    description = restore_expressions(_LEADING_CODE.sub("", description).strip(" .,:;-*_|"))
    if len(_letters(description)) < 2:
        return None
    score = min(row.score, *(text.score for text in texts), 1.0)
    if below:
        return LineItem(description, below.weight_kg, below.price, numbers[-1].value, True, score)
    return LineItem(description, quantity, price, amount, consistent, score)


def _assign(numbers: Sequence[Number], columns: Columns | None) -> tuple[Decimal | None, Decimal | None, Decimal, bool]:
    """``(quantity, unit price, amount, consistent)`` of the numbers of a row, left to right."""
    best: tuple[tuple[float, ...], Number, Number, Number] | None = None
    for amount in numbers:
        for price in numbers:
            for quantity in numbers:
                if len({id(amount), id(price), id(quantity)}) < 3 or not _multiplies(quantity, price, amount):
                    continue
                fit = _fit(columns, quantity, price, amount)
                ordered = (fit, amount.x2, float(not quantity.is_money), float(quantity.x2 <= price.x1))
                if best is None or ordered > best[0]:
                    best = (ordered, quantity, price, amount)
    if best:
        return best[1].value, best[2].value, best[3].value, True
    amount = _amount_of(numbers, columns)
    others = [number for number in numbers if number is not amount]
    quantity_cell = _nearest(others, columns.quantity) if columns else None
    price_cell = (
        _nearest([number for number in others if number is not quantity_cell], columns.price) if columns else None
    )
    if not others:
        return Decimal(1), amount.value, amount.value, True
    if len(others) == 1:
        return _from_one(others[0].value, amount.value)
    return (
        quantity_cell.value if quantity_cell else None,
        price_cell.value if price_cell else None,
        amount.value,
        False,
    )


def _from_one(other: Decimal, amount: Decimal) -> tuple[Decimal | None, Decimal | None, Decimal, bool]:
    """Quantity and price from one number beside the amount."""
    if other == amount:
        return Decimal(1), amount, amount, True
    quotient = amount / other
    if quotient == quotient.to_integral_value() and quotient > 1:
        # The larger of the two factors is the price: 12 x 5 000, not 5 000 x 12.
        return (quotient, other, amount, True) if other >= quotient else (other, quotient, amount, True)
    return None, other if other < amount else None, amount, False


def _multiplies(quantity: Number, price: Number, amount: Number) -> bool:
    product = quantity.value * price.value
    return abs(product - amount.value) <= max(_TOLERANCE * abs(amount.value), Decimal("0.011"))


def _fit(columns: Columns | None, quantity: Number, price: Number, amount: Number) -> float:
    """How well the choice agrees with the heads of the table; 0 is best."""
    if columns is None:
        return 0.0
    pairs = ((columns.quantity, quantity), (columns.price, price), (columns.amount, amount))
    return -sum(abs(number.x_centre - x) for x, number in pairs if x is not None)


def _amount_of(numbers: Sequence[Number], columns: Columns | None) -> Number:
    if columns and columns.amount is not None:
        nearest = _nearest(numbers, columns.amount)
        if nearest is not None:
            return nearest
    return max(numbers, key=lambda number: number.x2)


def _nearest(numbers: Sequence[Number], x: float | None) -> Number | None:
    return min(numbers, key=lambda number: abs(number.x_centre - x), default=None) if x is not None else None


def _has_amount(row: Row, columns: Columns | None) -> bool:
    """Whether money stands at the row's right, alone in its cell; a line ``2 x 5.00`` below an item is none."""
    numbers = [number for number in numbers_in(row) if not number.is_code and number.is_money]
    if not numbers:
        return False
    if columns and columns.amount is not None and columns.price is not None and columns.amount > columns.price:
        edge = (columns.amount + columns.price) / 2
        return max(number.x2 for number in numbers) > edge
    return not (_DETAIL.search(row.text) and len(numbers) == 1) or is_weight_first(row.text)


def _description(row: Row, columns: Columns | None) -> str:
    """The words of a row; a price's own label and what stands behind the last number, tax marks, left out."""
    edge = max((number.x2 for number in numbers_in(row) if number.is_money), default=row.x2)
    words = [
        text
        for cell in row.cells
        if cell.x1 < edge and (text := _without_numbers(cell, row)) and not _is_unit_cell(cell, columns)
    ]
    return _PRICE_LABEL.sub("", _TAX_MARK.sub("", " ".join(words)))


def _without_numbers(cell: Cell, row: Row) -> str:
    """The words of a cell: nothing of a cell of numbers, and none of the amounts at the end of a long one."""
    text = cell.text
    if find_amounts(text) and (len(_letters(without_amounts(text))) < 3 or is_quantity(text)):
        return ""
    if cell is not row.cells[-1] and len(_letters(text)) >= 3:
        return text
    while (
        (amounts := find_amounts(text))
        and amounts[-1].end == len(text.rstrip(" *sSzZ"))
        and (amounts[-1].grouped or amounts[-1].decimals == 2 or len(row.cells) == 1)
    ):
        shorter = re.sub(r"(?:\b\d+\s?)?[x×*]\s*$", "", text[: amounts[-1].start].rstrip(), flags=re.IGNORECASE)
        if len(_letters(shorter)) < 3:
            break
        text = shorter.rstrip()
    return text


def _is_unit_cell(cell: Cell, columns: Columns | None) -> bool:
    """A unit of measure in a column of its own."""
    if columns is None or columns.unit is None:
        return False
    return abs(cell.x_centre - columns.unit) < 2.5 * cell.height and len(cell.text) <= 8


def _with_details(items: Sequence[LineItem], rows: Sequence[Row], anchors: Sequence[int]) -> list[LineItem]:
    """Quantity and price that stand below their line replace what was assumed from the amount alone."""
    details = [
        [number.value for number in numbers_in(row)]
        for index, row in enumerate(rows)
        if index not in anchors and _DETAIL.search(row.text)
    ]
    detailed = []
    for item in items:
        match = next((pair for pair in details if len(pair) == 2 and pair[0] * pair[1] == item.amount), None)
        if match and item.quantity in (None, Decimal(1)):
            details.remove(match)
            detailed.append(LineItem(item.description, match[0], match[1], item.amount, True, item.score))
        else:
            detailed.append(_weighed(item))
    return detailed


def _weighed(item: LineItem) -> LineItem:
    """A unit price by weight in the description says, with the amount, how much it was."""
    found = weight_in(item.description, item.amount, tolerance=_TOLERANCE)
    if found is None:
        return item
    return LineItem(found.words or item.description, found.weight_kg, found.price, item.amount, True, item.score)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())

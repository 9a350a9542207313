"""Where the table of an invoice is, and which column means what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.ocr.layout import Cell, Page, Row
from app.core.ocr.money import find_amounts
from app.core.ocr.text import find_label, fold
from app.core.ocr.totals import Role, is_money, role_of

_HEADS: dict[str, tuple[str, ...]] = {
    "number": ("stt", "tt", "no.", "item no"),
    "description": (
        "ten hang hoa dich vu", "ten hang hoa", "ten hang", "mat hang", "ten mon", "dien giai", "san pham",
        "ten san pham",
        "noi dung", "description", "item", "product", "particulars", "details",
        "bezeichnung", "beschreibung", "artikel", "leistung", "designation", "libelle", "article", "descripcion",
        "concepto", "descrizione", "omschrijving", "descricao",
    ),
    "unit": ("dvt", "don vi tinh", "unit", "uom", "einheit", "unite", "eenheid"),
    "quantity": (
        "so luong", "sl", "qty", "quantity", "menge", "anzahl", "quantite", "qte", "aantal", "cantidad", "quantita",
    ),
    "price": (
        "don gia", "d.gia", "gia ban", "gia", "unit price", "u.price", "price", "s/price", "rate", "einzelpreis",
        "stuckpreis", "preis", "prix unitaire", "prix", "prijs per stuk", "prijs", "precio", "prezzo", "preco",
    ),
    "amount": (
        "thanh tien", "t.tien", "t tien", "tong tien", "amount", "total", "so tien", "gesamtpreis", "gesamt",
        "zeilenbetrag", "betrag", "montant", "importe", "importo", "bedrag", "prijs incl",
    ),
}  # fmt: skip
_MIN_HEADS = 2
_MIN_COVERAGE = 0.45
"""Of a row's characters: a sentence that mentions a price is no table head."""

_END_ROLES = {Role.DUE, Role.TOTAL, Role.SUBTOTAL, Role.PAID, Role.ROUNDING, Role.CHARGE}
_SUM = re.compile(
    r"\W*(?:(?:zwischen|gesamt)?summe|gesamt(?:betrag)?|rechnungsbetrag|zu zahlen|sous.?total|total (?:ht|ttc|eur|chf)|"
    r"net a payer|tot|totaal|subtotaal|(?:totaal )?(?:exclusief|excl|inclusief|incl) btw|te betalen|totale|imponibile|"
    r"base imponible|importe total|total a pagar|suma|razem)(?:\W+(?:eur|chf|netto|brutto|pln))?[\W\d]*"
)
"""A cell that names a sum in languages that :func:`role_of` does not know."""

_MAX_CODE_DIGITS = 8
_TAX_MARK = re.compile(r"[\s*]*(?:[szSZ]|SR|ZRL|ZR|GST|T)\s*$")


_PER_UNIT = re.compile(r"\s?/\s?(?:kg|g|100g|l|m)\b", re.IGNORECASE)
"""``18.200/KG``: a price of goods by weight, whose amount stands elsewhere."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The x centres (px) of a table's heads, None where a head is missing, and the index of the row they stand in."""

    row: int
    description: float | None
    unit: float | None
    quantity: float | None
    price: float | None
    amount: float | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a row and where it stands, px. ``is_code``: a barcode or an article number; ``is_money``: printed
    with groups or cents."""

    value: Decimal
    x1: float
    x2: float
    is_code: bool
    is_money: bool

    @property
    def x_centre(self) -> float:
        return (self.x1 + self.x2) / 2


def find_columns(page: Page) -> Columns | None:
    """The heads of the table: the row, or two neighbouring rows, that names most columns and little else."""
    named = [_heads(row) for row in page.rows]
    best: tuple[int, int, dict[str, tuple[float, float]]] | None = None
    for index, own in enumerate(named):
        below = named[index + 1] if index + 1 < len(named) else {}
        heads = own if len(own) >= _MIN_HEADS or not own else below | own
        if len(heads) < _MIN_HEADS or not {"amount", "price"} & set(heads):
            continue
        if best is None or len(heads) > best[0]:
            best = (len(heads), index, heads)
    if best is None:
        return None
    centre = {name: (head[0] + head[1]) / 2 for name, head in best[2].items()}
    return Columns(
        row=best[1],
        description=centre.get("description"),
        unit=centre.get("unit"),
        quantity=centre.get("quantity"),
        price=centre.get("price"),
        amount=centre.get("amount"),
    )


def _heads(row: Row) -> dict[str, tuple[float, float]]:
    """``{column: (x1, x2)}`` of the heads in a row; several heads may share a cell."""
    if find_amounts(row.text):
        return {}
    heads: dict[str, tuple[float, float]] = {}
    named = 0
    for name, labels in _HEADS.items():
        for cell in row.cells:
            match = find_label(cell.text, labels, min_similarity=84)
            if match and name not in heads and len(fold(cell.text)) < 60:
                heads[name] = _span(cell, match.start, match.end)
                named += match.end - match.start
    return heads if named >= _MIN_COVERAGE * len(row.text) else {}


def _span(cell: Cell, start: int, end: int) -> tuple[float, float]:
    """The x range of some characters of a cell, taken as equally wide."""
    step = cell.width / max(len(cell.text), 1)
    return cell.x1 + step * start, cell.x1 + step * end


def body_rows(page: Page, columns: Columns | None) -> list[Row]:
    """The rows from the heads, or from the first row with money, to the first total."""
    start = columns.row + 1 if columns else _first_money_row(page)
    rows: list[Row] = []
    for index, row in enumerate(page.rows[start:], start):
        if rows and _is_sum(page.rows, index):
            break
        rows.append(row)
    if rows and len(_heads(rows[0])) >= _MIN_HEADS:
        rows = rows[1:]
    return rows


def _is_sum(rows: Sequence[Row], index: int) -> bool:
    """Whether a row sums up: its label begins it, with money in the row or in one beside it, or it counts the items."""
    row = rows[index]
    near = "\n".join(other.text for other in rows[max(index - 1, 0) : index + 2])
    if any(_SUM.fullmatch(fold(cell.text)) for cell in row.cells) and find_amounts(row.text):
        return True
    role = role_of(row.text)
    if role is None or not _ends_table(role) or not _is_total_row(row, role[1]):
        return False
    return role[0] is Role.OTHER or any(is_money(amount) for amount in find_amounts(near))


def _ends_table(role: tuple[Role, str, float]) -> bool:
    return role[0] in _END_ROLES or (role[0] is Role.OTHER and role[1].startswith(("tong", "total", "item")))


def _is_total_row(row: Row, label: str) -> bool:
    """The label begins the row: a description that holds a word such as ``cash`` does not end the table."""
    return find_label(fold(row.text)[: len(label) + 8], (label,), min_similarity=80) is not None


def _first_money_row(page: Page) -> int:
    """Without heads the table begins up to two rows above the first money; a page without money has no table."""
    for index, row in enumerate(page.rows):
        if any(number.is_money for number in numbers_in(row)):
            return max(index - 2, 0)
    return len(page.rows)


def numbers_in(row: Row) -> list[Number]:
    """The numbers of the cells that hold little else, and those at the end of the others, left to right."""
    numbers = []
    for cell in row.cells:
        text = _TAX_MARK.sub("", cell.text)
        amounts = find_amounts(text)
        letters = sum(character.isalpha() for character in without_amounts(text))
        if letters >= 3 and cell is not row.cells[-1] and not is_quantity(text):
            continue
        for amount in amounts:
            if letters >= 3 and not (amount.grouped or amount.decimals == 2 or is_quantity(text)):
                continue
            if _PER_UNIT.match(text, amount.end):
                continue
            x1, x2 = _span(cell, amount.start, amount.end)
            digits = sum(character.isdigit() for character in text[amount.start : amount.end])
            is_money = amount.grouped or amount.decimals == 2 or amount.currency is not None
            code = not is_money and digits >= _MAX_CODE_DIGITS
            numbers.append(Number(amount.value, x1, x2, code, is_money))
    return numbers


def without_amounts(text: str) -> str:
    """``text`` less its amounts and their currency marks."""
    for amount in reversed(find_amounts(text)):
        text = text[: amount.start] + text[amount.end :]
    return text


def is_quantity(text: str) -> bool:
    """``1 Chai``, ``1.42 Kg``, ``71.900/KG x 2,430 KG``: numbers with units of measure."""
    return re.fullmatch(r"[\d.,\s]*\d\s?[^\W\d]{1,6}\.?(?:\s?[x×]\s?[\d.,]+\s?[^\W\d]{0,4})?", text.strip()) is not None

"""The printed fields of identity papers, by their labels in two languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from app.core.ocr.dates import find_dates
from app.core.ocr.field_codes import read_field_codes
from app.core.ocr.identity_dates import DateReader
from app.core.ocr.identity_fields import nationality, parse_sex
from app.core.ocr.issuers.base import DocumentType, Issuer
from app.core.ocr.issuers.registry import labels_of, titles_of
from app.core.ocr.labels import LabelledValue, find_values
from app.core.ocr.layout import Page
from app.core.ocr.text import find_label, fold

_MULTILINE = frozenset({"address", "place_of_origin"})
_MIN_NAME_LENGTH = 3
_DOUBT = 0.5
"""Of the score of a date that contradicts another."""


_PASSPORT_NUMBER = re.compile(r"\b[A-Z]\d{7,8}\b")
_LABELLED_NUMBER = re.compile(r"(?=(?:[A-Z-]*\d){3})[A-Z\d]{2,}(?:[-./ ]\d+(?![A-Z\d]))*")
_NUMBER_LABEL = re.compile(r"\W*(?:(?:s\w?|no|number|cccd|gplx|can cuoc|dinh danh|ca nhan|id)\W+)*")
"""What may stand before a number in its cell."""


@dataclass(frozen=True, slots=True)
class PrintedField:
    """A value in its public form; ``score`` is the reading's, 0 to 1."""

    value: str
    score: float


@dataclass(frozen=True, slots=True)
class Print:
    """All that print says; ``personal_numbers`` are the personal numbers of the whole page, ``is_numbered`` whether its
    fields have the codes of a driving licence."""

    fields: dict[str, PrintedField]
    personal_numbers: tuple[str, ...]
    is_numbered: bool = False


def find_document_type(page: Page, issuer: Issuer) -> DocumentType | None:
    """The paper's type by the page's title, in a row or a cell of its own; None without one."""
    best: tuple[float, int, DocumentType] | None = None
    texts = [row.text for row in page.rows] + [
        cell.text for row in page.rows if len(row.cells) > 1 for cell in row.cells
    ]
    for text in texts:
        plain = re.sub(r"[\W_]+", " ", fold(text)).strip()
        for kind, titles in titles_of(issuer).items():
            match = find_label(plain, titles, min_similarity=86)
            # A title fills its line; a field that only mentions the paper does not.
            if match and len(match.label) >= 0.3 * len(plain):
                rank = (match.similarity * min(1.0, 0.5 + len(match.label) / len(plain)), len(match.label), kind)
                if best is None or rank > best:
                    best = rank
    return best[2] if best else None


def read_print(page: Page, issuer: Issuer, *, today: date) -> Print:
    """The fields that stand in print."""
    dates = DateReader(page.text, issuer, today=today)
    values = find_values(page, labels_of(issuer), multiline=_MULTILINE)
    coded = None
    if not issuer.is_fully_known:
        coded = read_field_codes(page, is_date=dates.is_date, number_code=issuer.number_code)
        values |= {name: value for name, value in (coded or {}).items() if not _is_read(name, values)}
    fields: dict[str, PrintedField] = {}
    for name, clean in _cleaners(dates, issuer).items():
        if name in values and (value := clean(values[name].text)):
            fields[name] = PrintedField(value, values[name].score)
    if "full_name" not in fields:
        _join_names(values, fields, issuer)
    numbers = issuer.find_numbers(page.text)
    kind = find_document_type(page, issuer)
    number = _number(page, values, numbers, kind, issuer)
    if number:
        fields["id_number"] = number
    if "issue_date" not in fields:
        _dated_place(page, fields, today=today)
    if not issuer.is_fully_known:
        _doubt_dates(fields)
    return Print(fields, tuple(numbers), is_numbered=coded is not None)


def _doubt_dates(fields: dict[str, PrintedField]) -> None:
    """Birth comes before issue, issue before expiry; of dates that do not, one stands at another's label."""
    dates = [name for name in ("date_of_birth", "issue_date", "expiry_date") if name in fields]
    wrong = {name for pair in pairwise(dates) for name in pair if fields[pair[0]].value >= fields[pair[1]].value}
    for name in wrong:
        fields[name] = PrintedField(fields[name].value, fields[name].score * _DOUBT)


def _is_read(name: str, values: Mapping[str, LabelledValue]) -> bool:
    return name in values and bool(values[name].text)


def _cleaners(dates: DateReader, issuer: Issuer) -> dict[str, Callable[[str], str | None]]:
    def name(text: str) -> str | None:
        cleaned = issuer.clean_name(text)
        return cleaned if _is_long_enough(cleaned) else None

    return {
        "full_name": name,
        "date_of_birth": dates.birth,
        "gender": parse_sex,
        "nationality": lambda text: nationality(text) if text else None,
        "place_of_origin": issuer.clean_place,
        "address": issuer.clean_place,
        "issue_date": dates.day,
        "expiry_date": dates.day,
    }


def _is_long_enough(name: str) -> bool:
    """Three letters; two signs of a script that writes a word in one."""
    return len(name) >= _MIN_NAME_LENGTH or (len(name) > 1 and name >= "\u2e80")


def _join_names(values: Mapping[str, LabelledValue], fields: dict[str, PrintedField], issuer: Issuer) -> None:
    """The name from its parts, surname first. ``Name`` alone is all of it, beside one part the other."""
    parts = {name: values[name] for name in ("surname", "given_names", "name") if name in values and values[name].text}
    if len(parts) == 1 and "name" not in parts and not issuer.is_fully_known:
        return  # half of a name is a wrong one
    alone = parts.pop("name", None)
    if alone:
        parts = {"surname": alone, **parts} if "surname" not in parts else {"given_names": alone, **parts}
    if parts:
        ordered = [parts[name] for name in ("surname", "given_names") if name in parts]
        cleaned = " ".join(issuer.clean_name(part.text) for part in ordered)
        if _is_long_enough(cleaned):
            fields["full_name"] = PrintedField(cleaned, min(part.score for part in ordered))


def _number(
    page: Page, values: Mapping[str, LabelledValue], numbers: Sequence[str], kind: DocumentType | None, issuer: Issuer
) -> PrintedField | None:
    """The paper's own number: a passport's by its form, a card's or a licence's personal number, else what the
    issuer's older papers have, else what stands behind the label of a number."""
    if "passport_number" in values or kind is DocumentType.PASSPORT:
        labelled = values.get("passport_number")
        return _passport_number(page, labelled) or (None if issuer.is_fully_known else _labelled_number(labelled))
    for row in page.rows:
        for cell in row.cells:
            if numbers and numbers[0] in re.sub(r"[\s-]", "", cell.text):
                return PrintedField(numbers[0], cell.score)
    if numbers:
        return PrintedField(numbers[0], 0.8)  # repaired digits, or digits spread over cells
    return _unchecked_number(page, issuer) or _labelled_number(values.get("document_number"))


def _passport_number(page: Page, labelled: LabelledValue | None) -> PrintedField | None:
    """Behind its label, else alone in a cell: the personal number that a passport prints too is not its own."""
    if labelled and (match := _PASSPORT_NUMBER.search(labelled.text.upper().replace(" ", ""))):
        return PrintedField(match[0], labelled.score)
    alone = (cell for cell in page.cells if _PASSPORT_NUMBER.fullmatch(cell.text.upper().replace(" ", "")))
    return next((PrintedField(cell.text.upper().replace(" ", ""), cell.score) for cell in alone), None)


def _unchecked_number(page: Page, issuer: Issuer) -> PrintedField | None:
    """A number of the form of those that hold no check, where nothing but its label stands before it."""
    for pattern in issuer.unchecked_numbers:
        for row in page.rows:
            match = pattern.search(row.text)
            if match and _NUMBER_LABEL.fullmatch(fold(row.text[: match.start()])):
                return PrintedField(re.sub(r"\s", "", match[0]), row.score)
    return None


def _labelled_number(labelled: LabelledValue | None) -> PrintedField | None:
    """The first word with three digits in it, and what is set apart from it by single marks."""
    match = _LABELLED_NUMBER.search(labelled.text.upper()) if labelled else None
    return PrintedField(match[0], labelled.score) if match and labelled else None


def _dated_place(page: Page, fields: dict[str, PrintedField], *, today: date) -> None:
    """``Hà Nội, ngày 10 tháng 04 năm 2021``: the day of issue without a label."""
    for row in page.rows:
        if re.search(r"ngay.{0,12}\d.{0,16}thang", fold(row.text)):
            dates = find_dates(row.text, latest=today)
            if dates:
                fields["issue_date"] = PrintedField(dates[0].value.isoformat(), row.score)
                return

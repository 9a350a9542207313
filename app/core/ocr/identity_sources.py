"""What QR code, machine-readable zone and print each say of an identity paper, and how far that is believed."""

from __future__ import annotations

import re
from datetime import date

from app.core.ocr.identity_fields import nationality
from app.core.ocr.identity_print import Print
from app.core.ocr.identity_values import same
from app.core.ocr.issuers.base import CardCode, Issuer
from app.core.ocr.layout import Page
from app.core.ocr.mrz import Mrz
from app.core.ocr.name_spelling import spell_name
from app.core.ocr.text import squeeze

_QR_CONFIDENCE = 0.99
_MRZ_CONFIDENCE = 0.97
UNCOVERED_MRZ_CONFIDENCE = 0.9
"""Of what no check digit covers, in a zone whose digits all agree."""

_UNCHECKED_MRZ_CONFIDENCE = 0.7
_FORMED = {"id_number", "date_of_birth", "gender", "issue_date", "expiry_date"}
_PARTED = re.compile(r"[\s,]+")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_LETTERS_FOR_DIGITS = str.maketrans("01568", "OISGB")


def of_code(code: CardCode) -> dict[str, tuple[str, float]]:
    return {name: (value, _QR_CONFIDENCE) for name, value in code.fields.items()}


def of_mrz(mrz: Mrz, issuer: Issuer, page: Page) -> dict[str, tuple[str, float]]:
    number, number_check = issuer.number_of_zone(mrz)
    printed_number = _printed_spelling(mrz, page)
    ambiguous = mrz.repaired and len(mrz.numbers) > 1 and printed_number is None
    if printed_number and number == mrz.number:
        number = printed_number
    # Names, gender and nationality are covered by no digit; a state's code has letters only.
    state = mrz.nationality if mrz.nationality.isalpha() else mrz.issuer
    values = {
        "full_name": " ".join(part for part in (mrz.surname, mrz.given_names) if part),
        "gender": {"M": "Male", "F": "Female"}.get(mrz.sex, ""),
        "nationality": (nationality(state) or "") if state.isalpha() else "",
    }
    birth = _in_printed_century(mrz.birth, page) if mrz.birth else None
    covered = {
        "id_number": (number, number_check),
        "date_of_birth": (birth.isoformat() if birth else "", "birth"),
        "expiry_date": (mrz.expiry.isoformat() if mrz.expiry else "", "expiry"),
    }
    uncovered = UNCOVERED_MRZ_CONFIDENCE if mrz.all_valid else _UNCHECKED_MRZ_CONFIDENCE
    scored = {name: (value, uncovered) for name, value in values.items()} | {
        name: (value, _MRZ_CONFIDENCE if check in mrz.valid else _UNCHECKED_MRZ_CONFIDENCE)
        for name, (value, check) in covered.items()
    }
    if mrz.names_doubtful or not _is_read_twice(mrz, page):
        scored["full_name"] = (values["full_name"], _UNCHECKED_MRZ_CONFIDENCE)
    if ambiguous:
        scored["id_number"] = (number, _UNCHECKED_MRZ_CONFIDENCE)
    return {name: scored_value for name, scored_value in scored.items() if scored_value[0]}


def _in_printed_century(birth: date, page: Page) -> date:
    """A zone's birth, whose year has two digits, a hundred years earlier where the page has that year alone."""
    years = set(_YEAR.findall(page.text))
    if str(birth.year) in years or str(birth.year - 100) not in years or (birth.month, birth.day) == (2, 29):
        return birth
    return birth.replace(year=birth.year - 100)


def _contradicts(number: str, mrz: Mrz) -> bool:
    """Whether print has the zone's number with zeros for letters O in a way that its check digit rules out."""
    return bool(mrz.numbers) and number not in mrz.numbers and number.replace("O", "0") == mrz.number.replace("O", "0")


def _is_read_twice(mrz: Mrz, page: Page) -> bool:
    """Whether the lines of the page, read freely, hold the zone's names too, be it with figures for letters; true where
    none was read as a zone's."""
    lines = [cell.text.upper().translate(_LETTERS_FOR_DIGITS) for cell in page.cells if "<<" in cell.text]
    names = squeeze(mrz.surname + mrz.given_names).translate(_LETTERS_FOR_DIGITS)
    return not lines or any(names.upper() in re.sub(r"[^A-Z]", "", line) for line in lines)


def _printed_spelling(mrz: Mrz, page: Page) -> str | None:
    """Of the zone's number with its zeros and letters O exchanged, the one that the page prints too."""
    printed = {re.sub(r"[^A-Z0-9]", "", word) for word in page.text.upper().split()} & set(mrz.numbers)
    return printed.pop() if len(printed) == 1 else None


def of_print(printed: Print, mrz: Mrz | None, issuer: Issuer, page: Page) -> dict[str, tuple[str, float]]:
    """What is printed. Other countries' labels are in any language: of their papers only what has a form of its own is
    taken, and a name that is the zone's."""
    values = {name: (field.value, field.score) for name, field in printed.fields.items()}
    if mrz is None or issuer.is_fully_known:
        return values
    kept = {name: values[name] for name in _FORMED & set(values)}
    if "id_number" in kept and _contradicts(kept["id_number"][0], mrz):
        del kept["id_number"]
    name = f"{mrz.surname} {mrz.given_names}".strip()
    words = [(word, cell.score) for cell in page.cells for word in _PARTED.split(cell.text) if "<" not in word]
    spelled = spell_name(name, words)
    if spelled and (mrz.surname or "full_name" not in values):  # a zone without a surname may have lost it
        kept["full_name"] = spelled
    elif "full_name" in values and same("full_name", name, values["full_name"][0]):
        kept["full_name"] = values["full_name"]
    return kept

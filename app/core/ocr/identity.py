"""Identity papers: what the QR code, the machine-readable zone and the print say, fused and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.core.ocr.identity_fields import nationality
from app.core.ocr.identity_print import Print, find_document_type, read_print
from app.core.ocr.issuers.base import CardCode, DocumentType, Issuer
from app.core.ocr.issuers.registry import issuer_of_code, issuer_of_page
from app.core.ocr.layout import Page
from app.core.ocr.mrz import Mrz
from app.core.ocr.name_spelling import spell_name, transliterated
from app.core.ocr.text import fold, similarity, squeeze

_QR_CONFIDENCE = 0.99
_MRZ_CONFIDENCE = 0.97
_UNCOVERED_MRZ_CONFIDENCE = 0.9
"""Of what no check digit covers, in a zone whose digits all agree."""

_UNCHECKED_MRZ_CONFIDENCE = 0.7
_AGREEMENT = 0.98
_ESSENTIAL = ("id_number", "full_name", "date_of_birth")
_FORMED = {"id_number", "date_of_birth", "gender", "issue_date", "expiry_date"}
_SAME_NAME = 0.75
_LETTERS_FOR_DIGITS = str.maketrans("01568", "OISGB")
_SAME_WORDS = 0.9
_CLEAR_PRINT = 0.95


class FieldSource(StrEnum):
    """What a field was read from."""

    QR = "qr"
    MRZ = "mrz"
    OCR = "ocr"


@dataclass(frozen=True, slots=True)
class FieldValue:
    """``confidence`` is 0 to 1. Dates are ``yyyy-mm-dd``."""

    value: str
    confidence: float
    source: FieldSource


@dataclass(frozen=True, slots=True)
class OtherPaper:
    """A paper of the same holder beside the main one, read by its zone alone."""

    document_type: DocumentType
    fields: dict[str, FieldValue]


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """What an identity paper says.

    Attributes:
        document_type: None where the page looks like none of them.
        fields: by the spec's names: id_number, full_name, date_of_birth, gender, nationality, address, issue_date,
            expiry_date; and place_of_origin.
        warnings: stable codes: ``<field>_disagrees`` where two sources differ, ``id_number_birth_mismatch``,
            ``id_number_gender_mismatch``, ``id_number_invalid``, ``mrz_check_digits``, ``mrz_repaired``,
            ``document_expired``, ``<field>_not_found``.
        documents: how many different holders' numbers the page shows.
        issuer: the issuing state of the machine-readable zone, ICAO's code; None without a zone.
        unsupported: whether the issuer's papers are not known well enough for what could not be read.
        others: further papers of the same holder on the page, such as the visa beside a passport's page.
    """

    document_type: DocumentType | None
    fields: dict[str, FieldValue]
    confidence: float
    warnings: tuple[str, ...]
    documents: int
    issuer: str | None = None
    unsupported: bool = False
    others: tuple[OtherPaper, ...] = ()


def fuse(
    page: Page,
    *,
    codes: Sequence[CardCode],
    zones: Sequence[Mrz],
    today: date,
    expected: DocumentType | None = None,
) -> IdentityDocument:
    """Bring the three sources together; QR before MRZ before print, save where print adds the tone marks of a name,
    or where the zone's check digits disagree.

    Args:
        expected: the type that the caller names, which settles what the print leaves open.
    """
    mrz = max(zones, key=_rank_of_zone, default=None)
    issuer = issuer_of_code(mrz.issuer) if mrz else issuer_of_page(page)
    printed = read_print(page, issuer, today=today)
    kind = _document_type(page, issuer, codes, mrz) or (expected if printed.fields else None)
    if kind is None and printed.is_numbered:
        kind = DocumentType.DRIVER_LICENSE
    candidates = {
        FieldSource.QR: _of_code(codes[0]) if codes else {},
        FieldSource.MRZ: _of_mrz(mrz, issuer, page) if mrz else {},
        FieldSource.OCR: _of_print(printed, mrz, issuer, page),
    }
    fields: dict[str, FieldValue] = {}
    warnings: list[str] = []
    for name in sorted({name for values in candidates.values() for name in values}):
        fields[name], disagree = _fuse_field(name, candidates)
        if disagree:
            warnings.append(f"{name}_disagrees")
    if kind is DocumentType.ID_CARD and "gender" not in fields:
        fields |= _gender_of_number(fields.get("id_number"), issuer)
    warnings += _checks(fields, mrz, kind, issuer, today=today)
    numbers = {code.number for code in codes} | set(printed.personal_numbers)
    others = [zone for zone in zones if mrz and zone is not mrz and _is_beside(zone, mrz)]
    holders = {zone.number for zone in zones if zone.all_valid and zone not in others}
    return IdentityDocument(
        document_type=kind,
        fields=fields,
        confidence=_confidence(fields, warnings),
        warnings=tuple(warnings),
        documents=max(len(numbers), len(holders), 1),
        issuer=mrz.issuer if mrz else None,
        unsupported=mrz is None and not codes and not issuer.is_fully_known and not set(_ESSENTIAL) <= set(fields),
        others=tuple(_other_paper(zone, page) for zone in others),
    )


def _rank_of_zone(zone: Mrz) -> tuple[float, bool]:
    """The surest zone; of a passport's and its visa's the passport's."""
    return zone.share_valid, not zone.kind.startswith("V")


def _is_beside(zone: Mrz, main: Mrz) -> bool:
    """Whether a zone is the visa of a passport's holder."""
    names = [f"{one.surname} {one.given_names}" for one in (zone, main)]
    same_holder = zone.birth == main.birth and _same("full_name", names[0], names[1])
    return zone.all_valid and zone.kind.startswith("V") != main.kind.startswith("V") and same_holder


def _other_paper(zone: Mrz, page: Page) -> OtherPaper:
    fields = {
        name: FieldValue(value, confidence, FieldSource.MRZ)
        for name, (value, confidence) in _of_mrz(zone, issuer_of_code(zone.issuer), page).items()
    }
    return OtherPaper(_type_of_zone(zone), fields)


def _document_type(page: Page, issuer: Issuer, codes: Sequence[CardCode], mrz: Mrz | None) -> DocumentType | None:
    if mrz is not None:
        return _type_of_zone(mrz)
    return find_document_type(page, issuer) or (DocumentType.ID_CARD if codes else None)


def _type_of_zone(mrz: Mrz) -> DocumentType:
    if mrz.kind.startswith("V"):
        return DocumentType.VISA
    return DocumentType.PASSPORT if mrz.kind.startswith("P") else DocumentType.ID_CARD


def _of_code(code: CardCode) -> dict[str, tuple[str, float]]:
    return {name: (value, _QR_CONFIDENCE) for name, value in code.fields.items()}


def _of_mrz(mrz: Mrz, issuer: Issuer, page: Page) -> dict[str, tuple[str, float]]:
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
    covered = {
        "id_number": (number, number_check),
        "date_of_birth": (mrz.birth.isoformat() if mrz.birth else "", "birth"),
        "expiry_date": (mrz.expiry.isoformat() if mrz.expiry else "", "expiry"),
    }
    uncovered = _UNCOVERED_MRZ_CONFIDENCE if mrz.all_valid else _UNCHECKED_MRZ_CONFIDENCE
    scored = {name: (value, uncovered) for name, value in values.items()} | {
        name: (value, _MRZ_CONFIDENCE if check in mrz.valid else _UNCHECKED_MRZ_CONFIDENCE)
        for name, (value, check) in covered.items()
    }
    if mrz.names_doubtful or not _is_read_twice(mrz, page):
        scored["full_name"] = (values["full_name"], _UNCHECKED_MRZ_CONFIDENCE)
    if ambiguous:
        scored["id_number"] = (number, _UNCHECKED_MRZ_CONFIDENCE)
    return {name: scored_value for name, scored_value in scored.items() if scored_value[0]}


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


def _of_print(printed: Print, mrz: Mrz | None, issuer: Issuer, page: Page) -> dict[str, tuple[str, float]]:
    """What is printed. Other countries' labels are in any language: of their papers only what has a form of its own is
    taken, and a name that is the zone's."""
    values = {name: (field.value, field.score) for name, field in printed.fields.items()}
    if mrz is None or issuer.is_fully_known:
        return values
    kept = {name: values[name] for name in _FORMED & set(values)}
    if "id_number" in kept and _contradicts(kept["id_number"][0], mrz):
        del kept["id_number"]
    name = f"{mrz.surname} {mrz.given_names}".strip()
    spelled = spell_name(name, [(word, cell.score) for cell in page.cells for word in cell.text.split()])
    if spelled and (mrz.surname or "full_name" not in values):  # a zone without a surname may have lost it
        kept["full_name"] = spelled
    elif "full_name" in values and _same("full_name", name, values["full_name"][0]):
        kept["full_name"] = values["full_name"]
    return kept


def _fuse_field(name: str, candidates: dict[FieldSource, dict[str, tuple[str, float]]]) -> tuple[FieldValue, bool]:
    """The best source's value, and whether another source contradicts it."""
    present = {source: values[name] for source, values in candidates.items() if name in values}
    # A valid zone was read right; print, however clear, can belong to another field.
    valid = present.get(FieldSource.MRZ, ("", 0.0))[1] >= _UNCOVERED_MRZ_CONFIDENCE
    ranks = {FieldSource.QR: 0, FieldSource.MRZ: 1 if valid else 2, FieldSource.OCR: 2}
    ranked = sorted(present, key=lambda source: (ranks[source], -present[source][1]))
    best = ranked[0]
    value, confidence = present[best]
    others = [present[source][0] for source in ranked[1:]]
    agreeing = [other for other in others if _same(name, value, other)]
    if agreeing:
        confidence = max(confidence, _AGREEMENT)
    printed = present.get(FieldSource.OCR)
    if name == "full_name" and best is FieldSource.MRZ and printed and _spells_out(printed, value):
        # The zone has no tone marks, the print has; and no check digit covers its letters.
        confidence = min(confidence, max(printed[1], present[best][1]))
        return FieldValue(printed[0], round(confidence, 3), FieldSource.OCR), False
    return FieldValue(value, round(confidence, 3), best), len(agreeing) < len(others)


def _spells_out(printed: tuple[str, float], zone: str) -> bool:
    """Whether a clearly printed name has the zone's words, at most a letter or two of them misread, none lost."""
    text, score = printed
    alike = similarity(text, zone)
    words, zone_words = (re.split(r"[^\w]+", name) for name in (text, zone))
    is_whole = len(words) == len(zone_words) and len(squeeze(transliterated(text))) >= len(squeeze(zone))
    return alike == 1.0 or (score >= _CLEAR_PRINT and alike >= _SAME_WORDS and is_whole)


def _same(name: str, left: str, right: str) -> bool:
    if name == "full_name":
        words, others = (set(fold(text).split()) for text in (left, right))
        # Print on foreign papers is cut up by labels in many languages: half of the words is agreement enough.
        return similarity(left, right) >= _SAME_NAME or 2 * len(words & others) >= min(len(words), len(others))
    if name == "nationality" and left.isupper():
        return True  # a code without a name of ours cannot be compared with print
    if name in ("address", "place_of_origin", "nationality"):
        return similarity(left, right) >= _SAME_NAME
    return squeeze(left) == squeeze(right)


def _gender_of_number(number: FieldValue | None, issuer: Issuer) -> dict[str, FieldValue]:
    """The gender that a personal number says, where the print of it could not be read."""
    facts = issuer.facts_of(number.value) if number else None
    if number is None or facts is None or facts.gender is None:
        return {}
    return {"gender": FieldValue(facts.gender, round(number.confidence * 0.9, 3), number.source)}


def _checks(
    fields: dict[str, FieldValue], mrz: Mrz | None, kind: DocumentType | None, issuer: Issuer, *, today: date
) -> list[str]:
    warnings = [f"{name}_not_found" for name in _ESSENTIAL if name not in fields]
    number = fields["id_number"].value if "id_number" in fields else ""
    facts = issuer.facts_of(number)
    if kind is not DocumentType.DRIVER_LICENSE and facts is not None:
        if "date_of_birth" in fields and facts.birth_year not in (None, int(fields["date_of_birth"].value[:4])):
            warnings.append("id_number_birth_mismatch")
        if "gender" in fields and facts.gender not in (None, fields["gender"].value):
            warnings.append("id_number_gender_mismatch")
    elif number and kind is DocumentType.ID_CARD and mrz is None and not issuer.is_card_number(number):
        warnings.append("id_number_invalid")
    if mrz is not None and not mrz.all_valid:
        warnings.append("mrz_check_digits")
    if mrz is not None and mrz.repaired:
        warnings.append("mrz_repaired")
    if "expiry_date" in fields and date.fromisoformat(fields["expiry_date"].value) < today:
        warnings.append("document_expired")
    return warnings


def _confidence(fields: dict[str, FieldValue], warnings: Sequence[str]) -> float:
    """The mean of the essential fields, a missing one counting zero; less for each contradiction."""
    mean = sum(fields[name].confidence for name in _ESSENTIAL if name in fields) / len(_ESSENTIAL)
    contradictions = sum(code.endswith(("_disagrees", "_mismatch", "_digits", "_invalid")) for code in warnings)
    return round(mean * 0.9**contradictions, 3)

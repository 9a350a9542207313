"""Identity papers: what the QR code, the machine-readable zone and the print say, fused and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.core.ocr.identity_checks import ESSENTIAL, checks, confidence_of
from app.core.ocr.identity_print import find_document_type, read_print
from app.core.ocr.identity_sources import UNCOVERED_MRZ_CONFIDENCE, of_code, of_mrz, of_print
from app.core.ocr.identity_values import FieldSource, FieldValue, same, spells_out
from app.core.ocr.issuers.base import CardCode, DocumentType, Issuer
from app.core.ocr.issuers.registry import issuer_of_code, issuer_of_page
from app.core.ocr.layout import Page
from app.core.ocr.mrz import Mrz

_AGREEMENT = 0.98


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
        FieldSource.QR: of_code(codes[0]) if codes else {},
        FieldSource.MRZ: of_mrz(mrz, issuer, page) if mrz else {},
        FieldSource.OCR: of_print(printed, mrz, issuer, page),
    }
    fields: dict[str, FieldValue] = {}
    warnings: list[str] = []
    for name in sorted({name for values in candidates.values() for name in values}):
        fields[name], disagree = _fuse_field(name, candidates)
        if disagree:
            warnings.append(f"{name}_disagrees")
    if kind is DocumentType.ID_CARD and "gender" not in fields:
        fields |= _gender_of_number(fields.get("id_number"), issuer)
    warnings += checks(fields, mrz, kind, issuer, today=today)
    numbers = {code.number for code in codes} | set(printed.personal_numbers)
    others = [zone for zone in zones if mrz and zone is not mrz and _is_beside(zone, mrz)]
    holders = {zone.number for zone in zones if zone.all_valid and zone not in others}
    return IdentityDocument(
        document_type=kind,
        fields=fields,
        confidence=confidence_of(fields, warnings),
        warnings=tuple(warnings),
        documents=max(len(numbers), len(holders), 1),
        issuer=mrz.issuer if mrz else None,
        unsupported=mrz is None and not codes and not issuer.is_fully_known and not set(ESSENTIAL) <= set(fields),
        others=tuple(_other_paper(zone, page) for zone in others),
    )


def _rank_of_zone(zone: Mrz) -> tuple[float, bool]:
    """The surest zone; of a passport's and its visa's the passport's."""
    return zone.share_valid, not zone.kind.startswith("V")


def _is_beside(zone: Mrz, main: Mrz) -> bool:
    """Whether a zone is the visa of a passport's holder."""
    names = [f"{one.surname} {one.given_names}" for one in (zone, main)]
    same_holder = zone.birth == main.birth and same("full_name", names[0], names[1])
    return zone.all_valid and zone.kind.startswith("V") != main.kind.startswith("V") and same_holder


def _other_paper(zone: Mrz, page: Page) -> OtherPaper:
    fields = {
        name: FieldValue(value, confidence, FieldSource.MRZ)
        for name, (value, confidence) in of_mrz(zone, issuer_of_code(zone.issuer), page).items()
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


def _fuse_field(name: str, candidates: dict[FieldSource, dict[str, tuple[str, float]]]) -> tuple[FieldValue, bool]:
    """The best source's value, and whether another source contradicts it."""
    present = {source: values[name] for source, values in candidates.items() if name in values}
    # A valid zone was read right; print, however clear, can belong to another field.
    valid = present.get(FieldSource.MRZ, ("", 0.0))[1] >= UNCOVERED_MRZ_CONFIDENCE
    ranks = {FieldSource.QR: 0, FieldSource.MRZ: 1 if valid else 2, FieldSource.OCR: 2}
    ranked = sorted(present, key=lambda source: (ranks[source], -present[source][1]))
    best = ranked[0]
    value, confidence = present[best]
    others = [present[source][0] for source in ranked[1:]]
    agreeing = [other for other in others if same(name, value, other)]
    if agreeing:
        confidence = max(confidence, _AGREEMENT)
    printed = present.get(FieldSource.OCR)
    if name == "full_name" and best is FieldSource.MRZ and printed and spells_out(printed, value):
        # The zone has no tone marks, the print has; and no check digit covers its letters.
        confidence = min(confidence, max(printed[1], present[best][1]))
        return FieldValue(printed[0], round(confidence, 3), FieldSource.OCR), False
    return FieldValue(value, round(confidence, 3), best), len(agreeing) < len(others)


def _gender_of_number(number: FieldValue | None, issuer: Issuer) -> dict[str, FieldValue]:
    """The gender that a personal number says, where the print of it could not be read."""
    facts = issuer.facts_of(number.value) if number else None
    if number is None or facts is None or facts.gender is None:
        return {}
    return {"gender": FieldValue(facts.gender, round(number.confidence * 0.9, 3), number.source)}

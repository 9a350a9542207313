"""Whether the fields of an identity paper are complete and fit one another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from app.core.ocr.identity_values import FieldValue
from app.core.ocr.issuers.base import DocumentType, Issuer
from app.core.ocr.mrz import Mrz

ESSENTIAL = ("id_number", "full_name", "date_of_birth")


def checks(
    fields: dict[str, FieldValue], mrz: Mrz | None, kind: DocumentType | None, issuer: Issuer, *, today: date
) -> list[str]:
    warnings = [f"{name}_not_found" for name in ESSENTIAL if name not in fields]
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


def confidence_of(fields: dict[str, FieldValue], warnings: Sequence[str]) -> float:
    """The mean of the essential fields, a missing one counting zero; less for each contradiction."""
    mean = sum(fields[name].confidence for name in ESSENTIAL if name in fields) / len(ESSENTIAL)
    contradictions = sum(code.endswith(("_disagrees", "_mismatch", "_digits", "_invalid")) for code in warnings)
    return round(mean * 0.9**contradictions, 3)

"""A guest's record for the registration of stays: what papers and people say, what is missing, what is doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from app.core.ocr.identity_fields import nationality
from app.core.ocr.identity_values import same
from app.core.ocr.issuers.base import DocumentType
from app.errors import InvalidInput


class StayKind(StrEnum):
    """Whose list a guest belongs to."""

    VIETNAMESE = "vietnamese"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class StayField:
    """``confidence`` is 0 to 1. Dates are ``yyyy-mm-dd``. ``source`` is ``qr``, ``mrz``, ``ocr`` or ``person``."""

    value: str
    confidence: float
    source: str


@dataclass(frozen=True, slots=True)
class ReadPaper:
    """A paper of the guest, its fields by the names of ``POST /ocr/id``."""

    document_type: str | None
    fields: Mapping[str, StayField]


Record: TypeAlias = Mapping[str, StayField]
"""A guest's fields by name."""

FIELDS = (
    "full_name", "date_of_birth", "gender", "nationality", "document_type", "document_number", "document_expiry",
    "address", "visa_number", "visa_type", "visa_expiry", "entry_date", "entry_port", "purpose", "room_number",
    "arrival", "departure", "note",
)  # fmt: skip
BY_HAND = "person"
VISA_EXEMPT = "exempt"
"""The ``visa_type`` of a guest who needs none."""

_PERSONAL = ("full_name", "date_of_birth", "gender", "nationality", "address")
_OF_MAIN = {"id_number": "document_number", "expiry_date": "document_expiry"}
_OF_VISA = {"id_number": "visa_number", "expiry_date": "visa_expiry"}
_ALWAYS = (
    "full_name", "date_of_birth", "gender", "nationality", "document_number", "room_number", "arrival", "departure",
)  # fmt: skip
_OF_VIETNAMESE = ("address",)
_OF_FOREIGNERS = ("document_type", "document_expiry", "visa_type", "entry_date", "entry_port", "purpose")
_OF_VISA_HOLDERS = ("visa_number", "visa_expiry")
_RANKS: Mapping[str, int] = {
    DocumentType.PASSPORT: 0,
    DocumentType.ID_CARD: 1,
    DocumentType.DRIVER_LICENSE: 2,
    DocumentType.VISA: 3,
}
_SURE = 0.8
_DISPUTED = 0.5
_ADULT_PAPERS_AT = 14
_MAX_STAY_DAYS = 366


def of_papers(papers: Sequence[ReadPaper]) -> dict[str, StayField]:
    """What the papers of one guest say together. A value that two of them give differently is unsure.

    Raises:
        InvalidInput: names and births are those of different people.
    """
    ranked = sorted(papers, key=lambda paper: _RANKS.get(paper.document_type or "", len(_RANKS)))
    record: dict[str, StayField] = {}
    disputed = set()
    for name in _PERSONAL:
        values = [paper.fields[name] for paper in ranked if name in paper.fields]
        if not values:
            continue
        best = max(values, key=lambda field: field.confidence)
        if not all(same(name, best.value, other.value) for other in values):
            disputed.add(name)
            best = replace(best, confidence=min(best.confidence, _DISPUTED))
        record[name] = best
    if {"full_name", "date_of_birth"} <= disputed:
        raise InvalidInput(
            "The papers bear different names and births; send those of one guest.", code="papers_of_several_people"
        )
    return record | _numbers(ranked)


def _numbers(ranked: Sequence[ReadPaper]) -> dict[str, StayField]:
    """The number and the last day of the first paper that is no visa, and of the first visa."""
    record: dict[str, StayField] = {}
    visas = [paper for paper in ranked if paper.document_type == DocumentType.VISA]
    mains = [paper for paper in ranked if paper.document_type != DocumentType.VISA]
    for found, names in ((mains, _OF_MAIN), (visas, _OF_VISA)):
        if found:
            record |= {ours: found[0].fields[theirs] for theirs, ours in names.items() if theirs in found[0].fields}
    if mains and (kind := mains[0].document_type):
        record["document_type"] = StayField(kind, 1.0, "ocr")
    return record


def changed(record: Record, changes: Mapping[str, str | None]) -> dict[str, StayField]:
    """The record with what a person says; None takes a value away.

    Raises:
        InvalidInput: the guest would leave before the arrival, or stay for more than a year.
    """
    given = {name: StayField(_spelled(name, value), 1.0, BY_HAND) for name, value in changes.items() if value}
    kept = {name: field for name, field in record.items() if name not in changes}
    merged = kept | given
    arrival, departure = day_of(merged, "arrival"), day_of(merged, "departure")
    if arrival and departure and departure < arrival:
        raise InvalidInput("departure lies before arrival.", code="departure_before_arrival")
    if arrival and departure and (departure - arrival).days > _MAX_STAY_DAYS:
        raise InvalidInput(f"A stay lasts at most {_MAX_STAY_DAYS} days; register it again then.", code="stay_too_long")
    return merged


def _spelled(name: str, value: str) -> str:
    if name == "nationality":
        return nationality(value) or value
    return value.upper() if name in ("full_name", "document_number", "visa_number") else value


def kind_of(record: Record) -> StayKind | None:
    """By the nationality; None while nobody knows it."""
    if "nationality" not in record:
        return None
    return StayKind.VIETNAMESE if record["nationality"].value == "Vietnamese" else StayKind.FOREIGN


def missing_of(record: Record) -> list[str]:
    """What the registration still asks for."""
    kind = kind_of(record)
    wanted = list(_ALWAYS)
    if kind is StayKind.VIETNAMESE:
        wanted += _OF_VIETNAMESE
        if _is_child(record):  # has no card yet
            wanted.remove("document_number")
    elif kind is StayKind.FOREIGN:
        wanted += _OF_FOREIGNERS
        if "visa_type" not in record or record["visa_type"].value != VISA_EXEMPT:
            wanted += _OF_VISA_HOLDERS
    return [name for name in wanted if name not in record]


def unsure_of(record: Record) -> list[str]:
    """What was read and should be looked at."""
    return [name for name in FIELDS if name in record and record[name].confidence < _SURE]


def warnings_of(record: Record, *, today: date) -> list[str]:
    """What does not fit, as stable codes. Before an arrival is known, today counts."""
    arrival = day_of(record, "arrival") or today
    departure = day_of(record, "departure") or arrival
    found = []
    if (expiry := day_of(record, "document_expiry")) is not None and expiry < departure:
        found.append("document_expired" if expiry < arrival else "document_shorter_than_stay")
    if (visa := day_of(record, "visa_expiry")) is not None and visa < departure:
        found.append("visa_expired" if visa < arrival else "visa_shorter_than_stay")
    if (entry := day_of(record, "entry_date")) is not None and entry > arrival:
        found.append("entry_after_arrival")
    if (birth := day_of(record, "date_of_birth")) is not None and birth > arrival:
        found.append("birth_after_arrival")
    elif _is_child(record, today=today):
        found.append("guest_under_14")
    return found


def _is_child(record: Record, *, today: date | None = None) -> bool:
    birth, day = day_of(record, "date_of_birth"), day_of(record, "arrival") or today
    if birth is None or day is None:
        return False
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day)) < _ADULT_PAPERS_AT


def day_of(record: Record, name: str) -> date | None:
    """A field that is a date."""
    return date.fromisoformat(record[name].value) if name in record else None

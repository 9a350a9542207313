"""What a country's profile holds for the readers of identity papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.ocr.identity_fields import clean_address, clean_name
from app.core.ocr.mrz import Mrz


class DocumentType(StrEnum):
    """The papers that are read."""

    ID_CARD = "id_card"
    PASSPORT = "passport"
    DRIVER_LICENSE = "driver_license"
    VISA = "visa"


@dataclass(frozen=True, slots=True)
class CardCode:
    """What the printed code of a card says, by the fields' public names; ``number`` distinguishes holders."""

    number: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What a personal number says of its holder; None where it does not."""

    birth_year: int | None = None
    gender: str | None = None


@dataclass(frozen=True, slots=True)
class SecondLanguage:
    """A language that the first reader has not all letters of.

    Attributes:
        code: ISO 639-1, as requests name it.
        role: of the model pack, whose network reads it.
        is_spoken: whether the lines of a page are in it.
    """

    code: str
    role: str
    is_spoken: Callable[[Sequence[str]], bool]


def _unchanged(text: str) -> str:
    return text


def _none_found(_: str) -> list[str]:
    return []


def _any_number(_: str) -> bool:
    return True


def _no_facts(_: str) -> NumberFacts | None:
    return None


def _no_code(_: str) -> CardCode | None:
    return None


def _number_of(zone: Mrz) -> tuple[str, str]:
    return zone.number, "number"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Issuer:
    """A country's papers.

    Attributes:
        country: ISO 3166-1 alpha-2; empty for papers of no country that has a profile.
        code: ICAO's three letters, as machine-readable zones have it.
        labels: in the country's own languages, by field, folded; the fields are those of ``languages.LABELS``.
        languages: the shared ones that its papers are labelled in too, keys of ``languages.LABELS``.
        labels_in_capitals: whether its papers set labels in capitals.
        titles: of its papers by type, folded.
        marks: folded expressions that only its papers print, such as the state's name.
        find_numbers: the personal numbers in a text, their structure and check digit right.
        is_card_number: whether a card may have that number.
        unchecked_numbers: the forms of numbers without a structure to check, as older cards and licences have.
        facts_of: what such a number says; None where the text is no such number.
        number_of_zone: the paper's number in a machine-readable zone, and the check that covers it.
        gregorian: a text with its dates in the Gregorian calendar, their months in digits or English.
        month_first: whether 03/04/2020 is in March; None where nobody knows.
        clean_name: a full name without titles, upper case.
        clean_place: an address.
        read_code: what the text of a code on a card says; None where it is none of this country's.
        number_code: of a licence's number among its numbered fields.
        is_fully_known: whether a paper without a zone or a code is believed to be read although a field is missing.
        second_language: read by a network of its own; None without one.
    """

    country: str
    code: str
    labels: Mapping[str, tuple[str, ...]]
    languages: tuple[str, ...] = ("en",)
    labels_in_capitals: bool = False
    titles: Mapping[DocumentType, tuple[str, ...]]
    marks: tuple[str, ...] = ()
    find_numbers: Callable[[str], list[str]] = _none_found
    is_card_number: Callable[[str], bool] = _any_number
    unchecked_numbers: tuple[re.Pattern[str], ...] = ()
    facts_of: Callable[[str], NumberFacts | None] = _no_facts
    number_of_zone: Callable[[Mrz], tuple[str, str]] = _number_of
    gregorian: Callable[[str], str] = _unchanged
    month_first: bool | None = False
    clean_name: Callable[[str], str] = clean_name
    clean_place: Callable[[str], str] = clean_address
    read_code: Callable[[str], CardCode | None] = _no_code
    number_code: str = "5"
    is_fully_known: bool = True
    second_language: SecondLanguage | None = None

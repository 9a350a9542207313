"""The profiles of all countries that have one, and which of them a paper is read by."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from app.core.ocr import issuers
from app.core.ocr.issuers.base import CardCode, DocumentType, Issuer, SecondLanguage
from app.core.ocr.issuers.languages import LABELS, TITLES
from app.core.ocr.label_spans import LabelSet, count_labels
from app.core.ocr.layout import Page
from app.core.ocr.text import find_label, fold

K = TypeVar("K")

_MARK_WORTH = 3
"""Labels: a state's name says more than a label that two countries may share."""

_MIN_WORTH = 2

OTHER = Issuer(
    country="",
    code="",
    labels={},
    languages=tuple(LABELS),
    labels_in_capitals=True,
    titles={},
    month_first=None,
    is_fully_known=False,
)
"""Papers of all other countries, in the languages that labels are known in."""


@lru_cache(maxsize=1)
def all_issuers() -> tuple[Issuer, ...]:
    """Every profile: the ``PROFILE`` of each module of the package that has one."""
    modules = (
        importlib.import_module(f"{issuers.__name__}.{found.name}")
        for found in sorted(pkgutil.iter_modules(issuers.__path__), key=lambda found: found.name)
    )
    return tuple(module.PROFILE for module in modules if hasattr(module, "PROFILE"))


def second_languages() -> tuple[SecondLanguage, ...]:
    """What the pages of some issuer are read a second time in."""
    return tuple(issuer.second_language for issuer in all_issuers() if issuer.second_language)


def issuer_of_code(code: str) -> Issuer:
    """The profile of ICAO's code in a zone; ``OTHER`` where the state has none."""
    return next((issuer for issuer in all_issuers() if issuer.code == code), OTHER)


def read_card_code(text: str) -> CardCode | None:
    """What a code says, by the first issuer that knows its form."""
    return next((code for issuer in all_issuers() if (code := issuer.read_code(text)) is not None), None)


def issuer_of_page(page: Page) -> Issuer:
    """The profile whose titles, marks and labels the page prints most of; ``OTHER`` where it prints hardly any."""
    text = " ".join(fold(page.text).split())
    worths = [(_worth(page, text, issuer), -index) for index, issuer in enumerate(all_issuers())]
    worth, index = max(worths, default=(0, 0))
    return all_issuers()[-index] if worth >= _MIN_WORTH else OTHER


def _worth(page: Page, text: str, issuer: Issuer) -> int:
    marks = sum(find_label(text, (mark,), min_similarity=90) is not None for mark in issuer.marks)
    titles = sum(find_label(text, names, min_similarity=90) is not None for names in issuer.titles.values())
    return _MARK_WORTH * marks + titles + count_labels(page, own_labels_of(issuer))


@lru_cache(maxsize=64)
def own_labels_of(issuer: Issuer) -> LabelSet:
    """The labels in the issuer's own languages."""
    return LabelSet(issuer.labels, in_capitals=issuer.labels_in_capitals)


@lru_cache(maxsize=64)
def labels_of(issuer: Issuer) -> LabelSet:
    """All labels that the issuer's papers may print."""
    return LabelSet(
        _merged([issuer.labels, *(LABELS[language] for language in issuer.languages)]),
        in_capitals=issuer.labels_in_capitals,
    )


@lru_cache(maxsize=64)
def titles_of(issuer: Issuer) -> Mapping[DocumentType, tuple[str, ...]]:
    """What the issuer's papers may be headed with."""
    return _merged([issuer.titles, TITLES])


def _merged(parts: Sequence[Mapping[K, tuple[str, ...]]]) -> dict[K, tuple[str, ...]]:
    merged: dict[K, tuple[str, ...]] = {}
    for part in parts:
        for key, texts in part.items():
            merged[key] = merged.get(key, ()) + texts
    return merged

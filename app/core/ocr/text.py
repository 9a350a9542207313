"""Comparing text as a reader of bad print does: without accents, case or stray spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

MIN_LABEL_SIMILARITY = 82.0
"""Of 100. Two wrong letters in twelve still match; ``Tổng tiền`` and ``Tiền thừa`` do not."""

_LENGTH_BONUS = 0.4
"""Points for each letter of a label: ten more letters outweigh one misread one."""

_LATIN_OF = {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", "ß": "s"}


def fold(text: str) -> str:
    """Lower case without diacritics, one character for each of the NFC text, so that positions stay valid."""
    return "".join(_fold_character(character) for character in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    base = _LATIN_OF.get(character) or unicodedata.normalize("NFD", character)[0]
    lowered = base.lower()
    return lowered if len(lowered) == 1 else base


def squeeze(text: str) -> str:
    """Folded letters and digits only: the form in which names are compared."""
    return re.sub(r"[^a-z0-9]", "", fold(text))


def has_vietnamese_letter(text: str) -> bool:
    """Whether a letter stands in it that, of the languages read here, only Vietnamese writes."""
    return any(_is_vietnamese(character) for character in unicodedata.normalize("NFC", text))


def _is_vietnamese(character: str) -> bool:
    return character in "đĐơƠưƯăĂ" or "\u1ea0" <= character <= "\u1ef9"


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """Where a known label stands in a text: ``text[start:end]``; ``similarity`` is 0 to 100."""

    label: str
    start: int
    end: int
    similarity: float


def find_label(text: str, labels: Iterable[str], *, min_similarity: float = MIN_LABEL_SIMILARITY) -> LabelMatch | None:
    """The best of ``labels`` inside ``text``, or None.

    Labels are given folded (see :func:`fold`). Longer labels win over shorter ones of like similarity, so that
    ``tong tien thanh toan`` is not taken for ``tong tien``. Labels of up to four letters must match whole words.
    """
    folded = fold(text)
    best: LabelMatch | None = None
    for label in labels:
        match = _match_short(folded, label) if len(label) <= 4 else _match_long(folded, label, min_similarity)
        if match and (best is None or _rank(match) > _rank(best)):
            best = match
    return best


def _rank(match: LabelMatch) -> float:
    return match.similarity + _LENGTH_BONUS * len(match.label)


def _match_short(folded: str, label: str) -> LabelMatch | None:
    found = re.search(rf"(?<![a-z0-9]){re.escape(label)}(?![a-z0-9])", folded)
    return LabelMatch(label, found.start(), found.end(), 100.0) if found else None


def _match_long(folded: str, label: str, min_similarity: float) -> LabelMatch | None:
    if len(folded) < len(label) * 0.7:
        return None
    alignment = fuzz.partial_ratio_alignment(label, folded, score_cutoff=min_similarity)
    if alignment is None or alignment.src_end - alignment.src_start < len(label) * 0.7:
        return None
    return LabelMatch(label, alignment.dest_start, alignment.dest_end, alignment.score)


def similarity(left: str, right: str) -> float:
    """Accent- and case-insensitive likeness of two names, 0 to 1."""
    return fuzz.ratio(squeeze(left), squeeze(right)) / 100.0


def closest(text: str, choices: Iterable[str], *, min_similarity: float = 0.8) -> str | None:
    """The one of ``choices`` that ``text`` most likely means, or None."""
    found = process.extractOne(
        text, list(choices), scorer=fuzz.ratio, processor=squeeze, score_cutoff=min_similarity * 100.0
    )
    return found[0] if found else None

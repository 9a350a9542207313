"""The fields of an identity paper, and when two readings of one say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from app.core.ocr.name_spelling import transliterated
from app.core.ocr.text import fold, similarity, squeeze

_SAME_NAME = 0.75
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


def spells_out(printed: tuple[str, float], zone: str) -> bool:
    """Whether a clearly printed name has the zone's words, at most a letter or two of them misread, none lost."""
    text, score = printed
    alike = similarity(text, zone)
    words, zone_words = (re.split(r"[^\w]+", name) for name in (text, zone))
    is_whole = len(words) == len(zone_words) and len(squeeze(transliterated(text))) >= len(squeeze(zone))
    return alike == 1.0 or (score >= _CLEAR_PRINT and alike >= _SAME_WORDS and is_whole)


def same(name: str, left: str, right: str) -> bool:
    if name == "full_name":
        words, others = (set(fold(text).split()) for text in (left, right))
        # Print on foreign papers is cut up by labels in many languages: half of the words is agreement enough.
        return similarity(left, right) >= _SAME_NAME or 2 * len(words & others) >= min(len(words), len(others))
    if name == "nationality" and left.isupper():
        return True  # a code without a name of ours cannot be compared with print
    if name in ("address", "place_of_origin", "nationality"):
        return similarity(left, right) >= _SAME_NAME
    return squeeze(left) == squeeze(right)

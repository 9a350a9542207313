"""A field as it was read, with how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.core.ocr.extraction.ranker import Choice

MIN_CONFIDENCE = 0.5
"""Below this a field is null: a guess that is wrong more often than not helps nobody."""

BY_RULE = 0.75
"""Confidence in what a labelled amount says and arithmetic confirms, or a law of writing numbers."""


@dataclass(frozen=True, slots=True)
class ReadValue:
    """``confidence`` is 0 to 1; ``of_code`` says that it was read from a code on the page."""

    value: str | Decimal | date
    confidence: float
    of_code: bool = False


def sure_enough(choice: Choice[Decimal] | Choice[date] | Choice[str] | None) -> ReadValue | None:
    return ReadValue(choice.value, choice.confidence) if choice and choice.confidence >= MIN_CONFIDENCE else None


def decimal_of(value: ReadValue | None) -> Decimal | None:
    return value.value if value is not None and isinstance(value.value, Decimal) else None

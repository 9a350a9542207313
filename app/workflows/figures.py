"""Decimal figures as JSON numbers."""

from __future__ import annotations

from decimal import Decimal


def number(value: Decimal | None) -> int | float | None:
    """Whole amounts as integers, others as floats."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)

"""Where the next page of a list begins, as text that clients pass back without looking into it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import InvalidInput

T = TypeVar("T")

_MAX_CURSOR = 400


def write_cursor(*parts: str | int) -> str:
    """A cursor of these parts."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> tuple[str | int, ...]:
    """The parts of a cursor.

    Args:
        kinds: what they have to be, ``str`` or ``int``.

    Raises:
        InvalidInput: it is none of ours.
    """
    try:
        if len(cursor) > _MAX_CURSOR:
            raise ValueError("too long")
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _foreign() from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise _foreign()
    if not all(_fits_a_column(part) for part in parts):
        raise _foreign()
    return tuple(parts)


def _fits_a_column(part: str | int) -> bool:
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    return "\x00" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)


def _foreign() -> InvalidInput:
    return InvalidInput("This cursor is none of ours; begin without one.", code="invalid_cursor")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Some of a list; ``next_cursor`` says where the next ones begin, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None


def slice_of(found: Sequence[T], limit: int, position: Callable[[T], tuple[str | int, ...]]) -> Slice[T]:
    """The first ``limit`` of what was found.

    Args:
        found: one more than ``limit``, where there are as many.
        position: what the cursor behind an item consists of.
    """
    items = tuple(found[:limit])
    return Slice(items, write_cursor(*position(items[-1])) if len(found) > limit else None)

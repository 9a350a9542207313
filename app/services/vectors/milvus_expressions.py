"""Milvus' language of conditions; nothing of it leaves the adapter."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from app.services.image_filters import ImageFilter


def quote(value: str) -> str:
    """A string literal; the only way a value enters an expression."""
    return json.dumps(value, ensure_ascii=False)


def any_of(field: str, values: Sequence[str]) -> str:
    """The expression ``field in ["…", "…"]``."""
    return f"{field} in [{', '.join(quote(value) for value in values)}]"


def image_expression(wanted: ImageFilter) -> str:
    """The filter but for its words as an expression on the image collection; empty where nothing is set."""
    equal = {
        "category": wanted.category,
        "room_number": wanted.room_number,
        "status": wanted.status,
    }
    parts = [f"{field} == {quote(value)}" for field, value in equal.items() if value]
    if wanted.since:
        parts.append(f"upload_time >= {math.floor(wanted.since.timestamp())}")
    if wanted.before:
        parts.append(f"upload_time < {math.ceil(wanted.before.timestamp())}")
    return " and ".join(parts)


def joined_tags(tags: Sequence[str]) -> str:
    """Normalised tags as the image collection holds them: ``|clean|deluxe|``, empty without tags."""
    return f"|{'|'.join(tags)}|" if tags else ""

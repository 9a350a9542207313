"""Milvus' language of conditions; nothing of it leaves the adapter."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from app.services.image_filters import ImageFilter

_MEANT_OTHERWISE = re.compile(r"[%\\]")
_ONLY_BEGINNINGS = re.compile(r"v?(?:[01]|2\.[0-3])\.")


def quote(value: str) -> str:
    """A string literal; the only way a value enters an expression."""
    return json.dumps(value, ensure_ascii=False)


def any_of(field: str, values: Sequence[str]) -> str:
    """The expression ``field in ["…", "…"]``."""
    return f"{field} in [{', '.join(quote(value) for value in values)}]"


def image_expression(wanted: ImageFilter) -> str:
    """The filter as an expression on the image collection; empty where nothing is set."""
    equal = {
        "category": wanted.category,
        "room_number": wanted.room_number,
        "item_type": wanted.item_type,
        "status": wanted.status,
    }
    parts = [f"{field} == {quote(value)}" for field, value in equal.items() if value]
    parts += [f"tags like {_containing(joined_tags([tag]))}" for tag in wanted.tags]
    if wanted.location:
        parts.append(f"location like {_containing(wanted.location)}")
    if wanted.since:
        parts.append(f"upload_time >= {math.floor(wanted.since.timestamp())}")
    if wanted.before:
        parts.append(f"upload_time < {math.ceil(wanted.before.timestamp())}")
    return " and ".join(parts)


def joined_tags(tags: Sequence[str]) -> str:
    """Normalised tags as the image collection holds them: ``|clean|deluxe|``, empty without tags."""
    return f"|{'|'.join(tags)}|" if tags else ""


def looks_inside_texts(wanted: ImageFilter) -> bool:
    """Whether the filter's expression asks for parts of texts, which not every Milvus finds."""
    return bool(wanted.tags or wanted.location)


def finds_parts(version: str) -> bool:
    """Whether a server of that version finds ``like "%part%"``: before 2.4 beginnings alone.

    Milvus Lite gives its name before its version.
    """
    return _ONLY_BEGINNINGS.match(version) is None


def _containing(part: str) -> str:
    """A pattern for ``like``. Servers differ in how a wildcard is escaped; all of them read _ as any one letter."""
    return quote(f"%{re.sub(_MEANT_OTHERWISE, '_', part)}%")

"""What a search or a list may be narrowed to; as an expression of Milvus here, as SQL in ``stores/image_store``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.vector_collections import quote


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """All that is set must hold.

    Attributes:
        tags: all of them.
        location: a part of it, in any case.
        since: uploaded at this moment or later.
        before: uploaded earlier than this moment.
    """

    category: str | None = None
    room_number: str | None = None
    item_type: str | None = None
    tags: tuple[str, ...] = ()
    location: str | None = None
    status: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    @property
    def looks_inside_texts(self) -> bool:
        """Whether ``expression`` asks for parts of texts, which not every Milvus finds."""
        return bool(self.tags or self.location)

    def expression(self) -> str:
        """As an expression of Milvus; empty where nothing is set."""
        equal = {
            "category": self.category,
            "room_number": self.room_number,
            "item_type": normal(self.item_type) if self.item_type else None,
            "status": self.status,
        }
        parts = [f"{field} == {quote(value)}" for field, value in equal.items() if value]
        parts += [f"tags like {_containing(joined_tags([tag]))}" for tag in self.tags]
        if self.location:
            parts.append(f"location like {_containing(normal(self.location))}")
        if self.since:
            parts.append(f"upload_time >= {math.floor(self.since.timestamp())}")
        if self.before:
            parts.append(f"upload_time < {math.ceil(self.before.timestamp())}")
        return " and ".join(parts)


def normal(text: str) -> str:
    """Lower case with single spaces: how words that are filtered by are compared."""
    return " ".join(text.lower().split())


def normal_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Each tag once, normalised, in order; empty ones are dropped."""
    return tuple(dict.fromkeys(tag for tag in map(_normal_tag, tags) if tag))


def joined_tags(tags: Sequence[str]) -> str:
    """The tags as the vector index holds them: ``|clean|deluxe|``, empty without tags."""
    return f"|{'|'.join(normal_tags(tags))}|" if tags else ""


def _normal_tag(tag: str) -> str:
    return normal(tag.replace("|", " "))


def _containing(part: str) -> str:
    """A pattern for ``like``. Servers differ in how a wildcard is escaped; all of them read _ as any one letter."""
    return quote(f"%{part.replace('%', '_')}%")

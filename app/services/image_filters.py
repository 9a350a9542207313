"""What a search or a list of pictures may be narrowed to. PostgreSQL has the last word; each vector database turns the
filter into a condition of its own language that lets through all that PostgreSQL does, and perhaps a little more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.utils.text_folding import folded


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """All that is set must hold; empty words and tags are not set.

    Attributes:
        item_type: without case and marks, as tags and location are (``folded``).
        tags: all of them.
        location: a part of it.
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

    def __post_init__(self) -> None:
        # Once, here: a backend that forgot would find nothing for "Tang 2".
        object.__setattr__(self, "item_type", folded(self.item_type or "") or None)
        object.__setattr__(self, "tags", tuple(dict.fromkeys(folded(tag) for tag in normal_tags(self.tags))))
        object.__setattr__(self, "location", folded(self.location or "") or None)

    @property
    def has_words(self) -> bool:
        """Whether it asks for words, which an index may hold with their marks."""
        return bool(self.item_type or self.tags or self.location)


def normal(text: str) -> str:
    """Lower case with single spaces: how an index holds words that are filtered by."""
    return " ".join(text.lower().split())


def normal_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Each tag once, normalised, in order; empty ones are dropped."""
    return tuple(dict.fromkeys(tag for tag in map(_normal_tag, tags) if tag))


def _normal_tag(tag: str) -> str:
    return normal(tag.replace("|", " "))  # a vector index may hold all tags as one text, divided by |

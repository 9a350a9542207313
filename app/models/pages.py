"""The one style of lists: ``items``, ``next_cursor``, ``limit``; and the next page's address in ``Link`` (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self, TypeVar

from fastapi import Query
from pydantic import Field

from app.models.common import Response
from app.utils.cursors import Slice

Item = TypeVar("Item")

Cursor = Annotated[
    str | None, Query(max_length=400, description="`next_cursor` of the page before; absent for the first page")
]


class ListPage(Response):
    """Some of a list; each has its ``items``."""

    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one")
    limit: int

    @classmethod
    def listing(cls, page: Slice[Item], shown: Callable[[Item], Response], *, limit: int) -> Self:
        """A page of a list that has nothing beside."""
        return cls.like(page, items=[shown(item) for item in page.items], limit=limit)


def old_name(new: str) -> Any:  # noqa: ANN401  # a default that pydantic reads
    """A field that says the same as ``new``, kept for clients of an earlier release."""
    return Field(description=f"As `{new}`, which is to be used", json_schema_extra={"deprecated": True})

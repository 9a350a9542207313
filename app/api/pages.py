"""The ``Link`` header of lists (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request, Response

from app.models.pages import ListPage

P = TypeVar("P", bound=ListPage)


async def _linker(request: Request, response: Response) -> Callable[[ListPage], None]:
    def link(page: ListPage) -> None:
        if page.next_cursor is not None:
            url = request.url.include_query_params(cursor=page.next_cursor, limit=page.limit)
            # Without the host, which the client has chosen.
            response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'

    return link


def linked(page: P, link: Callable[[ListPage], None]) -> P:
    """The page, with the next one's address in the answer's header."""
    link(page)
    return page


Linker = Annotated[Callable[[ListPage], None], Depends(_linker)]

"""``ETag`` and ``If-None-Match``: who asks again and again for the same is told in a few bytes that nothing changed."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant

from app.api.idempotency import Handler

_MAX_TAGS = 50


async def _declare_header(
    _: Annotated[
        str | None,
        Header(alias="If-None-Match", description="An `ETag` of before: 304 without a body where it still holds"),
    ] = None,
) -> None:
    """For the documentation; ``tagged`` reads the header."""


CONDITIONAL = Depends(_declare_header)
"""Marks a GET whose answer gets an ETag: ``@router.get("/x", dependencies=[CONDITIONAL])``."""


def is_conditional(dependant: Dependant) -> bool:
    """Whether a route is so marked."""
    return any(dependency.call is _declare_header for dependency in dependant.dependencies)


def tagged(handler: Handler) -> Handler:
    """``handler`` with an ETag for its answer, which is not sent to whoever has it."""

    async def handle(request: Request) -> Response:
        response = await handler(request)
        if response.status_code != HTTPStatus.OK:
            return response
        tag = response.headers.get("etag") or weak_tag(bytes(response.body))
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if _names(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        response.headers.update(headers)
        return response

    return handle


def weak_tag(content: bytes) -> str:
    """A tag for what means the same as ``content``."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def _names(given: str, tag: str) -> bool:
    """Whether the header names the tag; both kinds count, as they do for If-None-Match."""
    named = {one.strip().removeprefix("W/") for one in given.split(",", _MAX_TAGS)}
    return tag.removeprefix("W/") in named or "*" in named

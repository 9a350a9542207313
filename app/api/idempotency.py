"""The ``Idempotency-Key`` header (IETF draft): a write that is sent again is answered again, not carried out again."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant

from app.api.problems import problem_of
from app.api.security import identify_early
from app.dependencies import get_resources
from app.errors import InvalidInput
from app.models.bodies import body_sha256
from app.workflows.idempotency import Claim, KeptAnswer, KeyedRequest

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]

_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("content-type", "location", "link", "preference-applied", "retry-after", "www-authenticate")
# Answers that say nothing of the request itself; sent again it may have another.
_PASSING = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


async def _declare_header(
    _: Annotated[
        str | None,
        Header(
            alias=_HEADER,
            description="Up to 255 printable characters, such as a UUID. Sent again within 24 hours, the same request "
            "gets the same answer and takes effect once; another request with this key is refused.",
            examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
        ),
    ] = None,
) -> None:
    """For the documentation; ``answered_once`` reads the header."""


IDEMPOTENT = Depends(_declare_header)
"""Marks a route that takes the header: ``@router.post("/x", dependencies=[IDEMPOTENT])``."""


def is_idempotent(dependant: Dependant) -> bool:
    """Whether a route is so marked."""
    return any(dependency.call is _declare_header for dependency in dependant.dependencies)


def answered_once(handler: Handler) -> Handler:
    """``handler`` behind the look into the book of keys, for requests that bring one."""

    async def handle(request: Request) -> Response:
        given = request.headers.get(_HEADER)
        if given is None:
            return await handler(request)
        try:
            claim = await _claim(request, _key(given))
            return _sent_again(claim) if isinstance(claim, KeptAnswer) else await _carry_out(claim, handler, request)
        finally:
            await request.close()  # a form that was read for its digest alone

    return handle


def _key(given: str) -> str:
    """The key; the draft writes it in quotes, most clients do not."""
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"{_HEADER} takes 1 to 255 printable characters.", code="invalid_idempotency_key")
    return key


async def _claim(request: Request, key: str) -> Claim | KeptAnswer:
    caller, secret = await identify_early(request)  # nobody else's body is read
    book = (await get_resources(request)).idempotency
    return await book.claim(
        KeyedRequest(
            owner="" if caller.key_id is None else str(caller.key_id),
            secret=secret,
            target=f"{request.method} {request.url.path}?{request.url.query}",
            key=key,
            body_sha256=await body_sha256(request),
        )
    )


async def _carry_out(claim: Claim, handler: Handler, request: Request) -> Response:
    book = (await get_resources(request)).idempotency
    is_kept = False
    try:
        async with book.held(claim):
            try:
                response = await handler(request)
            except Exception as error:  # noqa: BLE001  # passed on by problem_of where it is a bug
                response = problem_of(error)
        if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and response.status_code not in _PASSING:
            headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            await book.keep(claim, KeptAnswer(response.status_code, headers, bytes(response.body)))
            is_kept = True
        return response
    finally:
        if not is_kept:
            await book.give_back(claim)


def _sent_again(answer: KeptAnswer) -> Response:
    return Response(answer.body, answer.status, {**answer.headers, "Idempotency-Replayed": "true"})

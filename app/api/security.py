"""May the caller do this? A handler asks for ``Annotated[Caller, Depends(require(Scope.FACE_RECOGNIZE))]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from app.api.in_flight import count_for
from app.composition.resources import Resources
from app.dependencies import Everything, get_resources
from app.errors import BackendUnavailable, Forbidden, Unauthorized
from app.types import Scope
from app.utils.logging import key_id_var
from app.workflows.access import LOCAL, Caller

_KEY_HEADER = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", description="An API key", auto_error=False)
_BEARER = HTTPBearer(scheme_name="Bearer", description="The same API key", auto_error=False)


async def _presented(
    header: Annotated[str | None, Security(_KEY_HEADER)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> str | None:
    if header:
        return header
    return bearer.credentials.strip() or None if bearer else None


Presented = Annotated[str | None, Depends(_presented)]


async def identify(request: Request, secret: Presented, resources: Everything) -> Caller:
    """The owner of the key, whatever it may do; found and counted once a request.

    Raises:
        Unauthorized: no key, or an unknown one.
        Overloaded: the key was used too often, or has too many requests under way.
    """
    if not hasattr(request.state, "caller"):
        request.state.caller = await _identify(request, secret, resources)
    return cast(Caller, request.state.caller)


async def identify_early(request: Request) -> tuple[Caller, str]:
    """Before any dependency: the owner of the key, and the key, empty where none is asked for. Errors as above."""
    secret = await _presented(await _KEY_HEADER(request), await _BEARER(request))
    caller = await identify(request, secret, await get_resources(request))
    return caller, secret or ""


async def _identify(request: Request, secret: str | None, resources: Resources) -> Caller:
    if resources.keys is None:
        return LOCAL
    if secret is None:
        raise Unauthorized("Send an API key in X-API-Key or as a Bearer token.", code="key_missing")
    caller = await resources.keys.caller(secret)
    if caller is None:
        raise Unauthorized("This API key is unknown or revoked.", code="key_unknown")
    key_id_var.set(caller.key_id)  # for the audit and the log line of this request
    count_for(f"key {caller.key_id}")  # clients take turns by their key, wherever they come from
    if resources.limiter is not None and caller.key_id is not None:
        request.state.quota, wait_s = await resources.limiter.count(caller.key_id)
        if wait_s > 0:
            raise resources.limiter.refusal(wait_s)
    return caller


Identified = Annotated[Caller, Depends(identify)]


def require(*scopes: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that yields the caller if it has one of ``scopes``.

    Raises:
        Unauthorized: no key, or an unknown one.
        Forbidden: the key has another scope.
        Overloaded: the key was used too often.
    """

    async def authorize(caller: Identified) -> Caller:
        if not caller.may(*scopes):
            raise Forbidden(f"This API key lacks the scope {' or '.join(scopes)}.", code="scope_missing")
        return caller

    return authorize


@dataclass(frozen=True, slots=True)
class StreamReader:
    """Who reads an answer that lasts; ``may_read`` says at any later moment whether they still may."""

    caller: Caller
    may_read: Callable[[], Awaitable[bool]]


def opened_for(*scopes: Scope) -> Callable[..., Awaitable[StreamReader]]:
    """A dependency for answers that last, opened by a key or by a ticket in its name. Errors as for ``require``."""

    async def reader(
        request: Request,
        secret: Presented,
        resources: Everything,
        ticket: Annotated[
            str | None, Query(max_length=100, description="Of `POST /events/ticket`, in the place of the API key")
        ] = None,
    ) -> StreamReader:
        caller = await _opener(request, secret, resources, ticket)
        if not caller.may(*scopes):
            raise Forbidden(f"This API key lacks the scope {' or '.join(scopes)}.", code="scope_missing")

        async def may_read() -> bool:
            if resources.keys is None or caller.key_id is None:
                return True
            try:
                now = await resources.keys.caller_by_id(caller.key_id)
            except BackendUnavailable:
                return True  # nobody can revoke a key meanwhile, either
            return now is not None and now.may(*scopes)

        return StreamReader(caller, may_read)

    return reader


async def _opener(request: Request, secret: str | None, resources: Resources, ticket: str | None) -> Caller:
    if ticket is None or resources.keys is None:
        return await identify(request, secret, resources)
    key_id = await resources.tickets.redeem(ticket)
    caller = None if key_id is None else await resources.keys.caller_by_id(key_id)
    if caller is None:
        raise Unauthorized("The API key of this ticket is revoked.", code="key_unknown")
    return caller


async def may_read_metrics(request: Request, secret: Presented, resources: Everything) -> None:
    """Everybody where METRICS_PUBLIC is set, else whoever has a key: numbers need no scope.

    Raises:
        Unauthorized: no key, or an unknown one.
        Overloaded: the key was used too often.
    """
    if not resources.settings.METRICS_PUBLIC:
        await identify(request, secret, resources)

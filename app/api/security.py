"""May the caller do this? A handler asks for ``Annotated[Caller, Depends(require(Scope.FACE_RECOGNIZE))]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from app.api.in_flight import count_for
from app.api.origin import is_our_page
from app.composition.resources import Resources
from app.dependencies import Everything, get_resources
from app.errors import BackendUnavailable, Forbidden, Unauthorized
from app.types import Scope
from app.utils.logging import key_id_var
from app.workflows.access import LOCAL, Caller, KeyRing

SESSION_COOKIE = "cv_session"

_KEY_HEADER = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", description="An API key", auto_error=False)
_BEARER = HTTPBearer(scheme_name="Bearer", description="The same API key", auto_error=False)
_COOKIE = APIKeyCookie(
    name=SESSION_COOKIE,
    scheme_name="Session",
    description="Set by `POST /session`; counts in requests of our own pages alone",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brings: an API key, or else the secret of a session."""

    secret: str
    is_session: bool = False


async def _presented(
    header: Annotated[str | None, Security(_KEY_HEADER)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    cookie: Annotated[str | None, Security(_COOKIE)],
) -> Credential | None:
    if header:
        return Credential(header)
    if bearer:
        token = bearer.credentials.strip()
        return Credential(token) if token else None
    return Credential(cookie, is_session=True) if cookie else None


Presented = Annotated[Credential | None, Depends(_presented)]


async def identify(request: Request, credential: Presented, resources: Everything) -> Caller:
    """The owner of the key, whatever it may do; found and counted once a request.

    Raises:
        Unauthorized: no key, or an unknown one; or a session that has ended.
        Forbidden: a session that another site's page makes use of.
        Overloaded: the key was used too often, or has too many requests under way.
    """
    if not hasattr(request.state, "caller"):
        request.state.caller = await _identify(request, credential, resources)
    return cast(Caller, request.state.caller)


async def identify_early(request: Request) -> tuple[Caller, str]:
    """Before any dependency: the owner of the key, and the key, empty where none is asked for. Errors as above."""
    credential = await _presented(await _KEY_HEADER(request), await _BEARER(request), await _COOKIE(request))
    caller = await identify(request, credential, await get_resources(request))
    return caller, credential.secret if credential else ""


async def _identify(request: Request, credential: Credential | None, resources: Resources) -> Caller:
    if resources.keys is None:
        return LOCAL
    if credential is None:
        raise Unauthorized("Send an API key in X-API-Key or as a Bearer token.", code="key_missing")
    caller = await _caller(request, credential, resources.keys)
    key_id_var.set(caller.key_id)  # for the audit and the log line of this request
    count_for(f"key {caller.key_id}")  # clients take turns by their key, wherever they come from
    if resources.limiter is not None and caller.key_id is not None:
        request.state.quota, wait_s = await resources.limiter.count(caller.key_id)
        if wait_s > 0:
            raise resources.limiter.refusal(wait_s)
    return caller


async def _caller(request: Request, credential: Credential, keys: KeyRing) -> Caller:
    if not credential.is_session:
        if caller := await keys.caller(credential.secret):
            return caller
        raise Unauthorized("This API key is unknown or revoked.", code="key_unknown")
    if not is_our_page(request.method, request.headers):
        raise Forbidden("A session counts in requests of our own pages alone.", code="origin_refused")
    if caller := await keys.caller_of_session(credential.secret):
        return caller
    raise Unauthorized("Your session has ended; sign in again.", code="session_ended")


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
        credential: Presented,
        resources: Everything,
        ticket: Annotated[
            str | None, Query(max_length=100, description="Of `POST /events/ticket`, in the place of the API key")
        ] = None,
    ) -> StreamReader:
        caller = await _opener(request, credential, resources, ticket)
        if not caller.may(*scopes):
            raise Forbidden(f"This API key lacks the scope {' or '.join(scopes)}.", code="scope_missing")

        async def may_read() -> bool:
            if resources.keys is None or caller.key_id is None:
                return True
            try:
                now = await resources.keys.caller_by_id(caller.key_id)
                if ticket is None and credential and credential.is_session:
                    now = now if await resources.keys.lasts(credential.secret) else None
            except BackendUnavailable:
                return True  # nobody can revoke a key meanwhile, either
            return now is not None and now.may(*scopes)

        return StreamReader(caller, may_read)

    return reader


async def _opener(request: Request, credential: Credential | None, resources: Resources, ticket: str | None) -> Caller:
    if ticket is None or resources.keys is None:
        return await identify(request, credential, resources)
    key_id = await resources.tickets.redeem(ticket)
    caller = None if key_id is None else await resources.keys.caller_by_id(key_id)
    if caller is None:
        raise Unauthorized("The API key of this ticket is revoked.", code="key_unknown")
    return caller


async def may_read_metrics(request: Request, credential: Presented, resources: Everything) -> None:
    """Everybody where METRICS_PUBLIC is set, else whoever has a key: numbers need no scope.

    Raises:
        Unauthorized: no key, or an unknown one.
        Overloaded: the key was used too often.
    """
    if not resources.settings.METRICS_PUBLIC:
        await identify(request, credential, resources)

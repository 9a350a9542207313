"""May the caller do this? A handler asks for ``Annotated[Caller, Depends(require("face:recognize"))]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from app.errors import Forbidden, Unauthorized
from app.workflows.access import LOCAL, Caller, KeyRing


def _presented(request: Request) -> str | None:
    header = request.headers.get("x-api-key")
    if header:
        return header
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def require(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that yields the caller if it has ``scope``.

    Raises:
        Unauthorized: no key, or an unknown one.
        Forbidden: the key has another scope.
    """

    async def authorize(request: Request) -> Caller:
        ring: KeyRing | None = request.app.state.resources.keys
        if ring is None:
            return LOCAL
        secret = _presented(request)
        if secret is None:
            raise Unauthorized("Send an API key in X-API-Key or as a Bearer token.", code="key_missing")
        caller = await ring.caller(secret)
        if caller is None:
            raise Unauthorized("This API key is unknown or revoked.", code="key_unknown")
        if scope not in caller.scopes and "admin" not in caller.scopes:
            raise Forbidden(f"This API key lacks the scope {scope}.", code="scope_missing")
        return caller

    return authorize

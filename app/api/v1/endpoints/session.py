"""Signing in and out, for browsers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.api.origin import is_our_page
from app.api.routes import MarkedRoute
from app.api.security import SESSION_COOKIE, Identified
from app.dependencies import Zone, resource
from app.errors import Forbidden
from app.models.bodies import json_of
from app.models.user import (
    PasswordRequest,
    SessionEnd,
    SessionInfo,
    SignInDeparture,
    SignInRequest,
    SignInWays,
)
from app.utils.fair_queue import client_var
from app.workflows.access import LOCAL
from app.workflows.sign_in import KnownCaller, SignInDesk
from app.workflows.single_sign_on import LIFETIME_S

router = APIRouter(prefix="/session", tags=["session"], route_class=MarkedRoute)

_DEPARTURE_COOKIE = "cv_departure"
_DEPARTURE_PATH = "/api/v1/cv/session"

Desk = Annotated[SignInDesk, Depends(resource(lambda resources: resources.sign_in))]


async def _from_our_pages(request: Request) -> None:
    """Nobody is signed in as somebody else by another site's page."""
    if not is_our_page(request.method, request.headers):
        raise Forbidden(
            "Sign in from our own pages; the request's Origin is to be this address.", code="origin_refused"
        )


def _console(http: Request) -> str:
    """The console's address as the browser that asks has it: a proxy before us may end TLS."""
    return f"{http.headers.get('origin') or str(http.base_url).rstrip('/')}/console"


_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody signs in so"},
    403: {"description": "Asked by a page of another origin, or by no page; or no role at the identity provider"},
    404: {"description": "There is no identity provider"},
}


async def _begun(http: Request, request: SignInRequest, desk: SignInDesk) -> tuple[KnownCaller, str]:
    address = client_var.get()
    if request.name is not None and request.password is not None:
        return await desk.by_password(request.name, request.password.get_secret_value(), address=address)
    if request.code is not None and request.state is not None:
        return await desk.by_provider(
            http.cookies.get(_DEPARTURE_COOKIE, ""),
            state=request.state,
            code=request.code.get_secret_value(),
            redirect_uri=_console(http),
            address=address,
        )
    return await desk.by_key(request.api_key.get_secret_value() if request.api_key else "", address=address)


def _keep(
    http: Request, response: Response, name: str, secret: str, *, path: str, max_age_s: int | None = None
) -> None:
    """Let the browser keep a secret out of reach of scripts and of other sites."""
    is_secure = _console(http).startswith("https:")
    response.set_cookie(name, secret, max_age=max_age_s, httponly=True, samesite="strict", secure=is_secure, path=path)


@router.post("", dependencies=[Depends(_from_our_pages)], responses=_REFUSALS)
async def begin_session(
    http: Request,
    response: Response,
    request: Annotated[SignInRequest, Depends(json_of(SignInRequest))],
    desk: Desk,
    zone: Zone,
) -> SessionInfo:
    """Sign in: the answer sets a cookie, `HttpOnly` and `SameSite=Strict`, that opens what the person or key may do."""
    if desk.is_open:
        return SessionInfo.of(await desk.identity(LOCAL), idle_min=desk.idle_min, zone=zone)
    identity, secret = await _begun(http, request, desk)
    response.delete_cookie(_DEPARTURE_COOKIE, httponly=True, samesite="strict", path=_DEPARTURE_PATH)
    _keep(http, response, SESSION_COOKIE, secret, path="/")
    return SessionInfo.of(identity, idle_min=desk.idle_min, zone=zone)


@router.get("/ways")
async def list_sign_in_ways(desk: Desk) -> SignInWays:
    """How people sign in here."""
    return SignInWays(password=not desk.is_open, identity_provider=desk.has_provider)


@router.post(
    "/provider", dependencies=[Depends(_from_our_pages)], responses={code: _REFUSALS[code] for code in (403, 404)}
)
async def begin_provider_sign_in(http: Request, response: Response, desk: Desk) -> SignInDeparture:
    """Begin to sign in by the hotel's identity provider: go to `url`, and end with what you come back with, in the same
    browser and within ten minutes, by `POST /session`."""
    departure = await desk.depart(_console(http), address=client_var.get())
    _keep(http, response, _DEPARTURE_COOKIE, departure.secret, path=_DEPARTURE_PATH, max_age_s=LIFETIME_S)
    return SignInDeparture(url=departure.url)


@router.get("")
async def get_session(caller: Identified, desk: Desk, zone: Zone) -> SessionInfo:
    """Who asks, by session or by API key, and what they may do."""
    return SessionInfo.of(await desk.identity(caller), idle_min=desk.idle_min, zone=zone)


@router.delete("")
async def end_session(http: Request, response: Response, caller: Identified, desk: Desk) -> SessionEnd:
    """Sign out: the cookie opens nothing any more."""
    if session := http.cookies.get(SESSION_COOKIE):
        await desk.end(caller, session)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict", path="/")
    return SessionEnd()


@router.put("/password")
async def change_own_password(
    http: Request,
    caller: Identified,
    request: Annotated[PasswordRequest, Depends(json_of(PasswordRequest))],
    desk: Desk,
    zone: Zone,
) -> SessionInfo:
    """Change one's own password; all one's other sessions end."""
    await desk.change_password(
        caller,
        old=request.password.get_secret_value(),
        new=request.new_password.get_secret_value(),
        session=http.cookies.get(SESSION_COOKIE),
    )
    return SessionInfo.of(await desk.identity(caller), idle_min=desk.idle_min, zone=zone)

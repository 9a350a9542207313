"""Errors as RFC 9457 problem documents: the one table from our errors to HTTP statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import errors
from app.utils.logging import logger, request_id_var

MEDIA_TYPE = "application/problem+json"

# Python 3.13 renamed them; what clients read depends on no Python.
_TITLES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}

STATUS: Mapping[type[errors.VisionError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConfigurationError: HTTPStatus.SERVICE_UNAVAILABLE,
}

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_NO_SUCH_PATH = "There is no such path; /docs lists those that there are."
_BUG = "Something went wrong on our side; report the request_id."
FRAMEWORK_PROBLEMS = (
    (HTTPStatus.NOT_FOUND, _CODES[404], _NO_SUCH_PATH),
    (HTTPStatus.METHOD_NOT_ALLOWED, _CODES[405], "This path takes …; see /docs."),
    (HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", "body.…: Field required"),
    (HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", _BUG),
)
"""Status, code and message of problems that are no VisionError."""


class ProblemAnswer(JSONResponse):
    """A problem document; the request's log line names its code."""

    media_type = MEDIA_TYPE

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> None:
        super().__init__(body, status, dict(headers))
        self._code = body["code"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["problem_code"] = self._code
        await super().__call__(scope, receive, send)


def title_of(status: int) -> str:
    """The title of every problem with a status."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document.

    Args:
        code: stable and machine-readable.
        detail: a sentence for a person: what is wrong, what to do.
        extra: further members.
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id_var.get(),
        **(extra or {}),
    }
    return ProblemAnswer(status, body, headers or {})


def status_of(error: errors.VisionError) -> HTTPStatus:
    """The status of the closest class in the table."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def vision_problem(error: errors.VisionError) -> JSONResponse:
    """The answer to one of our own errors."""
    headers = {}
    if isinstance(error, errors.Overloaded | errors.Unavailable | errors.RequestInFlight):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="cv-service"'
    return problem(status_of(error), error.code, error.message, extra=error.details, headers=headers)


def validation_problem(found: Sequence[Mapping[str, Any]]) -> JSONResponse:
    """The answer to a body or parameter of the wrong shape. Names the places, never repeats the values."""
    if any(e["type"] == "json_invalid" for e in found):
        return _not_json()
    listed = [{"field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]} for e in found]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in listed[:5])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", detail, extra={"errors": listed})


def _not_json() -> JSONResponse:
    return vision_problem(errors.InvalidInput("The body is not valid JSON.", code="invalid_json"))


def problem_of(error: Exception) -> JSONResponse:
    """The answer to an error that an endpoint raises.

    Raises:
        Exception: the error itself, where it is a bug.
    """
    if isinstance(error, errors.VisionError):
        return vision_problem(error)
    if isinstance(error, RequestValidationError):
        return validation_problem(error.errors())
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's only one: a body that is no text at all
        return _not_json()
    code = _CODES.get(error.status_code, "http_error")
    return problem(error.status_code, code, _advice(error), headers=error.headers)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""

    async def answer(_: Request, error: Exception) -> JSONResponse:
        return problem_of(error)

    for kind in (errors.VisionError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _advice(error: HTTPException) -> str:
    """What the framework says, and for its barest errors what to do."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _NO_SUCH_PATH
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"This path takes {(error.headers or {}).get('Allow', 'other methods')}; see /docs."
    return str(error.detail)


def unexpected_problem(error: Exception) -> JSONResponse:
    """The answer to a bug: fixed text for the caller, the traceback for us."""
    logger.opt(exception=error).error("unexpected_error")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", _BUG)

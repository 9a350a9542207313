"""What the document says of answers: problems by status with their codes, and headers."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from app.api.problems import title_of

Answer = dict[str, Any]  # as free as JSON

PROBLEM = "Problem"
_CODES: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("error_codes.json").read_text(encoding="utf-8")
)
_MEDIA_TYPE = "application/problem+json"
_MODEL: Answer = {
    "title": PROBLEM,
    "type": "object",
    "required": ["title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do"},
        "code": {"type": "string", "description": "Stable, machine-readable"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "With the code validation_error: each place that has the wrong shape",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "The image is damaged or incomplete; send the whole file.",
        "code": "damaged_image",
        "request_id": "4f1c2a7e9b0d4c55a1f0c6a2d9e8b7f3",
    },
}
# The code that stands for its status in the example.
_TYPICAL = {"404": "not_found", "409": "idempotency_in_flight", "422": "damaged_image", "503": "backend_unavailable"}
_SECONDS = {"type": "integer", "minimum": 1}
HEADERS: dict[str, Answer] = {
    "ETag": {"description": "Send it as If-None-Match: 304 while nothing changed", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "true: the answer to the first request with this Idempotency-Key",
        "schema": {"const": "true"},
    },
    "Last-Event-ID": {"description": "Where the stream begins", "schema": {"type": "string"}},
    "Link": {"description": 'The next page\'s address, rel="next" (RFC 8288)', "schema": {"type": "string"}},
    "Location": {"description": "The job's address", "schema": {"type": "string"}},
    "RateLimit": {"description": "Requests left, and seconds until all are back", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "Requests in a window of seconds", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait", "schema": _SECONDS},
    "WWW-Authenticate": {"description": "How to send a key", "schema": {"type": "string"}},
    "X-Request-ID": {"description": "The request's name in the log", "schema": {"type": "string"}},
}
# What a problem of this status has beside X-Request-ID.
_PROBLEM_HEADERS = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
_OF_NO_OPERATION = ("405", "500")
_NOT_MODIFIED: Answer = {"description": "Nothing changed since the answer with this ETag"}
_REFERENCE = "#/components/"


def components() -> dict[str, dict[str, Answer]]:
    """The parts that operations refer to, by kind and name."""
    return {
        "headers": HEADERS,
        "responses": {_name(status): _problem(status) for status in _CODES if status not in _OF_NO_OPERATION},
        "schemas": {PROBLEM: _MODEL},
    }


def complete_answers(operation: dict[str, Any]) -> None:
    """Add the problems that an operation may answer with, and every answer's headers."""
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own form of it
    for status, answer in answers.items():
        if status >= "400":  # those that a handler adds, by their description or with another body
            problem = _problem(status)
            content = answer.get("content", {}) | problem["content"]
            answers[status] = answer | {"content": content, "headers": problem["headers"]}
        else:
            answer["headers"] = _references(_headers_of_success(operation, status))
    if "ETag" in answers.get("200", {}).get("headers", {}):
        answers["304"] = _NOT_MODIFIED | {"headers": _references({"ETag", "X-Request-ID"})}
    for status in _problem_statuses(operation):
        answers.setdefault(status, {"$ref": f"{_REFERENCE}responses/{_name(status)}"})


def _name(status: str) -> str:
    return title_of(int(status)).title().replace(" ", "")


def _problem(status: str) -> Answer:
    codes = _CODES[status]
    code = _TYPICAL.get(status, next(iter(codes)))
    title = title_of(int(status))
    narrowed = {"properties": {"status": {"const": int(status)}, "code": {"enum": list(codes)}}}
    example = _MODEL["example"] | {"title": title, "status": int(status), "detail": codes[code][0], "code": code}
    content = {"schema": {"allOf": [{"$ref": f"{_REFERENCE}schemas/{PROBLEM}"}, narrowed]}, "example": example}
    return {
        "description": f"{title}: a problem document (RFC 9457)",
        "content": {_MEDIA_TYPE: content},
        "headers": _references(_headers_of_problem(status)),
    }


def _headers_of_problem(status: str) -> set[str]:
    return {"X-Request-ID", _PROBLEM_HEADERS.get(status, "X-Request-ID")}


def _headers_of_success(operation: dict[str, Any], status: str) -> set[str]:
    asked = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    given_by = {
        "if-none-match": ("ETag",),
        "cursor": ("Link",),
        "idempotency-key": ("Idempotency-Replayed",),
        "last-event-id": ("Last-Event-ID",),
    }
    names = {"X-Request-ID", *(name for parameter in asked & set(given_by) for name in given_by[parameter])}
    if operation["security"]:
        names |= {"RateLimit", "RateLimit-Policy"}
    return names | ({"Location", "Retry-After"} if status == str(int(HTTPStatus.ACCEPTED)) else set())


def _references(names: set[str]) -> Answer:
    return {name: {"$ref": f"{_REFERENCE}headers/{name}"} for name in sorted(names)}


def _problem_statuses(operation: dict[str, Any]) -> tuple[str, ...]:
    anywhere = ("422", "429", "503")
    with_key = ("401", "403", "404") if operation["security"] else ()
    with_body = ("408", "409", "413", "504") if "requestBody" in operation else ()
    asked = {parameter["name"] for parameter in operation.get("parameters", ())}
    once = ("409",) if "Idempotency-Key" in asked else ()
    return anywhere + with_key + with_body + once

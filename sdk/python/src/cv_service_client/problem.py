"""What the service refuses: a problem document (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx


class Problem(Exception):
    """The service refused.

    Attributes:
        status: of HTTP.
        code: stable; ``http_error`` where a proxy answered.
        message: what is wrong and what to do.
        request_id: the request's name in the service's log.
        retry_after_s: after how long it is worth another try, where the service said so.
        errors: with ``validation_error``, each place (``field``, ``message``) that has the wrong shape.
        document: all members.
    """

    def __init__(self, response: httpx.Response) -> None:
        """Args: response: an answer from 400 on, which was read."""
        self.document: Mapping[str, Any] = _document_of(response)
        self.status = response.status_code
        self.code = str(self.document.get("code", "http_error"))
        self.message = str(self.document.get("detail", f"HTTP {response.status_code} {response.reason_phrase}"))
        self.request_id = str(self.document.get("request_id") or response.headers.get("X-Request-ID", ""))
        self.retry_after_s = retry_after_of(response)
        self.errors: list[dict[str, str]] = list(self.document.get("errors", ()))
        super().__init__(f"{self.status} {self.code}: {self.message}")


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds of ``Retry-After``, which may be a date; None where there is none or it can't be read."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _document_of(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}

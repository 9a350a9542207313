"""Webhooks signed as Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence

from cv_service_client.stream import Event

_PREFIX = "whsec_"
_TOLERANCE_S = 300.0


class InvalidSignature(Exception):
    """The message does not come from the service, or is an old one sent again. Answer 400 and do nothing."""


def verify_webhook(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_s: float | None = None,
    tolerance_s: float = _TOLERANCE_S,
) -> Event:
    """The event in a webhook's body. Drop repetitions by its ``id``.

    Args:
        secret: of the subscription, as it was created; several while one takes the other's place.
        headers: of the request; any mapping, names in any case.
        body: as it came, before any JSON parser.
        now_s: seconds since 1970, in the place of the clock.

    Raises:
        InvalidSignature: see there.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, timestamp, signatures = (given[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise InvalidSignature(f"The header {error} is missing") from error
    if not (timestamp.isascii() and timestamp.isdecimal()):
        raise InvalidSignature("webhook-timestamp is no number of seconds")
    if abs((time.time() if now_s is None else now_s) - float(timestamp)) > tolerance_s:
        raise InvalidSignature("The message is too old or of the future")
    signed = f"{event_id}.{timestamp}.".encode() + body
    for one in [secret] if isinstance(secret, str) else secret:
        digest = hmac.new(base64.b64decode(one.removeprefix(_PREFIX)), signed, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(digest)
        if any(hmac.compare_digest(expected, signature.encode()) for signature in signatures.split()):
            data = json.loads(body)
            return Event(event_id, data["type"], data)
    raise InvalidSignature("No signature of the message fits")

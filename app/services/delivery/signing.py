"""Signatures of webhooks, as Standard Webhooks (standardwebhooks.com) describes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_signing_secret() -> str:
    """A fresh secret, as receivers' libraries take it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(secret: str, *, event_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """What proves a message to whoever knows ``secret``.

    Args:
        secret: what ``new_signing_secret`` made.
        event_id: by which the receiver recognises a repetition.
        sent_at_s: seconds since 1970; receivers refuse what is old, so a recorded message can't be sent again.
        body: exactly what is sent.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signature = hmac.new(key, f"{event_id}.{sent_at_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_at_s),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }

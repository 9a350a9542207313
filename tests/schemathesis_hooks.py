"""How schemathesis sends the bodies that it has no way of its own for. Loaded by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import schemathesis


@schemathesis.serializer(
    "application/x-ndjson",
    "application/jsonl",
    "application/ndjson",
    "application/zip",
    "application/x-zip-compressed",
)
def as_bytes(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """What was made up, as it is: archives and lines of no sense, which have to be refused in good order."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", errors="replace")

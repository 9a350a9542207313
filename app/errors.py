"""Every error that this service raises on purpose, on one page.

Engines, services and workflows raise these; only ``app/api/problems.py`` knows which HTTP status each one becomes.
``code`` is stable and machine-readable, the message says what to do. Neither may hold image data,
vectors, document text or secrets.
"""

from __future__ import annotations

from collections.abc import Collection


class VisionError(Exception):
    """Base of all expected failures.

    Args:
        message: one sentence for the caller: what is wrong and what to do.
        code: stable identifier; the class's default when omitted.
        details: extra machine-readable fields for the problem document.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details or {}


class InvalidInput(VisionError):
    """The request is well-formed but a value in it cannot be used (422)."""

    code = "invalid_input"


class InvalidImage(InvalidInput):
    """The bytes are not an image that we can decode (422)."""

    code = "invalid_image"


class TooLarge(VisionError):
    """The body or the decoded picture is over a limit (413)."""

    code = "too_large"


class TooSlow(VisionError):
    """The body did not arrive in time (408)."""

    code = "too_slow"


class Unauthorized(VisionError):
    """No credentials, or credentials that we do not know (401)."""

    code = "unauthorized"


class Forbidden(VisionError):
    """The caller is known, or refused by origin, and may not do this (403)."""

    code = "forbidden"


class NotFound(VisionError):
    """The thing named in the request does not exist (404)."""

    code = "not_found"


class Conflict(VisionError):
    """The request contradicts what is stored (409)."""

    code = "conflict"


class RequestInFlight(Conflict):
    """The same request is being carried out (409 with Retry-After)."""

    code = "in_flight"
    retry_after_s = 1.0


class Overloaded(VisionError):
    """No place in the queue now (429 with Retry-After)."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float = 1.0, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(VisionError):
    """The work did not end in time (504)."""

    code = "deadline_exceeded"


class Unavailable(VisionError):
    """Something that this request needs is down or not ready (503 with Retry-After)."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 2.0, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class BackendUnavailable(Unavailable):
    """A backend did not answer in time or refused the connection (503).

    Args:
        backend: its name in /health: ``database``, ``vector_db``, ``redis``, ``storage``, ``message_queue``, ``mqtt``.
    """

    code = "backend_unavailable"

    def __init__(self, backend: str) -> None:
        super().__init__(f"The {backend} backend does not answer; try again shortly.")
        self.backend = backend


class DiskFull(BackendUnavailable):
    """A backend has no room to write (503)."""

    code = "disk_full"


class NotAllRemoved(BackendUnavailable):
    """A backend removed some of several things, and refused others (503).

    Args:
        keys: what is left.
    """

    def __init__(self, backend: str, keys: Collection[str]) -> None:
        super().__init__(backend)
        self.keys = keys


class SchemaMissing(Unavailable):
    """PostgreSQL answers, but lacks tables or columns that we know (503)."""

    code = "schema_missing"

    def __init__(self) -> None:
        super().__init__("The database is not migrated; run: cv migrate.", retry_after_s=30.0)


class ModelUnavailable(Unavailable):
    """A model that this request needs is missing, corrupt or not loaded (503)."""

    code = "model_unavailable"


class ConfigurationError(VisionError):
    """A setting or a model pack stops the start; never raised while serving."""

    code = "configuration_error"

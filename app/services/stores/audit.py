"""Who did what to whom: one entry an action, in its transaction, with the request and the API key it came by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from app.services.database import Connection
from app.services.stores.fences import pass_fence
from app.utils.logging import key_id_var, request_id_var

# Who looks at one thing again and again, as a page that is refreshed does, is noted once in this time.
_LOOKS_NOTED = timedelta(hours=1)


async def add_audit_entry(
    connection: Connection, action: str, *, subject: str, actor: str | None, details: Mapping[str, object] | None = None
) -> None:
    """Write an audit row, inside the fence of the work that it belongs to.

    Args:
        action: such as ``face.enroll``.
        subject: the id of what it was done to.
        actor: who asked for it, by their own words or else by the label of their key; None where nobody said.
        details: JSON-serialisable, without biometric or document data.
    """
    await pass_fence(connection, subject)
    request_id, key_id = origin()
    await connection.execute(
        "INSERT INTO audit_log (action, subject, actor, request_id, key_id, details) VALUES ($1, $2, $3, $4, $5, $6)",
        action,
        subject,
        actor,
        request_id,
        key_id,
        dict(details or {}),
    )


async def add_looks(connection: Connection, action: str, subjects: Sequence[str], *, actor: str | None) -> None:
    """Write that somebody looked at each of ``subjects``, unless the same caller's look was written within the hour."""
    if not subjects:
        return
    request_id, key_id = origin()
    await connection.execute(
        "INSERT INTO audit_log (action, subject, actor, request_id, key_id, details) "
        "SELECT $1::text, seen.subject, $3::text, $4::text, $5::int, '{}' FROM unnest($2::text[]) AS seen (subject) "
        "WHERE NOT EXISTS (SELECT FROM audit_log a WHERE a.subject = seen.subject AND a.action = $1::text "
        "AND a.actor IS NOT DISTINCT FROM $3::text AND a.key_id IS NOT DISTINCT FROM $5::int "
        "AND a.at > NOW() - $6::interval)",
        action,
        list(subjects),
        actor,
        request_id,
        key_id,
        _LOOKS_NOTED,
    )


def origin() -> tuple[str, int | None]:
    """The request and the API key that the current work came by."""
    return request_id_var.get(), key_id_var.get()


async def delete_old_entries(connection: Connection, *, days: int) -> None:
    """Remove audit rows older than ``days``."""
    await connection.execute("DELETE FROM audit_log WHERE at < NOW() - $1 * INTERVAL '1 day'", days)

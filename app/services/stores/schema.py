"""Whether the database has our tables at all, and how they are marked as ours."""

from __future__ import annotations

from app.services.database import Database

OWNER_MARK = "created by cv-service"
"""The comment of every table that a migration made: the hotel's own database may have others."""

_ONE_OF_OURS = "SELECT FROM face_templates LIMIT 0"


async def look_at_schema(database: Database) -> None:
    """Ask for nothing of a table that is ours.

    Raises:
        BackendUnavailable: no answer comes back.
        SchemaMissing: there is no such table.
    """
    await database.execute(_ONE_OF_OURS)

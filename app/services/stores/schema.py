"""Whether the database has our tables at all."""

from __future__ import annotations

from app.services.database import Database

_ONE_OF_OURS = "SELECT FROM face_templates LIMIT 0"


async def look_at_schema(database: Database) -> None:
    """Ask for nothing of a table that is ours.

    Raises:
        BackendUnavailable: no answer comes back.
        SchemaMissing: there is no such table.
    """
    await database.execute(_ONE_OF_OURS)

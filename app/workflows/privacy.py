"""What is stored about a person, for the person to see."""

from __future__ import annotations

from app.errors import NotFound
from app.services.database import Database
from app.services.stores import face_store, privacy_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.privacy_store import PersonRecord

MAX_ENTRIES = 10_000
"""Of each list in an export."""


class PrivacyWorkflow:
    """Answers what data protection laws let people ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, employee_id: str, *, actor: str | None) -> PersonRecord:
        """Everything about a person but the templates' vectors, at most ``MAX_ENTRIES`` a list; audited.

        Raises:
            NotFound: nothing is stored.
        """
        async with self._database.transaction() as connection:
            ours = await face_store.owns_employees(connection)
            record = await privacy_store.person_record(connection, employee_id, owns_employees=ours, limit=MAX_ENTRIES)
            if record.is_empty:
                raise NotFound(f"Nothing is stored about {employee_id}.", code="person_unknown")
            await add_audit_entry(connection, "privacy.export", subject=employee_id, actor=actor)
        return record

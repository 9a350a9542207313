"""Nothing is kept longer than the settings say. One job, many steps, each safe to run at any time, anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from app.services.database import Database
from app.services.stores import attendance_log, matrix_store, outbox
from app.services.stores.audit import delete_old_entries
from app.services.stores.webhook_store import delete_old_dead_letters


class RecordRetention:
    """Ends old rows of outbox, audit and attendance, old failures of webhooks, and notes that every matrix has seen.

    Args:
        only_published: whether a broker is configured that unpublished events still wait for.
        carriers: of events, by the names of their positions, that are configured.
    """

    def __init__(
        self,
        database: Database,
        *,
        outbox_days: int,
        audit_days: int,
        attendance_days: int,
        only_published: bool,
        carriers: Sequence[str],
    ) -> None:
        self._database = database
        self._outbox_days = outbox_days
        self._audit_days = audit_days
        self._attendance_days = attendance_days
        self._only_published = only_published
        self._carriers = carriers

    async def step(self) -> None:
        async with self._database.connection() as connection:
            await outbox.delete_old_events(
                connection, days=self._outbox_days, only_published=self._only_published, carriers=self._carriers
            )
            await delete_old_dead_letters(connection, days=self._outbox_days)
            await delete_old_entries(connection, days=self._audit_days)
            await attendance_log.delete_old_log(connection, days=self._attendance_days)
            await matrix_store.forget_old_notes(connection)

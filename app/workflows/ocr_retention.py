"""What was read from documents ends when its time is over."""

from __future__ import annotations

from typing import Literal

from app.services.database import Database
from app.services.stores import document_store, removals
from app.services.stores.removals import Kind
from app.workflows.ocr_records import kept_data

_REDACTED_AT_ONCE = 200


class DocumentRetention:
    """Ends what was read from documents: identity fields are masked or dropped, raw text and pictures are deleted.

    Args:
        days: after which a result is redacted.
        action: ``mask`` leaves the last digits of numbers and the year of dates; ``drop`` leaves nothing.
    """

    def __init__(self, database: Database, *, days: int, action: Literal["mask", "drop"]) -> None:
        self._database = database
        self._days = days
        self._action = action

    async def step(self) -> int:
        """Redact what is due; returns how many results were. Safe to run anywhere at any time."""
        total = 0
        while redacted_now := await self._redact_some():
            total += redacted_now
        return total

    async def _redact_some(self) -> int:
        async with self._database.transaction() as connection:
            expired = await document_store.lock_expired(connection, days=self._days, limit=_REDACTED_AT_ONCE)
            for result in expired:
                data = kept_data(result.data, document_type=result.document_type, action=self._action)
                await document_store.redact_result(connection, result.id, data)
            keys = [result.object_key for result in expired if result.object_key]
            await removals.schedule_removals(connection, Kind.OBJECT, keys)
        return len(expired)

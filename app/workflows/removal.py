"""Removes what ``services.removals`` lists, and tries again until the backend has done it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from app.errors import BackendUnavailable
from app.services.database import Connection, Database
from app.services.stores import removals
from app.services.stores.removals import Kind, Removal
from app.utils import metrics

Remover = Callable[[Sequence[str]], Awaitable[None]]
"""Removes the things with these keys; one that is already gone is no error. Raises BackendUnavailable."""

_BATCH = 200


class RemovalWorker:
    """Works the list off.

    Args:
        removers: how each kind is removed.
    """

    def __init__(self, database: Database, removers: Mapping[Kind, Remover]) -> None:
        self._database = database
        self._removers = removers

    async def step(self) -> None:
        """Remove everything that is due; what fails is postponed."""
        while await self._batch():
            continue
        async with self._database.connection() as connection:
            metrics.cleanup_backlog.set(await removals.count_removals(connection))

    async def _batch(self) -> int:
        async with self._database.transaction() as connection:
            due = await removals.due_removals(connection, limit=_BATCH)
            for kind in {removal.kind for removal in due}:
                await self._remove(connection, kind, [removal for removal in due if removal.kind is kind])
        return len(due)

    async def _remove(self, connection: Connection, kind: Kind, batch: Sequence[Removal]) -> None:
        ids = [removal.id for removal in batch]
        try:
            await self._removers[kind]([removal.key for removal in batch])
        except BackendUnavailable:
            await removals.postpone_removals(connection, ids)
        else:
            await removals.finish_removals(connection, ids)

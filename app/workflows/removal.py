"""Removes what ``stores.removals`` lists, and tries again until the backend has done it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from app.errors import BackendUnavailable, NotAllRemoved
from app.services.database import Database
from app.services.stores import removals
from app.services.stores.removals import Kind, Removal
from app.utils import metrics

Remover = Callable[[Sequence[str]], Awaitable[None]]
"""Removes the things with these keys; one that is already gone is no error.

Raises NotAllRemoved with those that are left, or BackendUnavailable where all may be.
"""

_BATCH = 200
_TOGETHER = 50  # keys of one call; the calls of a batch run side by side
# Longer than the calls of a batch can take by their own time limits.
_LEASE_S = 120.0


class RemovalWorker:
    """Works the list off, each kind by itself: a backend that hangs keeps nothing of the others waiting.

    Args:
        removers: how each kind is removed.
    """

    def __init__(self, database: Database, removers: Mapping[Kind, Remover]) -> None:
        self._database = database
        self._removers = removers
        self._gone: set[int] = set()  # removed, and not yet struck off the list
        self._left: set[int] = set()

    async def step(self) -> None:
        """Remove everything that is due; what fails is postponed.

        Raises:
            BackendUnavailable: PostgreSQL does not answer.
        """
        await self._note()  # of the step before, where PostgreSQL went away in it: their lease would last for minutes
        await self._measure()
        ends = await asyncio.gather(*(self._work_off(kind) for kind in self._removers), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _measure(self) -> None:
        async with self._database.connection() as connection:
            metrics.cleanup_backlog.set(await removals.count_removals(connection))

    async def _work_off(self, kind: Kind) -> None:
        while batch := await self._take(kind):
            groups = [batch[start : start + _TOGETHER] for start in range(0, len(batch), _TOGETHER)]
            removed = await asyncio.gather(*(self._remove(kind, group) for group in groups))
            await self._measure()
            if not any(removed):
                return  # the backend does not answer: the rest is tried in the next step

    async def _take(self, kind: Kind) -> list[Removal]:
        async with self._database.connection() as connection:
            return await removals.take_removals(connection, kind, limit=_BATCH, lease_s=_LEASE_S)

    async def _remove(self, kind: Kind, group: Sequence[Removal]) -> int:
        """How many are gone."""
        left: set[str] = set()
        try:
            await self._removers[kind]([removal.key for removal in group])
        except NotAllRemoved as error:
            left = set(error.keys)
        except BackendUnavailable:
            left = {removal.key for removal in group}
        gone = [removal.id for removal in group if removal.key not in left]
        self._gone.update(gone)
        self._left.update(removal.id for removal in group if removal.key in left)
        await self._note()
        return len(gone)

    async def _note(self) -> None:
        gone, left = list(self._gone), list(self._left)
        if not gone and not left:
            return
        async with self._database.connection() as connection:
            if gone:
                await removals.finish_removals(connection, gone)
                self._gone.difference_update(gone)
            if left:
                await removals.postpone_removals(connection, left)
                self._left.difference_update(left)

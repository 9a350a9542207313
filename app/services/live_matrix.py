"""A table's vectors in memory, in step with the table.

Two things keep it so. A notification reports a change to every process within milliseconds. And whoever decides by the
matrix asks PostgreSQL, in the statement that it needs anyway, whether there is a change that the matrix' snapshot has
not seen: then it catches up and looks again. So what was acknowledged anywhere counts everywhere at once, also where
notifications are lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.core.vector_matrix import MatrixRow, MatrixView, VectorMatrix
from app.errors import BackendUnavailable, VisionError
from app.services.database import BACKEND, PROOF_OF_LIFE_S, Database, DedicatedConnection
from app.services.stores import matrix_store
from app.services.stores.matrix_store import CHANNEL, NOTES_KEPT_S, MatrixPage, MatrixTable
from app.utils.logging import logger

# Past so many changes it is cheaper to read everything.
_MAX_CHANGES = 2000
_PAGE = 1000
_LOADING_S = 10.0  # a request waits no longer for the first load
_RELOAD_AFTER_S = NOTES_KEPT_S / 4
_RECOUNT_AFTER_S = 60.0
_PAUSE_S = 1.0
# A table that shrank has to be clearly below the limit to be held again.
_HELD_AGAIN = 0.9


@dataclass(frozen=True, slots=True)
class MatrixState:
    """What can be searched, and what it has seen."""

    view: MatrixView
    snapshot: str


class LiveMatrix:
    """One matrix of a process.

    Args:
        limit: a table with more rows is not held, and somebody else has to search it; None for no limit.
    """

    def __init__(
        self, database: Database, table: MatrixTable, *, dimension: int, columns: int, limit: int | None
    ) -> None:
        self._database = database
        self._table = table
        self._dimension = dimension
        self._columns = columns
        self._limit = limit
        self._matrix: VectorMatrix | None = None
        self._state: MatrixState | None = None
        self._too_large = False
        self._looked_at_s = 0.0
        self._known = asyncio.Event()  # loaded, or known to be too large
        self._turn = asyncio.Lock()
        self._asked = self._answered = 0

    @property
    def matrix(self) -> str:
        """Its name in the notes."""
        return self._table.matrix

    async def state(self) -> MatrixState | None:
        """What to search; None where the table is larger than the limit.

        Raises:
            BackendUnavailable: it could not be read yet.
        """
        if not self._known.is_set():
            try:
                async with asyncio.timeout(_LOADING_S):
                    await self.catch_up()
            except TimeoutError as error:
                raise BackendUnavailable(BACKEND) from error
        return self._state

    async def catch_up(self) -> None:
        """See everything that was committed when this was called. Those who ask at the same time share the work.

        Raises:
            BackendUnavailable: PostgreSQL does not answer.
        """
        self._asked += 1
        asked = self._asked
        async with self._turn:
            if self._answered < asked:
                answered = self._asked
                await self._follow()
                self._answered = answered

    async def load(self) -> None:
        """Read everything, whatever is held.

        Raises:
            BackendUnavailable: PostgreSQL does not answer.
        """
        async with self._turn:
            await self._load()

    async def _follow(self) -> None:
        stale_s = time.monotonic() - self._looked_at_s
        if self._too_large and stale_s < _RECOUNT_AFTER_S:
            return
        if self._matrix is None or self._state is None or stale_s > _RELOAD_AFTER_S:
            await self._load()
            return
        async with self._database.connection() as connection:
            changes = await matrix_store.changes_since(
                connection, self.matrix, self._state.snapshot, limit=_MAX_CHANGES
            )
            if changes.keys is None:
                rows = None
            else:
                rows = await self._table.rows(connection, changes.keys) if changes.keys else ()
        if rows is None or changes.keys is None:
            await self._load()
            return
        if changes.keys:
            self._matrix.remove(changes.keys)
            self._matrix.put(self._fitting(rows))
        self._show(self._matrix, changes.snapshot, changed=bool(changes.keys))

    async def _load(self) -> None:
        limit = self._limit
        async with self._database.connection() as connection:
            # First the snapshot: whatever is committed while the pages are read is a change that it has not seen.
            snapshot = await matrix_store.take_snapshot(connection)
            count = await self._table.count(connection)
        if limit is not None and count > (limit * _HELD_AGAIN if self._too_large else limit):
            self._give_up(count)
            return
        started_at = time.perf_counter()
        matrix = VectorMatrix(self._dimension, columns=self._columns)
        matrix.reserve(count)
        after: str | None = ""
        while after is not None:
            page = await self._page(after)
            matrix.put(self._fitting(page.rows))
            after = page.next_after
        self._too_large = False
        self._show(matrix, snapshot, changed=True)
        logger.debug(
            "matrix_loaded", matrix=self.matrix, rows=len(matrix), seconds=round(time.perf_counter() - started_at, 3)
        )

    async def _page(self, after: str) -> MatrixPage:
        async with self._database.connection() as connection:
            return await self._table.page(connection, after=after, limit=_PAGE)

    def _fitting(self, rows: Iterable[MatrixRow]) -> Iterator[MatrixRow]:
        """Those that can be compared; one damaged row must not keep everybody else out."""
        for row in rows:
            if row.vector.shape == (self._dimension,):
                yield row
            else:
                logger.error("matrix_row_damaged", matrix=self.matrix, key=row.key)

    def _show(self, matrix: VectorMatrix, snapshot: str, *, changed: bool) -> None:
        if self._limit is not None and len(matrix) > self._limit:
            self._give_up(len(matrix))
            return
        view = matrix.view() if changed or self._state is None else self._state.view
        self._matrix, self._state = matrix, MatrixState(view, snapshot)
        self._looked_at_s = time.monotonic()
        self._known.set()

    def _give_up(self, count: int) -> None:
        if not self._too_large:
            logger.info("matrix_too_large", matrix=self.matrix, rows=count, limit=self._limit)
        self._matrix = self._state = None
        self._too_large = True
        self._looked_at_s = time.monotonic()
        self._known.set()


async def keep_in_step(database: Database, matrices: Sequence[LiveMatrix]) -> None:
    """Follow the changes of all matrices over one listening connection, until cancelled."""
    while True:
        try:
            async with database.dedicated_connection() as session:
                await _listen(session, matrices)
        except VisionError:
            pass  # logged where it was noticed
        await asyncio.sleep(_PAUSE_S)


async def _listen(session: DedicatedConnection, matrices: Sequence[LiveMatrix]) -> None:
    wake = asyncio.Event()
    await session.listen(CHANNEL, wake.set)
    for matrix in matrices:
        # A connection that was lost may have been to another server, whose snapshots say nothing to this one.
        await matrix.load()
    while not session.is_closed:
        try:
            async with asyncio.timeout(PROOF_OF_LIFE_S):
                await wake.wait()
        except TimeoutError:
            await session.ping()
        wake.clear()
        for matrix in matrices:
            await matrix.catch_up()

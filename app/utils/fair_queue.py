"""Whose turn it is: clients take turns, whoever of them asks most.

A client is an API key or, without keys, an address. In the order of arrival one client that sends without end would
take every place, and everybody else would wait behind all that it sent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from app.errors import DeadlineExceeded, Overloaded

T = TypeVar("T")

client_var: ContextVar[str] = ContextVar("client", default="")
"""Who asks, for whatever is shared out among clients; empty for our own work."""


class FairQueue(Generic[T]):
    """Items that wait, by client. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return (item for items in self._waiting.values() for item in items)

    def push(self, client: str, item: T) -> None:
        self._waiting.setdefault(client, deque()).append(item)
        self._length += 1

    def pop(self) -> T:
        """The oldest item of the client that was served longest ago.

        Raises:
            IndexError: nothing waits.
        """
        if not self._waiting:
            raise IndexError("nothing waits")
        client, items = next(iter(self._waiting.items()))
        item = items.popleft()
        self._length -= 1
        del self._waiting[client]
        if items:
            self._waiting[client] = items  # behind all the others
        return item

    def remove(self, client: str, item: T) -> bool:
        """Take out an item that nobody wants any more; whether it was there."""
        items = self._waiting.get(client)
        if items is None or item not in items:
            return False
        items.remove(item)
        self._length -= 1
        if not items:
            del self._waiting[client]
        return True

    def make_room(self, client: str) -> T | None:
        """Take out the newest item of whoever has most waiting; None where ``client`` would then have more."""
        greediest = self._greediest()
        if greediest is None or len(self._waiting[greediest]) <= len(self._waiting.get(client, ())) + 1:
            return None
        self._length -= 1
        return self._waiting[greediest].pop()

    def pop_newest(self) -> T | None:
        """Take out the newest item of whoever has most waiting; None where nothing waits."""
        greediest = self._greediest()
        if greediest is None:
            return None
        items = self._waiting[greediest]
        item = items.pop()
        self._length -= 1
        if not items:
            del self._waiting[greediest]
        return item

    def _greediest(self) -> str | None:
        return max(self._waiting, key=lambda name: len(self._waiting[name]), default=None)

    def clear(self) -> list[T]:
        """Take everything out."""
        items = list(self)
        self._waiting.clear()
        self._length = 0
        return items


class FairPlaces:
    """A few places, which clients take by turns; for one event loop.

    Args:
        places: how many at once.
        max_waiting: how many may wait; one more is refused, or takes the place in the queue of the client that has
            most waiting.
        deadline_s: how long a place is waited for.
        refusal: what the refused one is told.
    """

    def __init__(self, places: int, *, max_waiting: int, deadline_s: float, refusal: str) -> None:
        self._free = places
        self._max_waiting = max_waiting
        self._deadline_s = deadline_s
        self._refusal = refusal
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place.

        Raises:
            Overloaded: too many wait.
            DeadlineExceeded: no place came free in time.
        """
        await self._take()
        try:
            yield
        finally:
            self._give_back()

    async def _take(self) -> None:
        if self._free and not self._queue:
            self._free -= 1
            return
        client = client_var.get()
        if len(self._queue) >= self._max_waiting:
            pushed_out = self._queue.make_room(client)
            if pushed_out is None:
                raise self._overloaded()
            pushed_out.set_exception(self._overloaded())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(client, turn)
        try:
            async with asyncio.timeout(self._deadline_s):
                await turn
        except BaseException as error:
            if not self._queue.remove(client, turn) and turn.done() and not turn.cancelled() and not turn.exception():
                self._give_back()  # the place came at the same moment as the end of the wait
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(f"No place came free within {self._deadline_s:g} s; try again.") from error
            raise

    def _give_back(self) -> None:
        while self._queue:
            turn = self._queue.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _overloaded(self) -> Overloaded:
        return Overloaded(self._refusal, retry_after_s=2.0)

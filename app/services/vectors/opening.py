"""What is opened once, by whoever needs it first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.services.calls import backend_call


class Opening:
    """Opens a collection once, however many calls need it at the same time, and again after it failed.

    Args:
        create: makes what is missing.
        name: of the task, for the logs.
        backend: its name in /health.
        failures: exceptions of its client that mean "does not answer".
    """

    def __init__(
        self, create: Callable[[], Awaitable[None]], *, name: str, backend: str, failures: tuple[type[Exception], ...]
    ) -> None:
        self._create = create
        self._name = name
        self._backend = backend
        self._failures = failures
        self._task: asyncio.Task[None] | None = None
        self._done = False

    async def wait(self, *, timeout_s: float) -> None:
        """Wait for it at most that long; it goes on beside, so that a later call finds it done.

        Raises:
            BackendUnavailable: it failed or takes longer.
        """
        if self._done:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._open(), name=self._name)
            self._task.add_done_callback(_look_at)
        async with backend_call(self._backend, timeout_s=timeout_s, failures=self._failures):
            await asyncio.shield(self._task)

    async def _open(self) -> None:
        await self._create()
        self._done = True

    def skip(self) -> None:
        """What it would have made is there already."""
        self._done = True

    async def close(self) -> None:
        """Give up an opening that is still going on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


def _look_at(task: asyncio.Task[None]) -> None:
    """Those who waited have its exception; where nobody did it must not be reported as lost."""
    if not task.cancelled():
        task.exception()

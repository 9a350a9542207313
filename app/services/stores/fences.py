"""What has to hold at the moment in which a write commits, asked in the write's own transaction.

Whoever repeats work, such as a request sent again or a job that another replica goes on with, sets a fence around it.
Each audited write passes it, and so takes effect once, whoever else believes to be the one who does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from app.services.database import Connection

Fence: TypeAlias = Callable[[Connection, str], Awaitable[None]]
"""Notes on the connection that the work takes effect, and on what: its id. Raises where it may not, and so ends the
transaction."""

_fence_var: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence) -> Iterator[None]:
    """Let every audited write of the block pass ``fence``; what the block leaves running passes none."""
    is_over = False

    async def pass_while_it_lasts(connection: Connection, subject: str) -> None:
        if not is_over:
            await fence(connection, subject)

    token = _fence_var.set(pass_while_it_lasts)
    try:
        yield
    finally:
        is_over = True
        _fence_var.reset(token)


async def pass_fence(connection: Connection, subject: str) -> None:
    """Ask the fence around the current work, if there is one."""
    fence = _fence_var.get()
    if fence is not None:
        await fence(connection, subject)


def is_fenced() -> bool:
    """Whether there is a fence around the current work."""
    return _fence_var.get() is not None

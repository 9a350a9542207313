"""What asyncio leaves to find out about the task that runs."""

from __future__ import annotations

import asyncio


def is_being_cancelled() -> bool:
    """Whether somebody asked this task to end, as against a future of a library that was cancelled below it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

"""What takes several requests: lists page by page, and jobs until they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar
from uuid import UUID

from cv_service_client.generated.api.jobs import get_job
from cv_service_client.generated.client import AuthenticatedClient
from cv_service_client.generated.models.job_info import JobInfo
from cv_service_client.generated.types import Unset

Item_co = TypeVar("Item_co", covariant=True)
Item = TypeVar("Item")
P = ParamSpec("P")

_ENDED = frozenset({"succeeded", "failed", "cancelled"})
_POLL_S = 1.0


class Page(Protocol[Item_co]):
    """A page of a list."""

    @property
    def items(self) -> Sequence[Item_co]: ...
    @property
    def next_cursor(self) -> str | Unset | None: ...


def each(page: Callable[P, Page[Item] | None], *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
    """Each item of a list, page after page: ``each(list_people.sync, client=client, department="Kitchen")``."""
    options: Any = kwargs
    while found := page(*args, **options):
        yield from found.items
        if not found.next_cursor:
            return
        options = {**options, "cursor": found.next_cursor}


async def aeach(
    page: Callable[P, Awaitable[Page[Item] | None]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[Item]:
    """As ``each``: ``aeach(list_people.asyncio, client=client)``."""
    options: Any = kwargs
    while found := await page(*args, **options):
        for item in found.items:
            yield item
        if not found.next_cursor:
            return
        options = {**options, "cursor": found.next_cursor}


def finished(client: AuthenticatedClient, job_id: UUID | str) -> JobInfo:
    """A job's last state, after it has succeeded, failed or been cancelled."""
    while True:
        job = get_job.sync(str(job_id), client=client)
        if job and job.state in _ENDED:
            return job
        time.sleep(_POLL_S)


async def afinished(client: AuthenticatedClient, job_id: UUID | str) -> JobInfo:
    """As ``finished``."""
    while True:
        job = await get_job.asyncio(str(job_id), client=client)
        if job and job.state in _ENDED:
            return job
        await asyncio.sleep(_POLL_S)

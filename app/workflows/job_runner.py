"""Does the work of jobs: one job at a time in each loop, under a lease that is renewed while it goes on.

Where a replica dies, another goes on with what is not done. Where one stood still and lost its lease, its writes are
refused by the fence of the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from enum import Enum, auto

from app.errors import BackendUnavailable, VisionError
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import job_store
from app.services.stores.job_store import Job, JobState
from app.utils.fair_queue import client_var
from app.utils.logging import key_id_var, logger, request_id_var
from app.workflows.jobs import JobHandle, JobLost, JobWork, end_job, open_input
from app.workflows.patience import PASSING

_MAX_ATTEMPTS = 5


class _Ending(Enum):
    """Why a job is left before its work has ended."""

    CANCELLED = auto()
    LOST = auto()


class JobRunner:
    """Runs the jobs of all replicas, one in each call of ``run``.

    Args:
        works: by the kind of job.
        taken_in: set when this process took a job in.
        lease_s: a dead replica's job goes on elsewhere after this time.
        poll_s: how often to look for jobs of other replicas, and whether one is to be cancelled.
    """

    def __init__(
        self,
        database: Database,
        storage: ObjectStorage,
        works: Mapping[str, JobWork],
        *,
        taken_in: asyncio.Event,
        lease_s: float = 20.0,
        poll_s: float = 1.0,
    ) -> None:
        self._database = database
        self._storage = storage
        self._works = works
        self._taken_in = taken_in
        self._lease_s = lease_s
        self._poll_s = poll_s

    async def run(self) -> None:
        """Work until cancelled, through every outage."""
        while True:
            try:
                if not await self.step():
                    await self._wait()
            except BackendUnavailable:
                await asyncio.sleep(self._poll_s)  # logged where it was noticed

    async def _wait(self) -> None:
        self._taken_in.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._taken_in.wait()

    async def step(self) -> bool:
        """Work on the next job; whether there was one."""
        token = os.urandom(16)
        async with self._database.connection() as connection:
            job = await job_store.take_job(connection, token=token, lease_s=self._lease_s)
            items = await job_store.items_of(connection, job.id) if job else []
        if job is None:
            return False
        handle = JobHandle(self._database, job, token, {item.position: item.outcome for item in items})
        logger.info("job_begun", job_id=job.id, kind=job.kind, attempt=job.attempts)
        if job.attempts > _MAX_ATTEMPTS:  # it ended the process each time
            await self._fail(job, token, handle, code="job_gave_up", detail="The job did not come to an end.")
        else:
            await self._work_on(job, token, handle)
        return True

    async def _work_on(self, job: Job, token: bytes, handle: JobHandle) -> None:
        work = asyncio.ensure_future(self._carry_out(job, handle))
        watch = asyncio.ensure_future(self._watch(job, token, handle))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await self._conclude(job, token, handle, work)
                return
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if watch.result() is _Ending.CANCELLED:
                await self._end(job, token, handle, state=JobState.CANCELLED)
        except asyncio.CancelledError:  # the process stops: another may go on at once
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            with contextlib.suppress(BackendUnavailable):
                await self._give_back(job, token, after_s=0.0, attempts=job.attempts - 1)
            raise
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _carry_out(self, job: Job, handle: JobHandle) -> Mapping[str, object]:
        # As the request that asked for it: its key in the audit, and its turn among the clients.
        key_id_var.set(job.key_id)
        request_id_var.set(job.request_id or "")
        client_var.set(f"key {job.key_id}")
        content = open_input(job, await self._storage.get(job.input_key or ""))
        return await self._works[job.kind].carry_out(job, content, handle)

    async def _watch(self, job: Job, token: bytes, handle: JobHandle) -> _Ending:
        """Renew the lease until the job is to end."""
        while True:
            await asyncio.sleep(self._poll_s)
            with contextlib.suppress(BackendUnavailable):
                async with self._database.connection() as connection:
                    wanted = await job_store.hold_job(
                        connection, job.id, token=token, lease_s=self._lease_s, done=handle.done, total=handle.total
                    )
                if wanted is None:
                    return _Ending.LOST
                if wanted:
                    return _Ending.CANCELLED

    async def _conclude(
        self, job: Job, token: bytes, handle: JobHandle, work: asyncio.Future[Mapping[str, object]]
    ) -> None:
        try:
            outcome = work.result()
        except JobLost:
            return
        except PASSING as error:
            if job.attempts < _MAX_ATTEMPTS:
                await self._give_back(job, token, after_s=5.0 * 2**job.attempts, attempts=job.attempts)
                return
            await self._fail(job, token, handle, code=error.code, detail=error.message)
        except VisionError as error:
            await self._fail(job, token, handle, code=error.code, detail=error.message)
        except Exception as error:  # noqa: BLE001  # the border of a loop that must not end
            logger.opt(exception=error).error("job_crashed", job_id=job.id, kind=job.kind)
            await self._fail(job, token, handle, code="internal_error", detail="Something went wrong on our side.")
        else:
            await self._end(job, token, handle, state=JobState.SUCCEEDED, outcome=outcome)

    async def _fail(self, job: Job, token: bytes, handle: JobHandle, *, code: str, detail: str) -> None:
        await self._end(job, token, handle, state=JobState.FAILED, problem={"code": code, "detail": detail})

    async def _end(
        self,
        job: Job,
        token: bytes,
        handle: JobHandle,
        *,
        state: JobState,
        outcome: Mapping[str, object] | None = None,
        problem: Mapping[str, str] | None = None,
    ) -> None:
        async with self._database.transaction() as connection:
            await end_job(connection, job, token=token, state=state, done=handle.done, outcome=outcome, problem=problem)
        logger.info("job_ended", job_id=job.id, kind=job.kind, state=state)

    async def _give_back(self, job: Job, token: bytes, *, after_s: float, attempts: int) -> None:
        async with self._database.connection() as connection:
            await job_store.give_job_back(connection, job.id, token, after_s=after_s, attempts=attempts)


class JobRetention:
    """Forgets jobs some time after they ended."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database = database
        self._days = days

    async def step(self) -> None:
        async with self._database.connection() as connection:
            await job_store.delete_old_jobs(connection, days=self._days)

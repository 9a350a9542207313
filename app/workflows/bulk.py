"""Many items in one request: each is carried out as if it came alone, and each has an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.errors import VisionError
from app.services.stores.job_store import Job
from app.types import Scope
from app.utils.bulk_files import BulkFile, BulkLimits
from app.workflows.access import Caller
from app.workflows.jobs import AlreadyDone, JobBook, JobHandle, JobLost
from app.workflows.patience import PASSING, patiently

CarryOut = Callable[[Mapping[str, object], str | None], Awaitable[Mapping[str, object]]]
"""Carries an item out: its fields and who asks; what came of it, JSON-serialisable.

Raises VisionError where it cannot be.
"""


@dataclass(frozen=True, slots=True)
class BulkKind:
    """A kind of bulk: its name as a job, and what a key must be able to do."""

    name: str
    scope: Scope


INDEX_IMAGES = BulkKind("image.index", Scope.IMAGE_WRITE)
ENROL_FACES = BulkKind("face.enroll", Scope.FACE_MANAGE)


class BulkIntake:
    """Looks at a file of many items, and makes a job of it."""

    def __init__(self, jobs: JobBook, limits: BulkLimits) -> None:
        self._jobs = jobs
        self._limits = limits

    async def take_in(self, kind: BulkKind, data: bytes, *, is_zip: bool, caller: Caller) -> Job:
        """A job for the items of a file; wrong items fail by themselves, a wrong file is refused.

        Raises:
            InvalidInput: the file as a whole cannot be read, or has too many items.
            Overloaded: too many jobs of this key are open.
        """
        file = await asyncio.to_thread(BulkFile, data, is_zip=is_zip, limits=self._limits)
        return await self._jobs.create(
            kind.name, data, params={"is_zip": is_zip}, caller=caller, actor=caller.label, total=len(file)
        )


class BulkWork:
    """The work of such a job.

    Args:
        at_once: items under way at the same time, so that one is computed while another is stored.
    """

    def __init__(self, carry_out: CarryOut, limits: BulkLimits, *, at_once: int = 1) -> None:
        self._carry_out_item = carry_out
        self._limits = limits
        self._at_once = at_once

    async def carry_out(self, job: Job, content: bytes, handle: JobHandle) -> Mapping[str, object]:
        is_zip = bool(job.params["is_zip"])
        file = await asyncio.to_thread(BulkFile, content, is_zip=is_zip, limits=self._limits)
        positions = iter(range(len(file)))
        done = failed = 0

        async def take_positions() -> None:
            nonlocal done, failed
            for position in positions:
                outcome = handle.done_before.get(position)
                if outcome is None:
                    outcome = await self._carry_out_one(job, file, position, handle)
                failed += "error" in outcome
                done += 1
                handle.progress(done, len(file))

        workers = [asyncio.create_task(take_positions()) for _ in range(self._at_once)]
        try:
            await asyncio.gather(*workers)
        finally:  # what is under way when one of them gives up, or the service stops, must not go on behind the job
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return {"succeeded": len(file) - failed, "failed": failed}

    async def _carry_out_one(self, job: Job, file: BulkFile, position: int, handle: JobHandle) -> Mapping[str, object]:
        async def carry_out() -> Mapping[str, object]:
            fields = await asyncio.to_thread(file.item, position)
            with handle.effect(position):
                return await self._carry_out_item(fields, job.actor)

        try:
            outcome = await patiently(carry_out)
        except AlreadyDone:
            return {}  # noted with its id when it took effect
        except (JobLost, *PASSING):
            raise  # these say nothing of the item
        except VisionError as error:
            outcome = {"error": error.code, "message": error.message, **error.details}
        await handle.note(position, outcome)
        return outcome

"""Jobs: work that goes on after its request was answered with 202, until it is done, on whichever replica.

The file of a request is stored encrypted under a key of its own, which goes when the job ends. ``job_runner`` does the
work.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Conflict, NotFound, Overloaded, Unavailable
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import job_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.fences import fenced
from app.services.stores.job_store import Job, JobItem, JobState
from app.services.stores.outbox import publish_event
from app.services.stores.removals import Kind
from app.types import Scope
from app.utils import clock, metrics
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.logging import request_id_var
from app.workflows.access import Caller
from app.workflows.announcements import announced

# What callers of the use cases speak in, wherever it is defined.
__all__ = ["Job", "JobBook", "JobHandle", "JobItem", "JobState", "JobWork"]

_NONCE_BYTES = 12


class JobLost(Conflict):
    """Another replica works on the job now; whoever is told this stops."""

    code = "job_lost"


class AlreadyDone(Conflict):
    """The part took effect before, though its answer was lost on the way."""

    code = "already_done"


class JobWork(Protocol):
    """One kind of work."""

    async def carry_out(self, job: Job, content: bytes, handle: JobHandle) -> Mapping[str, object]:
        """Do what is not done yet; may be cancelled at any time.

        Args:
            content: the file of the request.
            handle: knows what is done, and is told of progress.

        Returns:
            What came of it as a whole, JSON-serialisable.

        Raises:
            Unavailable, Overloaded, DeadlineExceeded: the job is tried again later.
            VisionError: of any other kind: the job has failed.
        """
        ...


class JobHandle:
    """A job in the hands of its work.

    Args:
        done_before: the parts that took effect in an earlier attempt, by their position.
    """

    def __init__(
        self, database: Database, job: Job, token: bytes, done_before: Mapping[int, Mapping[str, object]]
    ) -> None:
        self._database = database
        self._job = job
        self._token = token
        self.done_before = done_before
        self.done = 0
        self.total = job.total

    def progress(self, done: int, total: int | None = None) -> None:
        """Tell how far the work is; it is written down with the next renewal of the lease."""
        self.done = done
        self.total = total or self.total

    @contextmanager
    def effect(self, position: int) -> Iterator[None]:
        """Do a part in the block. Its write notes the ``id`` of what it wrote in the same transaction; a second one
        in the block notes it at the next position. Both raise AlreadyDone where they did so before."""
        next_position = position

        async def fence(connection: Connection, subject: str) -> None:
            nonlocal next_position
            await self._check_owner(connection)
            if not await job_store.note_effect(connection, self._job.id, next_position, {"id": subject}):
                raise AlreadyDone("This part of the job took effect before.")
            next_position += 1

        with fenced(fence):
            yield

    async def note(self, position: int, outcome: Mapping[str, object]) -> None:
        """Note what became of a part.

        Raises:
            JobLost: the job is another replica's now.
        """
        async with self._database.transaction() as connection:
            await self._check_owner(connection)
            await job_store.note_item(connection, self._job.id, position, outcome)

    async def _check_owner(self, connection: Connection) -> None:
        if not await job_store.owns_job(connection, self._job.id, self._token):
            raise JobLost("Another replica goes on with this job.")


class JobBook:
    """Takes jobs in, and says how they are doing.

    Args:
        scopes: what a key must be able to do to ask for each kind, and to see what came of it.
        max_open: jobs of one key that wait or run; one more is refused.
    """

    def __init__(
        self, database: Database, storage: ObjectStorage, *, scopes: Mapping[str, Scope], max_open: int
    ) -> None:
        self._database = database
        self._storage = storage
        self._scopes = scopes
        self._max_open = max_open
        self.taken_in = asyncio.Event()

    async def create(
        self,
        kind: str,
        content: bytes,
        *,
        params: Mapping[str, object],
        caller: Caller,
        actor: str | None,
        total: int | None = None,
    ) -> Job:
        """Take a job in; some replica begins with it within a second or two.

        Args:
            content: the file that it works on.
            total: of how many parts it consists, where that is known.

        Raises:
            Overloaded: too many jobs of this key are open.
        """
        job_id, seal = str(uuid.uuid4()), AESGCM.generate_key(256)
        key = f"jobs/{job_id}"
        sealed = await asyncio.to_thread(_seal, seal, content, job_id)
        async with announced(self._database, {Kind.OBJECT: [key]}):
            await self._storage.put(key, sealed, content_type="application/octet-stream")
            async with self._database.transaction() as connection:
                if await job_store.count_open_jobs(connection, caller.key_id) >= self._max_open:
                    raise Overloaded("Too many of your jobs are open; wait for some of them.", code="too_many_jobs")
                job = await job_store.insert_job(
                    connection,
                    job_id,
                    kind=kind,
                    key_id=caller.key_id,
                    actor=actor,
                    request_id=request_id_var.get(),
                    params=params,
                    input_key=key,
                    input_seal=seal,
                    total=total,
                )
                await add_audit_entry(connection, "job.create", subject=job_id, actor=actor, details={"kind": kind})
                await removals.claim(connection, {Kind.OBJECT: [key]})
        self.taken_in.set()
        return job

    async def get(self, job_id: str, caller: Caller) -> Job:
        """A job of the caller's key; an admin sees all.

        Raises:
            NotFound: there is none, or it is not theirs.
        """
        async with self._database.connection() as connection:
            return await self._find(connection, job_id, caller)

    async def _find(self, connection: Connection, job_id: str, caller: Caller) -> Job:
        job = await job_store.find_job(connection, job_id)
        if job is None or not self._is_theirs(job, caller):
            raise NotFound(f"There is no job {job_id}.", code="job_not_found")
        return job

    def _is_theirs(self, job: Job, caller: Caller) -> bool:
        scope = self._scopes.get(job.kind, Scope.ADMIN)
        return caller.may(scope) and (job.key_id == caller.key_id or caller.may(Scope.ADMIN))

    async def list_jobs(self, caller: Caller, *, state: str | None, cursor: str | None, limit: int) -> Slice[Job]:
        """Jobs of the caller's key, newest first; an admin sees all.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.connection() as connection:
            jobs = await job_store.list_jobs(
                connection,
                key_id=caller.key_id,
                of_all_keys=caller.may(Scope.ADMIN),
                state=state,
                before=before,
                limit=limit + 1,
            )
        page = slice_of(jobs, limit, lambda job: (job.number,))
        return Slice(tuple(job for job in page.items if self._is_theirs(job, caller)), page.next_cursor)

    async def items(self, job_id: str, caller: Caller, *, cursor: str | None, limit: int) -> Slice[JobItem]:
        """What became of a job's parts until now, in their order. Errors as for ``get`` and ``list_jobs``."""
        after = int(read_cursor(cursor, int)[0]) if cursor else -1
        async with self._database.connection() as connection:
            await self._find(connection, job_id, caller)
            items = await job_store.items_of(connection, job_id, after=after, limit=limit + 1)
        return slice_of(items, limit, lambda item: (item.position,))

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """End a job that waits, and soon one that runs; what it has done stays. One that has ended stays as it is.

        Raises:
            NotFound: there is none, or it is not theirs.
        """
        async with self._database.transaction() as connection:
            job = await self._find(connection, job_id, caller)
            if job.finished_at is not None:
                return job
            await job_store.request_cancel(connection, job_id)
            await add_audit_entry(connection, "job.cancel", subject=job_id, actor=caller.label)
            ended = await end_job(connection, job, token=None, state=JobState.CANCELLED, done=job.done)
            return ended or await self._find(connection, job_id, caller)


async def end_job(
    connection: Connection,
    job: Job,
    *,
    token: bytes | None,
    state: JobState,
    done: int,
    outcome: Mapping[str, object] | None = None,
    problem: Mapping[str, str] | None = None,
) -> Job | None:
    """Write down how a job ended, remove its file and tell of it; None where it is not the token's to end."""
    ended = await job_store.finish_job(
        connection, job.id, token=token, state=state, done=done, outcome=outcome, problem=problem
    )
    if ended is None or ended.finished_at is None:
        return None
    await removals.schedule_removals(connection, Kind.OBJECT, [job.input_key] if job.input_key else [])
    await publish_event(
        connection,
        "job.finished",
        {
            "job_id": job.id,
            "kind": job.kind,
            "state": state.value,
            "done": done,
            "total": ended.total,
            "error": problem["code"] if problem else None,
        },
        key=job.id,
        occurred_at=clock.now(),
    )
    metrics.jobs_total.labels(job.kind, state).inc()
    return ended


def _seal(key: bytes, content: bytes, job_id: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, job_id.encode())


def open_input(job: Job, sealed: bytes) -> bytes:
    """The file of a job.

    Raises:
        Unavailable: it is damaged, or its key is gone.
    """
    try:
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return AESGCM(job.input_seal or b"").decrypt(nonce, ciphertext, job.id.encode())
    except (InvalidTag, ValueError) as error:
        raise Unavailable("The stored file of the job is damaged; send it again.", code="job_input_lost") from error

"""The only threads on which a model runs.

Admission is bounded: a job gets a place at once or the caller gets ``Overloaded``. Where all are taken, the least
urgent work that waits gives one to what is more urgent; within a class clients take turns, and one that has many places
gives one of them to a client that has fewer. A place is given back when the *thread* is done with the job,
not when whoever awaits it goes away, so cancelled requests can't pile work up.

A camera's frame takes ten times as long as a check-in, and no job is interrupted. So while people check in, routine
frames leave them one thread; and a full queue keeps a quarter of its places for frames, so that a crowd at the door
blinds no camera.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import ParamSpec, TypeVar

from app.errors import DeadlineExceeded, Overloaded, Unavailable
from app.utils import metrics, tracing
from app.utils.fair_queue import FairQueue, client_var

P = ParamSpec("P")
R = TypeVar("R")


# What has waited so long takes the next turn of the classes above it, but only one of so many: many cameras must not
# keep people at the door for ever, nor people who come and go all day somebody's document.
_PATIENCE_S = 0.3
_TURNS_IN_A_ROW = 3
_DOOR_BUSY_S = 1.0  # after a check-in; where more come, the next one finds a thread
_STUCK_DEADLINES = 10


class Priority(IntEnum):
    """A thread takes a job of the first class that has one; the others wait, but not for ever.

    Attributes:
        ALARM: frames that were sent, and those of a camera that may see a fire, a flood or an intruder.
        CHECK_IN: somebody stands at the door.
        WATCH: frames of cameras at which nothing was suspected so far.
        REQUEST: documents, rooms, pictures: somebody waits for an answer.
        BULK: jobs, migrations, clips: nobody waits.
    """

    ALARM = 0
    CHECK_IN = 1
    WATCH = 2
    REQUEST = 3
    BULK = 4


class _Job:
    __slots__ = ("admitted_at", "call", "client", "engine", "future", "priority")

    def __init__(self, call: Callable[[], object], engine: str, priority: Priority) -> None:
        self.call = call
        self.engine = engine
        self.priority = priority
        self.client = client_var.get()  # none for our own work, such as that of cameras: together one client
        self.future: Future[object] = Future()
        self.admitted_at = time.perf_counter()


class InferencePool:
    """A fixed set of threads behind a bounded queue.

    Args:
        threads: how many jobs run at once; capped by the cores that this process may use, because each session
            already runs with one intra-op thread and more would only take turns.
        queue_size: how many admitted jobs may wait beside the running ones.
        deadline_s: how long a caller waits, queueing included, unless ``submit`` is told otherwise.
        patience_s: how long a job waits before it takes a turn of the classes above its own.
        door_busy_s: how long after a check-in routine frames leave one thread, of several, to the next.
    """

    def __init__(
        self,
        *,
        threads: int,
        queue_size: int,
        deadline_s: float,
        patience_s: float = _PATIENCE_S,
        door_busy_s: float = _DOOR_BUSY_S,
    ) -> None:
        self.thread_count = min(threads, len(os.sched_getaffinity(0)))
        self._places = self.thread_count + queue_size
        self._deadline_s = deadline_s
        self._patience_s = patience_s
        self._door_busy_s = door_busy_s
        self._door_busy_until_s = float("-inf")
        self._watching = 0  # threads with a routine frame
        self._frame_places = max(queue_size // 4, 1)
        self._turns_in_a_row = dict.fromkeys(Priority, 0)
        self._queues: dict[Priority, FairQueue[_Job]] = {p: FairQueue() for p in Priority}
        self._taken = 0
        self._closed = False
        self._changed = threading.Condition()
        self._started_at: dict[int, float] = {}
        self._threads = [
            threading.Thread(target=self._work, name=f"inference-{i}", daemon=True) for i in range(self.thread_count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that are admitted and not yet on a thread."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def stuck_threads(self) -> int:
        """Threads whose job has run for ten deadlines: it will not come back, and the thread is lost."""
        since = time.perf_counter() - _STUCK_DEADLINES * self._deadline_s
        stuck = sum(started_at < since for started_at in list(self._started_at.values()))
        metrics.inference_stuck_threads.set(stuck)
        return stuck

    @property
    def taken_places(self) -> int:
        """Places in use: waiting and running jobs."""
        return self._taken

    async def submit(
        self,
        engine: str,
        function: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run ``function`` on an inference thread for somebody who waits for an answer: ``Priority.REQUEST``.

        Args:
            engine: the metric label, such as ``face``.

        Raises:
            Overloaded: no place is free.
            DeadlineExceeded: the pool's deadline passed; a job already on a thread runs to its end unobserved.
        """
        return await self.submit_at(Priority.REQUEST, engine, function, *args, **kwargs)

    async def submit_at(
        self,
        priority: Priority,
        engine: str,
        function: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """``submit`` in any class."""
        context = contextvars.copy_context()

        def call() -> R:
            with tracing.span(f"inference {engine}"):
                return function(*args, **kwargs)

        job = _Job(lambda: context.run(call), engine, priority)
        self._admit(job)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(job.future)  # type: ignore[arg-type]  # the job's result is R
        except TimeoutError as error:
            metrics.inference_rejected_total.labels("deadline").inc()
            raise DeadlineExceeded(f"The work did not end within {self._deadline_s:g} s; try again.") from error
        finally:
            self._withdraw(job)

    def _admit(self, job: _Job) -> None:
        with self._changed:
            if self._closed:
                raise Unavailable("The service is stopping.", code="stopping")
            if self._taken >= self._places:
                self._make_room(job)
            self._taken += 1
            self._queues[job.priority].push(job.client, job)
            if job.priority is Priority.CHECK_IN:
                self._door_busy_until_s = job.admitted_at + self._door_busy_s
            metrics.inference_queue_depth.set(self.waiting)
            self._changed.notify()

    def _make_room(self, job: _Job) -> None:
        """Where all places are taken, the least urgent that waits gives one to a more urgent; in a class of its own,
        whoever has most waiting gives one to a client that has less."""
        metrics.inference_rejected_total.labels("full").inc()
        refusal = Overloaded("All inference places are taken; try again shortly.")
        below = next((self._queues[p] for p in reversed(Priority) if self._gives_way(p, job.priority)), None)
        pushed_out = self._queues[job.priority].make_room(job.client) if below is None else below.pop_newest()
        if pushed_out is None:
            raise refusal
        self._taken -= 1
        if not pushed_out.future.cancelled():
            pushed_out.future.set_exception(refusal)

    def _gives_way(self, held: Priority, asked: Priority) -> bool:
        frames = len(self._queues[Priority.WATCH])
        if (held, asked) == (Priority.CHECK_IN, Priority.WATCH):
            return bool(self._queues[held]) and frames < self._frame_places
        if (held, asked) == (Priority.WATCH, Priority.CHECK_IN):
            return frames > self._frame_places
        return held > asked and bool(self._queues[held])

    def _withdraw(self, job: _Job) -> None:
        """Take a job that nobody awaits any more out of the queue; one that is on a thread keeps its place."""
        with self._changed:
            if self._queues[job.priority].remove(job.client, job):
                self._taken -= 1
                metrics.inference_queue_depth.set(self.waiting)

    def _next_job(self) -> _Job | None:
        with self._changed:
            while not self._closed:
                if queue := self._next_queue():
                    job = queue.pop()
                    self._watching += job.priority is Priority.WATCH
                    metrics.inference_queue_depth.set(self.waiting)
                    return job
                # Where frames wait, they wait for the door to be quiet.
                left_s = max(self._door_busy_until_s - time.perf_counter(), 0.0)
                self._changed.wait(left_s if self._queues[Priority.WATCH] else None)
        return None

    def _next_queue(self) -> FairQueue[_Job] | None:
        """The queue whose oldest job comes next; None where nothing waits.

        Of turns that all classes want, each gets three of four and leaves the fourth to those below it.
        """
        ready = {priority: queue for priority, queue in self._queues.items() if queue}
        if self._leaves_a_thread():
            ready.pop(Priority.WATCH, None)
        since = time.perf_counter() - self._patience_s
        overdue = [priority for priority, queue in ready.items() if next(iter(queue)).admitted_at < since]
        for priority in Priority:
            is_patient = self._turns_in_a_row[priority] < _TURNS_IN_A_ROW or not any(p > priority for p in overdue)
            if priority in ready and is_patient:
                self._turns_in_a_row[priority] += 1
                return ready[priority]
            self._turns_in_a_row[priority] = 0
        return None

    def _leaves_a_thread(self) -> bool:
        """Whether routine frames have all threads that they get while people check in."""
        is_door_busy = time.perf_counter() < self._door_busy_until_s
        return is_door_busy and self._watching >= max(self.thread_count - 1, 1)

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            started_at = self._started_at[threading.get_ident()] = time.perf_counter()
            metrics.inference_wait.observe(started_at - job.admitted_at)
            try:
                if job.future.set_running_or_notify_cancel():
                    with metrics.inference_running.track_inprogress():
                        self._run(job)
                    metrics.inference_duration.labels(job.engine).observe(time.perf_counter() - started_at)
            finally:
                del self._started_at[threading.get_ident()]
                with self._changed:
                    self._taken -= 1
                    if job.priority is Priority.WATCH:
                        self._watching -= 1
                        self._changed.notify()  # the next frame may be for a thread that idles

    @staticmethod
    def _run(job: _Job) -> None:
        try:
            result = job.call()
        except BaseException as error:  # noqa: BLE001  # carried to whoever awaits; the thread must live on
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def close(self) -> None:
        """Refuse new jobs, cancel waiting ones and wait for the running ones."""
        with self._changed:
            self._closed = True
            waiting = [job for queue in self._queues.values() for job in queue.clear()]
            self._taken -= len(waiting)
            self._changed.notify_all()
        for job in waiting:
            job.future.set_exception(Unavailable("The service is stopping.", code="stopping"))
        for thread in self._threads:
            thread.join()

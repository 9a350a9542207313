"""Worker processes for bytes whose cost no header states: each job runs in a process of its own, under limits.

A small server process (``sandbox_server``) has the decoders loaded, and nothing else: no model, no setting, no secret,
no connection. It forks one child a job, which takes some milliseconds; the child ends with the job, so that nothing of
one caller's document can reach the next one's, and whatever kills it is its own caller's error. The child has limits
of processor time, address space, wall time and output; who goes away while it works kills it.

Bytes go in and pixels come out through shared memory (``sandbox_memory``). The answer is JSON, never a pickle: a child
that was taken over can lie about its own document, and do no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.errors import DeadlineExceeded, InvalidImage, InvalidInput, TooLarge, Unavailable, VisionError
from app.utils import metrics
from app.utils.logging import logger
from app.utils.sandbox_memory import Output, new_memory, sealed

_START_TIMEOUT_S = 60.0  # a busy machine imports slowly
_STOP_TIMEOUT_S = 5.0
_MAX_REPLY_BYTES = 2**16
_GRACE_S = 3.0
"""How long after a job's end of time the server's word on it is waited for."""

_PROJECT_DIR = Path(__file__).resolve().parents[2]
_ERRORS: Mapping[str, type[VisionError]] = {kind.__name__: kind for kind in (InvalidImage, InvalidInput, TooLarge)}


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one job may use.

    Attributes:
        cpu_s: processor time; past it the input is refused.
        wall_s: from the start of the child; past it the caller may try again.
        memory_bytes: address space on top of the loaded decoders, the input and the output.
    """

    cpu_s: float
    wall_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class SandboxTask:
    """A function that the sandbox can call.

    Attributes:
        name: in metrics and logs.
        function: ``package.module:name``; it takes the bytes, the arguments and an ``Output``, and returns what JSON
            can say. The server imports it at its start.
        code: of the refusal where the input costs more than the limits.
        message: of that refusal.
    """

    name: str
    function: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SandboxReply:
    """What the function returned, and the memory that its arrays are in."""

    value: dict[str, object]
    output: Output


@dataclass(frozen=True, slots=True)
class _Order:
    """What the server is sent of a job, beside its memory."""

    function: str
    arguments: Mapping[str, object]
    limits: SandboxLimits
    output_bytes: int


class Sandbox:
    """The server process and the jobs that it runs.

    Args:
        tasks: all that it can run.
    """

    def __init__(self, tasks: Sequence[SandboxTask]) -> None:
        self._tasks = tuple(tasks)
        self._server: _Server | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Start the server.

        Raises:
            Unavailable: it does not start.
        """
        await self._running()

    async def close(self) -> None:
        """End the server and every job under way."""
        self._closed = True
        async with self._starting:
            await self._stop()

    async def run(
        self,
        task: SandboxTask,
        data: bytes,
        arguments: Mapping[str, object],
        *,
        limits: SandboxLimits,
        output_bytes: int,
    ) -> SandboxReply:
        """Run one job in a process of its own; cancelling this kills it.

        Args:
            arguments: what JSON can say.
            output_bytes: of all that the job answers, its arrays included.

        Raises:
            InvalidImage, InvalidInput, TooLarge: what the task found wrong with ``data``.
            InvalidInput: ``task.code``, the job needed more than its limits or crashed the decoder.
            DeadlineExceeded: the job took longer than ``limits.wall_s``, which a busy machine may cause as well.
            Unavailable: no process could be started.
        """
        outcome = "failed"
        started_at_s = time.perf_counter()
        try:
            reply = await self._run_again(task, data, _Order(task.function, arguments, limits, output_bytes))
        except VisionError as error:
            outcome = "killed" if error.code in (task.code, DeadlineExceeded.code) else "refused"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        else:
            outcome = "done"
            return reply
        finally:
            metrics.sandbox_jobs_total.labels(task.name, outcome).inc()
            metrics.sandbox_duration.labels(task.name).observe(time.perf_counter() - started_at_s)

    async def _run_again(self, task: SandboxTask, data: bytes, order: _Order) -> SandboxReply:
        """A job ends with a word on how. Without one its server went away, which is no job's fault: it runs again."""
        for _ in range(2):
            server = await self._running()
            with sealed(data) as given, new_memory(order.output_bytes) as memory:
                output = Output(memory, order.output_bytes)
                with server.job(order, given, memory) as ending:
                    verdict = await _verdict(ending, timeout_s=order.limits.wall_s + _GRACE_S)
            if verdict is not None:
                return _read(task, verdict, output)
            if self._server is server:  # whoever notices first starts another
                await self._restart(server)
        raise Unavailable("The decoders do not start at the moment; try again shortly.", code="sandbox_unavailable")

    async def _running(self) -> _Server:
        async with self._starting:
            if self._closed:
                raise Unavailable("The service is stopping.", code="stopping")
            if self._server is None or not self._server.is_alive():
                await self._stop()
                self._server = await _Server.start(self._tasks)
            return self._server

    async def _restart(self, server: _Server) -> None:
        logger.warning("sandbox_server_restarted")
        async with self._starting:
            if self._server is server:
                await self._stop()

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)


class _Server:
    """One server process, and the socket that it takes jobs from."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control

    @classmethod
    async def start(cls, tasks: Sequence[SandboxTask]) -> _Server:
        """Start it and wait until its decoders are loaded."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                server = cls(_spawn(theirs, tasks), ours)
        except OSError as error:
            ours.close()
            raise _unavailable() from error
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                greeting = await asyncio.get_running_loop().sock_recv(ours, _MAX_REPLY_BYTES)
        except (OSError, TimeoutError) as error:
            await asyncio.to_thread(server.stop)
            raise _unavailable() from error
        except asyncio.CancelledError:
            server.stop()
            raise
        if not greeting:
            await asyncio.to_thread(server.stop)
            raise _unavailable()
        return server

    def is_alive(self) -> bool:
        return self._process.poll() is None

    @contextlib.contextmanager
    def job(self, order: _Order, given: int, output: int) -> Iterator[socket.socket]:
        """Hand a job over; yields the socket on which its end is told, which closes where the server is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.setblocking(False)
            with theirs:
                try:
                    message = json.dumps(asdict(order)).encode()
                    socket.send_fds(self._control, [message], [given, output, theirs.fileno()])
                except OSError:  # gone, or so stuck that its socket is full
                    self._process.kill()
            yield ours

    def stop(self) -> None:
        """End it; it ends its children. Blocks for a moment."""
        self._control.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _spawn(control: socket.socket, tasks: Sequence[SandboxTask]) -> subprocess.Popen[bytes]:
    functions = [task.function for task in tasks]
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-m", "app.utils.sandbox_server", str(control.fileno()), *functions],
        # Nothing of our environment, where settings and secrets are.
        env={"PYTHONPATH": str(_PROJECT_DIR), "OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[control.fileno()],
        start_new_session=True,  # Ctrl-C in a terminal is for us; it ends when we do
    )


async def _verdict(ending: socket.socket, *, timeout_s: float) -> dict[str, object] | None:
    """How the job ended; None where its server went away without a word."""
    try:
        async with asyncio.timeout(timeout_s):
            packet = await asyncio.get_running_loop().sock_recv(ending, _MAX_REPLY_BYTES)
    except OSError:
        return None
    except TimeoutError:
        return {"ended": "late"}
    return json.loads(packet) if packet else None


def _read(task: SandboxTask, verdict: Mapping[str, object], output: Output) -> SandboxReply:
    match verdict:
        case {"done": [int(offset), int(length)]}:
            return SandboxReply(output.read_json(offset, length), output)
        case {"refused": str(kind), "message": str(message), "code": str(code)} if kind in _ERRORS:
            raise _ERRORS[kind](message, code=code)
        case {"ended": "late"}:
            raise DeadlineExceeded("The file took too long to read; try again, or send a simpler one.")
        case _:
            ended = str(verdict.get("ended", "no answer"))
            logger.warning("sandbox_job_killed", task=task.name, ended=_signal_name(ended))
            raise InvalidImage(task.message, code=task.code)


def _signal_name(ended: str) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(int(ended)).name
    return ended[:40]


def _unavailable() -> Unavailable:
    return Unavailable("The decoders do not start at the moment; try again shortly.", code="sandbox_unavailable")

"""The sandbox's server: ``python -m app.utils.sandbox_server SOCKET FUNCTION...``, started by ``app.utils.sandbox``.

It imports the functions, greets, and then forks a child for each job that comes over its socket, with three
descriptors: the input, the output, and a socket on which one packet says how the job ended. The child writes that
packet where the function returned or refused; this process writes it where the child died. A child is killed when its
time is up and when nobody waits for it any more. This process has one thread and does nothing else, so that a fork is
quick and safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from app.errors import VisionError
from app.utils.sandbox_memory import Output

Function = Callable[[memoryview, Mapping[str, Any], Output], object]  # arguments: what the caller's JSON says

_MAX_ORDER_BYTES = 2**16
_MAX_OPEN_FILES = 32
_NICE = 5
_PAGE_BYTES = resource.getpagesize()


@dataclass(slots=True)
class _Child:
    pid: int
    process: int
    """A descriptor that becomes readable when the child ends."""
    ending: socket.socket
    kill_at_s: float
    cpu_s: float
    late: bool = False


class SandboxServer:
    """Takes jobs, watches their children, and reports how they ended."""

    def __init__(self, control: socket.socket, functions: Mapping[str, Function]) -> None:
        self._control = control
        self._functions = functions
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Until the service closes its end."""
        try:
            while True:
                for descriptor, _ in self._poll.poll(self._pause_ms()):
                    if descriptor == self._control.fileno():
                        if not self._take_order():
                            return
                    elif descriptor in self._children:
                        self._end(self._children[descriptor])
                    else:
                        self._abandon(descriptor)
                self._kill_late()
        finally:
            for child in self._children.values():
                os.kill(child.pid, signal.SIGKILL)

    def _pause_ms(self) -> float | None:
        waiting = [child.kill_at_s for child in self._children.values() if not child.late]
        return max(0.0, min(waiting) - time.monotonic()) * 1000 + 1 if waiting else None

    def _take_order(self) -> bool:
        order, descriptors, _, _ = socket.recv_fds(self._control, _MAX_ORDER_BYTES, 3)
        if not order:
            return False
        given, output, ending = descriptors
        self._fork(json.loads(order), given, output, socket.socket(fileno=ending))
        os.close(given)
        os.close(output)
        return True

    def _fork(self, order: Mapping[str, Any], given: int, output: int, ending: socket.socket) -> None:
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no process left
            _send_verdict(ending, {"ended": type(error).__name__})
            ending.close()
            return
        if pid == 0:
            _work(self._functions, order, given, output, ending.fileno())
        limits = order["limits"]
        child = _Child(pid, os.pidfd_open(pid), ending, time.monotonic() + limits["wall_s"], limits["cpu_s"])
        self._children[child.process] = child
        self._poll.register(child.process, select.POLLIN)
        self._poll.register(ending, 0)  # only the hang-up of whoever waits

    def _abandon(self, descriptor: int) -> None:
        """Kill the child whose caller went away."""
        for child in self._children.values():
            if child.ending.fileno() == descriptor:
                self._poll.unregister(descriptor)
                os.kill(child.pid, signal.SIGKILL)

    def _kill_late(self) -> None:
        now_s = time.monotonic()
        for child in self._children.values():
            if not child.late and child.kill_at_s <= now_s:
                child.late = True
                os.kill(child.pid, signal.SIGKILL)

    def _end(self, child: _Child) -> None:
        """Tell what the child could not tell. Where it did, whoever waits has read that and hears no more."""
        _, status, usage = os.wait4(child.pid, 0)
        ended = str(-os.waitstatus_to_exitcode(status))
        if child.late:
            # One that worked most of the time would not end on an idle machine either.
            ended = "busy" if usage.ru_utime + usage.ru_stime > child.cpu_s / 2 else "late"
        _send_verdict(child.ending, {"ended": ended})
        self._poll.unregister(child.process)
        with contextlib.suppress(KeyError):
            self._poll.unregister(child.ending)
        os.close(child.process)
        child.ending.close()
        del self._children[child.process]


def _send_verdict(ending: socket.socket, verdict: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):  # nobody waits any more
        ending.send(json.dumps(verdict).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _work(
    functions: Mapping[str, Function], order: Mapping[str, Any], given: int, output: int, ending: int
) -> NoReturn:
    """The child's whole life. It leaves by ``_exit``: nothing of the parent's is to be flushed or closed twice."""
    try:
        given, output, ending = _keep(given, output, ending)
        teller = socket.socket(fileno=ending)
        length = os.fstat(given).st_size
        _limit(order["limits"], mapped_bytes=length + order["output_bytes"])
        _send_verdict(teller, _run(functions[order["function"]], order, given, length, output))
    finally:
        os._exit(0)


def _run(function: Function, order: Mapping[str, Any], given: int, length: int, output: int) -> dict[str, object]:
    try:
        data = memoryview(mmap.mmap(given, length, prot=mmap.PROT_READ)) if length else memoryview(b"")
        answer = Output(output, order["output_bytes"])
        value = function(data, order["arguments"], answer)
        return {"done": list(answer.write_json(value))}
    except VisionError as error:
        return {"refused": type(error).__name__, "message": error.message, "code": error.code}
    except BaseException as error:  # noqa: BLE001  # whatever a decoder raises is about the bytes it was given
        return {"ended": type(error).__name__}


def _keep(*descriptors: int) -> list[int]:
    """Close every other descriptor but the standard ones: the other jobs' among them. Returns the new numbers."""
    last = 3 + len(descriptors)
    # First out of the way, so that no copy overwrites one that is still to be copied.
    high = [os.dup(number) for number in descriptors]
    while min(high) < last:
        high = [os.dup(number) for number in high]
    kept = [os.dup2(number, 3 + index, inheritable=False) for index, number in enumerate(high)]
    os.closerange(last, max(high) + 1)
    os.closerange(max(high) + 1, os.sysconf("SC_OPEN_MAX"))
    return kept


def _limit(limits: Mapping[str, Any], *, mapped_bytes: int) -> None:
    """The kernel's limits on this process; none of them can be raised again."""
    os.nice(_NICE)  # models and handlers first
    with open("/proc/self/statm", encoding="ascii") as status:  # noqa: PTH123  # no module is imported here
        loaded_bytes = int(status.read().split()[0]) * _PAGE_BYTES
    address_space = loaded_bytes + mapped_bytes + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    cpu_s = max(1, round(limits["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    # Should the server be gone, the clock still ends this.
    signal.setitimer(signal.ITIMER_REAL, limits["wall_s"] + 2)


def _function(name: str) -> Function:
    module, _, attribute = name.partition(":")
    function: Function = getattr(importlib.import_module(module), attribute)
    return function


def main(arguments: list[str]) -> None:
    """Serve on the socket of that number."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    functions = {name: _function(name) for name in arguments[1:]}
    gc.collect()
    gc.freeze()  # children share these pages as long as nobody writes to them
    control.send(b"ready")
    SandboxServer(control, functions).serve()


if __name__ == "__main__":
    main(sys.argv[1:])

"""One child process: started in a group of its own, remembered in a pid file, found again by a later run.

The pid file holds the start time as well, so that a number which the system has given to somebody else is never
taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.local.layout import write_private

# psutil adds the boot time, which clock corrections move a little. No pid comes round in so short a time.
_KILLED_WITHIN_S = 60.0
_START_TIME_TOLERANCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """How to start and how to stop one program."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    log_path: Path | None
    """None lets it write to our own output."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 15.0


class Child:
    """At most one running process under a name.

    Args:
        name: the file name of its pid file.
        run_dir: where pid files lie.
    """

    def __init__(self, name: str, *, run_dir: Path) -> None:
        self.name = name
        self._pid_file = run_dir / f"{name}.pid"
        self._process: psutil.Popen | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that we started, while it runs."""
        return self._process.pid if self._process is not None and self.is_alive() else None

    def is_alive(self) -> bool:
        """Whether the process that we started still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the process that we started last; None while it runs or before."""
        return None if self._process is None else self._process.poll()

    def spawn(self, command: Command) -> None:
        """Start ``command`` in a session of its own: a Ctrl-C at the terminal reaches only the supervisor, which then
        stops its children in order.
        """
        log = None if command.log_path is None else command.log_path.open("ab")
        try:
            self._process = psutil.Popen(
                list(command.argv),
                env=dict(command.environment),
                cwd=command.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=None if log is None else subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if log is not None:
                log.close()
        started = self._process.create_time()
        write_private(self._pid_file, json.dumps({"pid": self._process.pid, "started": started}) + "\n")

    def stop(self, command: Command) -> None:
        """Ask the process to end, wait, then insist. Nothing happens where none runs."""
        if self._process is not None:
            _end(self._process, stop_signal=command.stop_signal, timeout_s=command.stop_timeout_s)
        self._forget()

    def kill(self) -> None:
        """End the process at once, as ``kill -9`` does; it stays known as dead."""
        if self._process is not None and self.is_alive():
            self._process.kill()
            self._process.wait()

    def stop_leftover(self, command: Command) -> bool:
        """Stop a process that an earlier run left behind. True if there was one."""
        leftover = self._find_leftover()
        if leftover is not None:
            _end(leftover, stop_signal=command.stop_signal, timeout_s=command.stop_timeout_s)
        self._forget()
        return leftover is not None

    def _find_leftover(self) -> psutil.Process | None:
        try:
            record = json.loads(self._pid_file.read_text(encoding="utf-8"))
            process = psutil.Process(int(record["pid"]))
            age_difference_s = abs(process.create_time() - float(record["started"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None
        return process if age_difference_s < _START_TIME_TOLERANCE_S else None

    def _forget(self) -> None:
        self._process = None
        self._pid_file.unlink(missing_ok=True)


def _end(process: psutil.Process, *, stop_signal: signal.Signals, timeout_s: float) -> None:
    """Signal ``process``; when it outlives the time limit, kill it, everything in its group and what it started."""
    helpers: list[psutil.Process] = []
    try:
        helpers = process.children(recursive=True)
        process.send_signal(stop_signal)
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # its pid is its group: we start each in a session of its own
        except ProcessLookupError:
            return
        # Gone for certain, but a large one takes seconds to give its memory back on a busy machine.
        process.wait(_KILLED_WITHIN_S)
        # PostgreSQL's are in groups of their own; while one is busy with the disk, it would not start again.
        psutil.wait_procs(helpers, timeout=_KILLED_WITHIN_S)

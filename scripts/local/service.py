"""One server and its process: started until it is ready, restarted with a growing pause when it dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.processes import Child
from scripts.local.server import Server

Announce = Callable[[str], None]

_POLL_INTERVAL_S = 0.05
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0
_PROGRESS_INTERVAL_S = 5.0


class Service:
    """A server under our care.

    Args:
        server: what to run.
        child: the process under the server's name.
        announce: told in one line what happens.
        stop_requested: ends a start early.
        ready_timeout_s: how long a start may take.
    """

    def __init__(
        self,
        server: Server,
        *,
        child: Child,
        announce: Announce,
        stop_requested: threading.Event,
        ready_timeout_s: float = 180.0,
    ) -> None:
        self.server = server
        self.child = child
        self._announce = announce
        self._stop_requested = stop_requested
        self._ready_timeout_s = ready_timeout_s
        self._wanted = False
        self._pause_s = _FIRST_PAUSE_S
        self._spawned_at_s = 0.0
        self._restart_at_s: float | None = None

    def stop_leftover(self) -> None:
        """Stop what an earlier run left behind when it was killed."""
        if self.child.stop_leftover(self.server.command()):
            self._announce(f"stopped {self.server.label}, left over from a run that was killed")

    def start(self) -> None:
        """Start and wait until it is ready.

        Raises:
            LocalStackError: it ended or took too long; the message says where its log lies.
            StopRequested: we were asked to stop meanwhile.
        """
        began_s = time.monotonic()
        self.server.prepare()
        self._spawn()
        self._wait_until_ready(began_s=began_s)
        self.server.provision()
        self._wanted = True
        self._announce(f"{self.server.label} is ready ({time.monotonic() - began_s:.1f} s)")

    def stop(self) -> None:
        """Stop it for good: nothing restarts it."""
        self._wanted = False
        self.child.stop(self.server.command())

    def kill(self) -> None:
        """End its process as ``kill -9`` does. Whoever watches it will restart it."""
        self.child.kill()

    def restart_if_dead(self) -> None:
        """One look: notice a death, and start it again once the pause is over. Never waits."""
        if not self._wanted or self.child.is_alive():
            return
        now_s = time.monotonic()
        if self._restart_at_s is None:
            if now_s - self._spawned_at_s > _STEADY_AFTER_S:
                self._pause_s = _FIRST_PAUSE_S
            self._restart_at_s = now_s + self._pause_s
            self._announce(
                f"{self.server.label} ended with code {self.child.exit_code}; restart in {self._pause_s:.1f} s"
                f"{self._where_to_look()}"
            )
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        elif now_s >= self._restart_at_s:
            self._spawn()

    def _spawn(self) -> None:
        self._restart_at_s = None
        self._spawned_at_s = time.monotonic()
        self.child.spawn(self.server.command())

    def _wait_until_ready(self, *, began_s: float) -> None:
        told_at_s = began_s
        while not self.server.is_ready():
            if self._stop_requested.wait(_POLL_INTERVAL_S):
                raise StopRequested
            now_s = time.monotonic()
            if not self.child.is_alive():
                code = self.child.exit_code
                raise LocalStackError(f"{self.server.label} ended with code {code}{self._where_to_look()}.")
            if now_s - began_s > self._ready_timeout_s:
                raise LocalStackError(
                    f"{self.server.label} is not ready after {self._ready_timeout_s:.0f} s{self._where_to_look()}."
                )
            if now_s - told_at_s > _PROGRESS_INTERVAL_S:
                told_at_s = now_s
                self._announce(f"waiting for {self.server.label} ({now_s - began_s:.0f} s)")

    def _where_to_look(self) -> str:
        log_path = self.server.command().log_path
        return "" if log_path is None else f"; see {log_path}"

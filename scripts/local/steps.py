"""Programs that run once between the start of the servers and that of the API."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.layout import PROJECT_DIR

_POLL_INTERVAL_S = 0.05
_END_TIMEOUT_S = 10.0
_SHOWN_BYTES = 4_000


def run_step(
    label: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    stop_requested: threading.Event,
    log_path: Path | None = None,
) -> None:
    """Run ``python ARGUMENTS`` in the project.

    Args:
        label: what people call it.
        arguments: of Python.
        environment: all of it.
        stop_requested: ends it early.
        log_path: what it prints is added here, and shown if it fails; None: its output is ours.

    Raises:
        LocalStackError: it failed.
        StopRequested: we were asked to stop meanwhile; it has been ended.
    """
    with nullcontext() if log_path is None else log_path.open("ab") as log:
        begins_at = 0 if log is None else log.tell()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(environment),
            cwd=PROJECT_DIR,
            start_new_session=True,
            stdout=log,
            stderr=None if log is None else subprocess.STDOUT,
        )
    while process.poll() is None:
        if stop_requested.wait(_POLL_INTERVAL_S):
            process.terminate()
            process.wait(_END_TIMEOUT_S)
            raise StopRequested
    if process.returncode != 0:
        if log_path is not None:
            print(_tail(log_path, begins_at), file=sys.stderr)
        raise LocalStackError(f"{label} failed with code {process.returncode}; the lines above say why.")


def _tail(log_path: Path, begins_at: int) -> str:
    """The last lines that were written since."""
    with log_path.open("rb") as log:
        log.seek(begins_at)
        return log.read()[-_SHOWN_BYTES:].decode(errors="replace").rstrip()

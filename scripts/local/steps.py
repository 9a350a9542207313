"""Programs that run once between the start of the servers and that of the API."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.layout import PROJECT_DIR

_POLL_INTERVAL_S = 0.05
_END_TIMEOUT_S = 10.0


def run_step(
    label: str, arguments: Sequence[str], *, environment: Mapping[str, str], stop_requested: threading.Event
) -> None:
    """Run ``python ARGUMENTS`` in the project; its output is ours.

    Raises:
        LocalStackError: it failed.
        StopRequested: we were asked to stop meanwhile; it has been ended.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments], env=dict(environment), cwd=PROJECT_DIR, start_new_session=True
    )
    while process.poll() is None:
        if stop_requested.wait(_POLL_INTERVAL_S):
            process.terminate()
            process.wait(_END_TIMEOUT_S)
            raise StopRequested
    if process.returncode != 0:
        raise LocalStackError(f"{label} failed with code {process.returncode}; the lines above say why.")

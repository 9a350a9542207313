"""Stop what ``make run`` or ``make servers`` started over the data folder (CV_DATA_DIR); ``make stop`` calls it.

Also what an earlier run left behind that was killed itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from scripts.local.api import Address, ApiServer, TrustPage, given_settings, project_data_dir
from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout
from scripts.local.stack import LocalStack

_END_TIMEOUT_S = 90.0
_POLL_INTERVAL_S = 0.1


def announce(line: str) -> None:
    print(f"[stop] {line}", flush=True)


def stop_supervisor(layout: Layout) -> bool:
    """Ask whoever holds the folder to stop everything, and wait; False where nobody does.

    Raises:
        LocalStackError: it goes on.
    """
    pid = layout.holder()
    if pid is None:
        return False
    announce(f"asking process {pid} to stop everything over {layout.data_dir}")
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + _END_TIMEOUT_S
    while layout.holder() is not None:
        if time.monotonic() > deadline_s:
            raise LocalStackError(f"Process {pid} goes on after {_END_TIMEOUT_S:.0f} s; see {layout.log_dir}.")
        time.sleep(_POLL_INTERVAL_S)
    return True


def stop_leftovers(layout: Layout, given: dict[str, str]) -> bool:
    """End what a supervisor that was killed could not; False where there is nothing of the kind."""
    if not any(layout.run_dir.glob("*.pid")):
        return False
    address = Address.of(given)
    with layout.locked():
        LocalStack(
            layout,
            announce=announce,
            stop_requested=threading.Event(),
            dependents=[ApiServer(address, given), TrustPage(address.trust_page(), address.port)],
        )
    layout.environment_file.unlink(missing_ok=True)
    return True


def main() -> int:
    """Returns the exit status: 0 also where nothing ran."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    given = given_settings()
    layout = Layout(project_data_dir(given).expanduser().resolve())
    try:
        found = [stop_supervisor(layout), stop_leftovers(layout, given)]
    except LocalStackError as error:
        print(f"[stop] {error}", file=sys.stderr)
        return 1
    announce("stopped; nothing is left running" if any(found) else f"nothing runs over {layout.data_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

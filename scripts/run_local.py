"""The whole service on this machine: embedded servers, migrations, collections, then the API.

``make run`` calls it. Settings come from the environment and ``.env`` (``.env.example`` explains each); those that say
where the backends are get overridden, since the backends are ours.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time

from scripts.local.api import Address, ApiServer, api_environment, given_settings, project_data_dir, requires_keys
from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.stack import LocalStack, open_stack
from scripts.local.steps import run_step
from scripts.local.supervisor import stop_signals, watch

# Loading and warming every network takes some seconds; on a busy machine many.
_API_READY_TIMEOUT_S = 300.0


def announce(line: str) -> None:
    """Tell the person at the terminal."""
    print(f"[run] {line}", flush=True)


def fetch_models(given: dict[str, str], *, stop_requested: threading.Event) -> None:
    """Fetch and verify the model pack; what is there already is not fetched again."""
    pack = given.get("MODEL_PACK", "compact")
    run_step(
        f"Fetching the models of {pack}",
        ["scripts/download_models.py", "--pack", pack],
        environment=given,
        stop_requested=stop_requested,
    )


def serve_servers(stack: LocalStack, *, stop_requested: threading.Event) -> None:
    """Keep the servers up for somebody who develops against them."""
    announce(f"settings that point at the servers: {stack.layout.environment_file}")
    watch(stack.services.values(), until=stop_requested)


def serve_api(stack: LocalStack, *, given: dict[str, str], stop_requested: threading.Event, began_s: float) -> None:
    """Migrate, make the collections, start the API, and keep everything up."""
    address = Address.of(given)
    address.require_free()
    environment = api_environment(given, servers=stack.settings(), layout=stack.layout)
    service = stack.service(ApiServer(address, environment), ready_timeout_s=_API_READY_TIMEOUT_S)
    if not address.is_loopback and not requires_keys(environment):
        raise LocalStackError(
            f"Without API keys only this machine is served; set AUTH_REQUIRED=true to listen on {address.host}."
        )
    for label, arguments in {
        "Migrating the database": ["-m", "alembic", "upgrade", "head"],
        "Making the vector collections": ["scripts/init_vector_db.py"],
        "Sealing what is not sealed with the newest master key": ["scripts/rotate_key.py"],
    }.items():
        announce(label)
        run_step(label, arguments, environment=environment, stop_requested=stop_requested)
    try:
        service.start()
        announce(f"serving at {address.url} (ready in {time.monotonic() - began_s:.1f} s); try {address.url}/docs")
        watch([service, *stack.services.values()], until=stop_requested)
    finally:
        announce("stopping")
        service.stop()


def main() -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers-only", action="store_true", help="start the backends, not the API")
    options = parser.parse_args()
    began_s = time.monotonic()
    given = given_settings()
    try:
        with stop_signals() as stop_requested:
            if not options.servers_only:
                fetch_models(given, stop_requested=stop_requested)
            with open_stack(
                project_data_dir(given),
                announce=announce,
                stop_requested=stop_requested,
                dependents=[ApiServer(Address.of(given), given)],
            ) as stack:
                if options.servers_only:
                    serve_servers(stack, stop_requested=stop_requested)
                else:
                    serve_api(stack, given=given, stop_requested=stop_requested, began_s=began_s)
    except StopRequested:
        pass
    except LocalStackError as error:
        print(f"[run] {error}", file=sys.stderr)
        return 1
    announce("stopped; nothing is left running")
    return 0


if __name__ == "__main__":
    os.umask(0o077)  # what we write is ours alone, unless a module says otherwise
    sys.exit(main())

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

from rich.console import Console

from scripts.local.api import (
    Address,
    ApiServer,
    TrustPage,
    api_environment,
    given_settings,
    project_data_dir,
    requires_keys,
)
from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.stack import LocalStack, open_stack
from scripts.local.steps import run_step
from scripts.local.supervisor import stop_signals, watch
from scripts.local.tls import service_certificate
from scripts.local.welcome import facts, health_of, welcome

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
        ["scripts/download_models.py", "--pack", pack, "--quiet"],
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
    environment = api_environment(given, servers=stack.settings(), layout=stack.layout)
    certificate = service_certificate(stack.layout.tls_dir, address.host) if address.is_secure else None
    service = stack.service(ApiServer(address, environment, certificate), ready_timeout_s=_API_READY_TIMEOUT_S)
    services = [service]
    if certificate is not None:
        services.append(stack.service(TrustPage(address.trust_page(), address.port, certificate)))
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
        log_path = stack.layout.log_file("steps")
        run_step(label, arguments, environment=environment, stop_requested=stop_requested, log_path=log_path)
    try:
        for one in services:
            one.start()
        announce(f"serving (ready in {time.monotonic() - began_s:.1f} s); Ctrl-C or make stop ends it")
        health = health_of(address, certificate)
        welcome(Console(soft_wrap=True), facts(address, environment, stack.layout, health, certificate))
        watch([*services, *stack.services.values()], until=stop_requested)
    finally:
        announce("stopping")
        for one in services:
            one.stop()


def main() -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers-only", action="store_true", help="start the backends, not the API")
    options = parser.parse_args()
    began_s = time.monotonic()
    given = given_settings()
    try:
        with stop_signals() as stop_requested:
            address = Address.of(given)

            def before_start() -> None:
                if not options.servers_only:
                    address.require_free()
                    if address.is_secure:
                        address.trust_page().require_free()
                    fetch_models(given, stop_requested=stop_requested)

            with open_stack(
                project_data_dir(given),
                announce=announce,
                stop_requested=stop_requested,
                dependents=[ApiServer(address, given), TrustPage(address.trust_page(), address.port)],
                before_start=before_start,
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

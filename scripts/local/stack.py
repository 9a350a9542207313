"""The four servers together, over one data directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from app.services.vault import new_key
from scripts.local.credentials import LocalCredentials
from scripts.local.layout import Layout, write_private
from scripts.local.milvus import MilvusServer
from scripts.local.objects import ObjectServer
from scripts.local.ports import assign_ports
from scripts.local.postgres import PostgresServer
from scripts.local.postgres_files import PostgresFiles
from scripts.local.processes import Child
from scripts.local.server import Server
from scripts.local.service import Announce, Service
from scripts.local.valkey import ValkeyServer

_SERVER_NAMES = ("postgres", "milvus", "valkey", "objects")


class LocalStack:
    """PostgreSQL, Milvus Lite, Valkey and S3. Get one from ``open_stack``, which stops it again.

    Args:
        layout: whose data directory is locked for us.
        announce: told in one line what happens.
        stop_requested: ends a start early.
        dependents: see ``open_stack``.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        announce: Announce,
        stop_requested: threading.Event,
        dependents: Iterable[Server] = (),
    ) -> None:
        self.layout = layout
        self._announce = announce
        self._stop_requested = stop_requested
        self._postgres_files = PostgresFiles.locate(layout)
        if not self._postgres_files.cluster_dir.is_relative_to(layout.data_dir):
            announce(
                f"PostgreSQL's data lie in {self._postgres_files.cluster_dir}: "
                f"its account {self._postgres_files.account_name} cannot reach {layout.data_dir}"
            )
        self._credentials = LocalCredentials.load_or_generate(layout.secrets_file)
        if not layout.master_keys_file.exists():
            write_private(layout.master_keys_file, f"1:{new_key()}\n")
        self._stop_leftovers(dependents)
        self.ports = assign_ports(layout.ports_file, _SERVER_NAMES)
        self.services: dict[str, Service] = {server.name: self.service(server) for server in self._servers(self.ports)}

    def start(self) -> None:
        """Start all servers side by side, and write the file of settings that point at them.

        Raises:
            LocalStackError: one of them did not start.
            StopRequested: we were asked to stop meanwhile.
        """
        with ThreadPoolExecutor(max_workers=len(self.services)) as threads:
            for started in [threads.submit(service.start) for service in self.services.values()]:
                started.result()
        lines = [f"{name}='{value}'" for name, value in self.settings().items()]
        write_private(self.layout.environment_file, "\n".join(lines) + "\n")

    def stop(self) -> None:
        """Stop all servers side by side; those that do not run are skipped."""
        with ThreadPoolExecutor(max_workers=len(self.services)) as threads:
            for stopped in [threads.submit(service.stop) for service in self.services.values()]:
                stopped.result()
        self.layout.environment_file.unlink(missing_ok=True)

    def settings(self) -> dict[str, str]:
        """The service's settings that point at these servers, and at the keys of what they hold."""
        addresses = [service.server.settings() for service in self.services.values()]
        keys = {"CV_MASTER_KEY_FILE": str(self.layout.master_keys_file)}
        return {name: value for one in (*addresses, keys) for name, value in one.items()}

    def service(self, server: Server, *, ready_timeout_s: float = 180.0) -> Service:
        """A server under the stack's care: its pid file beside those of the servers."""
        return Service(
            server,
            child=Child(server.name, run_dir=self.layout.run_dir),
            announce=self._announce,
            stop_requested=self._stop_requested,
            ready_timeout_s=ready_timeout_s,
        )

    def _servers(self, ports: Mapping[str, int]) -> list[Server]:
        layout, credentials = self.layout, self._credentials
        return [
            PostgresServer(layout, self._postgres_files, credentials, ports["postgres"]),
            MilvusServer(layout, credentials, ports["milvus"]),
            ValkeyServer(layout, credentials, ports["valkey"]),
            ObjectServer(layout, credentials, ports["objects"]),
        ]

    def _stop_leftovers(self, dependents: Iterable[Server]) -> None:
        """Before ports are chosen: a leftover holds the port that we want to keep."""
        any_port = dict.fromkeys(_SERVER_NAMES, 0)
        for server in [*dependents, *self._servers(any_port)]:
            self.service(server).stop_leftover()


@contextmanager
def open_stack(
    data_dir: Path,
    *,
    announce: Announce,
    stop_requested: threading.Event,
    dependents: Iterable[Server] = (),
    before_start: Callable[[], None] = lambda: None,
    stack_type: type[LocalStack] = LocalStack,
) -> Iterator[LocalStack]:
    """Lock ``data_dir``, start the servers over it, and stop them at the end.

    Args:
        data_dir: made where it is missing.
        announce: told in one line what happens.
        stop_requested: ends a start early.
        dependents: programs that use the servers: what an earlier run left of them is stopped before the servers are.
        before_start: called when the directory is ours and nothing of an earlier run is left.
        stack_type: what to open; tests have one of other servers.

    Raises:
        LocalStackError: the directory is in use, or a server did not start.
        StopRequested: we were asked to stop while they started.
    """
    layout = Layout.create(data_dir)
    with layout.locked():
        stack = stack_type(layout, announce=announce, stop_requested=stop_requested, dependents=dependents)
        try:
            before_start()
            stack.start()
            yield stack
        finally:
            stack.stop()

"""Real backends for tests: the servers of ``make run``, in a temporary directory, on ports of their own.

Production's Milvus and Redis take their places where the environment names them (tests/real_servers.py).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil

from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout
from scripts.local.postgres import PostgresServer
from scripts.local.stack import LocalStack, open_stack
from tests.real_servers import RealStack

BackendName = Literal["postgres", "milvus", "valkey", "objects"]

DEFAULT_RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672/"
_FOLDER_PREFIX = "cv-service-tests-"
_ABANDONED_AFTER_S = 3600.0
_AMQP_PORT = 5672
_AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
_PROBE_TIMEOUT_S = 2.0
_HELPERS_END_WITHIN_S = 60.0


class RunningBackends:
    """The embedded servers of one test session. A test that stops one starts it again.

    Args:
        stack: started.
    """

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    @property
    def settings(self) -> dict[str, str]:
        """The service's settings that point at the servers, as the environment would give them."""
        return self._stack.settings()

    def port(self, name: BackendName) -> int:
        """Where a server listens on loopback."""
        return self._stack.ports[name]

    def new_database(self, *, like: str = "template1") -> str:
        """The address of a new database in the running PostgreSQL: empty, or with what the database ``like`` has."""
        return self.postgres().create_database(f"test_{uuid.uuid4().hex}", template=like)

    def postgres(self) -> PostgresServer:
        """PostgreSQL itself, for its tools and its administrator."""
        server = self._stack.services["postgres"].server
        assert isinstance(server, PostgresServer)
        return server

    def postgres_tool(self, tool: str, url: str, *options: str, stdin: str = "") -> str:
        """Run one of PostgreSQL's own programs on a database, such as ``pg_dump``; what it printed."""
        server = self._stack.services["postgres"].server
        assert isinstance(server, PostgresServer)
        done = subprocess.run(
            [server.files.bin_dir / tool, *options, url],
            input=stdin,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def stop(self, name: BackendName) -> None:
        """Stop a server in good order; it stays down."""
        self._stack.services[name].stop()

    def kill(self, name: BackendName) -> None:
        """End a server as ``kill -9`` does; it stays down.

        Its own helpers notice that and end by themselves. Before, PostgreSQL would not start again.
        """
        server = self.process(name)
        helpers = server.children(recursive=True)
        self._stack.services[name].kill()
        _, left = psutil.wait_procs(helpers, timeout=_HELPERS_END_WITHIN_S)
        assert not left, f"{name} left {left}"

    def start(self, name: BackendName) -> None:
        """Start a stopped or killed server on the same port, and wait until it is ready."""
        self._stack.services[name].start()

    @contextmanager
    def without(self, name: BackendName) -> Iterator[None]:
        """A time in which a server is down."""
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    def process(self, name: BackendName) -> psutil.Process:
        """A server's first process."""
        pid = self._stack.services[name].child.pid
        assert pid is not None, f"{name} does not run"
        return psutil.Process(pid)

    @contextmanager
    def frozen(self, name: BackendName) -> Iterator[None]:
        """A time in which a server takes connections and answers nothing."""
        server = self.process(name)
        server.suspend()  # first, so that it starts no more of these
        helpers = server.children(recursive=True)
        for helper in helpers:
            helper.suspend()
        try:
            yield
        finally:
            for process in [*helpers, server]:
                process.resume()


@contextmanager
def folder_for_servers() -> Iterator[Path]:
    """A temporary data directory, emptied at the end with all that replaces it elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    folder.chmod(0o711)  # as root, PostgreSQL runs under another account, which has to pass through
    try:
        yield folder
    finally:
        if folder.exists():
            _remove(folder)


def sweep_abandoned() -> None:
    """Stop and remove what test runs left behind when they were killed, an hour ago or longer."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*/run"):
        status = folder.stat()
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _ABANDONED_AFTER_S:
            continue
        layout = Layout.create(folder.parent)
        try:
            with layout.locked():
                LocalStack(layout, announce=lambda _line: None, stop_requested=threading.Event())
                _remove(layout.data_dir)
        except LocalStackError:
            continue  # a run that is still going on holds it


def _remove(folder: Path) -> None:
    stand_in = folder / "postgres.location"
    if stand_in.is_file():  # the temporary directory itself lies below a closed folder
        shutil.rmtree(Path(stand_in.read_text(encoding="utf-8").strip()).parent)
    shutil.rmtree(folder)


@contextmanager
def running_backends() -> Iterator[RunningBackends]:
    """Start the servers over a temporary directory, and leave nothing behind."""
    sweep_abandoned()
    with (
        folder_for_servers() as folder,
        open_stack(
            folder, announce=lambda _line: None, stop_requested=threading.Event(), stack_type=RealStack
        ) as stack,
    ):
        backends = RunningBackends(stack)
        # Killed processes lose nothing without it, and the last checkpoint of some hundred databases takes no minute.
        backends.postgres()._administer("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield backends


def rabbitmq_url() -> str:
    """CV_TEST_RABBITMQ_URL, by default a broker on this machine."""
    return os.environ.get("CV_TEST_RABBITMQ_URL", DEFAULT_RABBITMQ_URL)


def rabbitmq_is_required() -> bool:
    """Whether its absence is a failure rather than a skip: CV_REQUIRE_RABBITMQ."""
    return os.environ.get("CV_REQUIRE_RABBITMQ", "") not in {"", "0"}


def rabbitmq_answers(url: str) -> bool:
    """Whether something at ``url`` greets like an AMQP broker."""
    parts = urlsplit(url)
    try:
        address = (parts.hostname or "127.0.0.1", parts.port or _AMQP_PORT)
        with socket.create_connection(address, timeout=_PROBE_TIMEOUT_S) as connection:
            connection.settimeout(_PROBE_TIMEOUT_S)
            connection.sendall(_AMQP_GREETING)
            return bool(connection.recv(1))
    except OSError:
        return False

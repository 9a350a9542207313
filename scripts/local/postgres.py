"""PostgreSQL from a wheel, on loopback with password authentication; the service is no superuser in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.local.credentials import LocalCredentials
from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout, write_private
from scripts.local.ports import LOOPBACK
from scripts.local.postgres_files import PostgresFiles
from scripts.local.processes import Command
from scripts.local.server import server_environment

ADMIN = "postgres"
ROLE = "cv_service"
DATABASE = "hoteldb"

_INITDB_TIMEOUT_S = 120
_PSQL_TIMEOUT_S = 20
# The pool's default is 30 connections; migrations, scripts and tests want some beside it.
_MAX_CONNECTIONS = 120


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One cluster with one database, owned by the role that the service uses."""

    layout: Layout
    files: PostgresFiles
    credentials: LocalCredentials
    port: int
    name: str = "postgres"
    label: str = "PostgreSQL"

    def prepare(self) -> None:
        """Initialise the cluster beside its place and move it there whole, so that a crash leaves none or a good one.

        Raises:
            LocalStackError: initdb failed; its last lines are in the message.
        """
        cluster = self.files.cluster_dir
        if (cluster / "PG_VERSION").is_file():
            return
        partial = cluster.with_name(f"{cluster.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        self._give_to_account(partial)
        self._initialise(partial)
        partial.rename(cluster)

    def _initialise(self, directory: Path) -> None:
        # The builtin provider's C.UTF-8 folds the case of Vietnamese letters; the C locale knows only ASCII.
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # A file, not standard input: another account may not open a pipe of ours.
        password_file = directory.with_name(f"{directory.name}.password")
        write_private(password_file, f"{self.credentials.postgres_admin_password}\n")
        try:
            self._give_to_account(password_file)
            options += ["--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={password_file}"]
            self._run_tool("initdb", [*options, f"--pgdata={directory}"], stdin="", timeout_s=_INITDB_TIMEOUT_S)
        finally:
            password_file.unlink()

    def _as_account(self) -> list[str]:
        return [] if self.files.account is None else self.files.account.prefix()

    def _give_to_account(self, path: Path) -> None:
        if self.files.account is not None:
            os.chown(path, self.files.account.uid, self.files.account.gid)

    def command(self) -> Command:
        """The postmaster itself, no pg_ctl between: its end is seen at once."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may be no longer than 107 bytes, a data directory's may
            "max_connections": str(_MAX_CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        argv = [*self._as_account(), str(self.files.bin_dir / "postgres"), "-D", str(self.files.cluster_dir)]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        return Command(
            argv=argv,
            environment=server_environment(),
            directory=Path("/"),
            log_path=self.layout.log_file(self.name),
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back; SIGTERM would wait for every client
            stop_timeout_s=90.0,  # the last checkpoint of a slow disk
        )

    def is_ready(self) -> bool:
        """Whether it takes connections; a server that still recovers after a crash does not."""
        answer = subprocess.run(
            [self.files.bin_dir / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "2"],
            env=server_environment(),
            check=False,
            capture_output=True,
        )
        return answer.returncode == 0

    def provision(self) -> None:
        """Make the service's role and its database.

        Raises:
            LocalStackError: psql failed.
        """
        password = self.credentials.postgres_password
        self._administer(
            f"""
            SELECT 'CREATE ROLE {ROLE} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}')\\gexec
            ALTER ROLE {ROLE} PASSWORD '{password}';
            """  # noqa: S608  # constants, and a password of hexadecimal digits
        )
        self.create_database(DATABASE)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database that the service's role owns, unless it exists. Returns its address.

        Args:
            template: whose tables and rows it begins with; nobody may be connected to it.

        Raises:
            LocalStackError: psql failed.
        """
        self._administer(
            f"""
            SELECT 'CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}'
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')\\gexec
            """  # noqa: S608  # names come from code
        )
        return self._address(name)

    def settings(self) -> dict[str, str]:
        """DATABASE_URL."""
        return {"DATABASE_URL": self._address(DATABASE)}

    def _address(self, database: str) -> str:
        return f"postgresql://{ROLE}:{self.credentials.postgres_password}@{LOOPBACK}:{self.port}/{database}"

    def _administer(self, statements: str) -> None:
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", LOOPBACK, "-p", str(self.port), "-U", ADMIN, "postgres"]
        self._run_tool("psql", options, stdin=statements, timeout_s=_PSQL_TIMEOUT_S)

    def _run_tool(self, tool: str, options: list[str], *, stdin: str, timeout_s: float) -> None:
        try:
            outcome = subprocess.run(
                [*self._as_account(), str(self.files.bin_dir / tool), *options],
                input=stdin,
                env=server_environment(PGPASSWORD=self.credentials.postgres_admin_password),
                cwd="/",
                text=True,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LocalStackError(f"{tool} did not end within {timeout_s:.0f} s.") from error
        if outcome.returncode != 0:
            last_lines = " / ".join(outcome.stderr.strip().splitlines()[-3:])
            raise LocalStackError(f"{tool} failed with code {outcome.returncode}: {last_lines}")

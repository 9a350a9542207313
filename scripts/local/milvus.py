"""Milvus Lite as a server of its own, on loopback with a password."""

from __future__ import annotations

import signal
import socket
import sys
from dataclasses import dataclass

from scripts.local.credentials import LocalCredentials
from scripts.local.layout import PROJECT_DIR, Layout
from scripts.local.ports import LOOPBACK
from scripts.local.processes import Command
from scripts.local.server import server_environment

USER = "root"
PASSWORD_VARIABLE = "MILVUS_LITE_PASSWORD"  # noqa: S105  # its name
_PROBE_TIMEOUT_S = 2.0
# gRPC runs over HTTP/2, where both sides open with a SETTINGS frame: three bytes of length, then type 4. Asking by hand
# keeps the gRPC library, and what it does to every fork, out of the process that starts servers.
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_TYPE_AT = 3
_SETTINGS_FRAME = 4
# Rows that were not flushed yet are scanned in Python, so a small buffer keeps searches fast. Measured while 1 000 rows
# of 512 numbers came in one by one (two busy cores): a search took 3-5 ms with 32 kB, 4-8 ms with 128 kB, 8-45 ms with
# 1 MB; an insert 2 ms (median) with each. The default of 128 MB would never flush a hotel's staff. What was
# acknowledged is in a log either way, which is read again after a crash.
_MEMTABLE_LIMIT_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class MilvusServer:
    """One Milvus Lite over one directory."""

    layout: Layout
    credentials: LocalCredentials
    port: int
    name: str = "milvus"
    label: str = "Milvus Lite"

    def prepare(self) -> None:
        """Nothing: the server makes its directory."""

    def command(self) -> Command:
        """``milvus_server``; it closes its files only on SIGINT. The password goes by the environment."""
        data_dir = self.layout.data_dir / "milvus"
        argv = [sys.executable, "-m", "scripts.local.milvus_server", "--data-dir", str(data_dir)]
        return Command(
            argv=[*argv, "--port", str(self.port)],
            environment=server_environment(
                MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES=str(_MEMTABLE_LIMIT_BYTES),
                OMP_NUM_THREADS="1",
                PYTHONPATH=str(PROJECT_DIR),
                **{PASSWORD_VARIABLE: self.credentials.milvus_password},
            ),
            directory=self.layout.data_dir,
            log_path=self.layout.log_file(self.name),
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether it greets as a gRPC server does; it listens only once its data are open."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_PROBE_TIMEOUT_S) as connection:
                connection.settimeout(_PROBE_TIMEOUT_S)
                connection.sendall(_HTTP2_GREETING)
                frame = connection.makefile("rb").read(_FRAME_TYPE_AT + 1)
        except OSError:
            return False
        return len(frame) > _FRAME_TYPE_AT and frame[_FRAME_TYPE_AT] == _SETTINGS_FRAME

    def provision(self) -> None:
        """Nothing: ``scripts/init_vector_db.py`` makes the collections."""

    def settings(self) -> dict[str, str]:
        """That it is Milvus, where it is, and what would override or contradict that emptied."""
        return {
            "VECTOR_DB": "milvus",
            "MILVUS_HOST": LOOPBACK,
            "MILVUS_PORT": str(self.port),
            "MILVUS_URI": "",
            "MILVUS_USER": USER,
            "MILVUS_PASSWORD": self.credentials.milvus_password,
            "MILVUS_INDEX": "EXACT",
        }

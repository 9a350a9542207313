"""Milvus Lite as a server of its own, on loopback.

It knows no passwords: whoever may run programs on this machine can reach it.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass

import grpc

from scripts.local.layout import Layout
from scripts.local.ports import LOOPBACK
from scripts.local.processes import Command
from scripts.local.server import accepts_connections, server_environment

_PROBE_TIMEOUT_S = 2.0
# Rows that were not flushed yet are scanned in Python, 42 ms for each 1 000. A flush at 1 MB leaves at most some 400
# templates of 512 numbers to scan; the default of 128 MB would leave 50 000. What was acknowledged is in its log
# either way, which is read again after a crash.
_MEMTABLE_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MilvusServer:
    """One Milvus Lite over one directory."""

    layout: Layout
    port: int
    name: str = "milvus"
    label: str = "Milvus Lite"

    def prepare(self) -> None:
        """Nothing: the server makes its directory."""

    def command(self) -> Command:
        """``milvus-lite server``; it closes its files only on SIGINT."""
        data_dir = self.layout.data_dir / "milvus"
        argv = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(data_dir)]
        return Command(
            argv=[*argv, "--host", LOOPBACK, "--port", str(self.port)],
            environment=server_environment(
                MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES=str(_MEMTABLE_LIMIT_BYTES), OMP_NUM_THREADS="1"
            ),
            directory=self.layout.data_dir,
            log_path=self.layout.log_file(self.name),
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether a gRPC channel comes up; it listens only once its data are open."""
        if not accepts_connections(self.port):
            return False
        with grpc.insecure_channel(f"{LOOPBACK}:{self.port}") as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=_PROBE_TIMEOUT_S)
            except grpc.FutureTimeoutError:
                return False
        return True

    def provision(self) -> None:
        """Nothing: ``scripts/init_vector_db.py`` makes the collections."""

    def settings(self) -> dict[str, str]:
        """MILVUS_HOST and MILVUS_PORT, and what would override or contradict them emptied."""
        return {
            "MILVUS_HOST": LOOPBACK,
            "MILVUS_PORT": str(self.port),
            "MILVUS_URI": "",
            "MILVUS_USER": "",
            "MILVUS_PASSWORD": "",
        }

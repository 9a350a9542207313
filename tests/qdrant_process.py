"""A Qdrant of the tests' own: ``tests/qdrant_server.py``, or the program that CV_TEST_QDRANT_SERVER names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from scripts.local.ports import choose_free_port

PROJECT_DIR = Path(__file__).resolve().parents[1]
_READY_WITHIN_S = 120.0
_STOPPED_WITHIN_S = 20.0


class QdrantProcess:
    """One server over one folder; it keeps its port and its points from start to start.

    Args:
        folder: for its points.
    """

    api_key = "qdrant-test-key"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = choose_free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> list[str]:
        if program := os.environ.get("CV_TEST_QDRANT_SERVER"):
            return [program]
        return [sys.executable, "-m", "tests.qdrant_server", str(self._port), str(self._folder), self.api_key]

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self._port),
            "QDRANT__SERVICE__GRPC_PORT": str(choose_free_port([self._port])),
            "QDRANT__SERVICE__API_KEY": self.api_key,
            "QDRANT__STORAGE__STORAGE_PATH": str(self._folder),
            "QDRANT__STORAGE__SNAPSHOTS_PATH": str(self._folder / "snapshots"),
            "QDRANT__TELEMETRY_DISABLED": "true",
        }
        self._process = subprocess.Popen(self._command(), cwd=PROJECT_DIR, env={**os.environ, **environment})
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, "Qdrant's server ended"
            assert time.monotonic() < deadline, "Qdrant's server does not answer"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/collections", headers={"api-key": self.api_key}, timeout=2)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def stop(self) -> None:
        """Stop it; it stays down."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOPPED_WITHIN_S)

    @contextmanager
    def running(self) -> Iterator[QdrantProcess]:
        """A time in which it is up."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    @contextmanager
    def without(self) -> Iterator[None]:
        """A time in which it is down."""
        self.stop()
        try:
            yield
        finally:
            self.start()

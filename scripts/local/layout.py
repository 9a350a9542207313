"""Where the local stack keeps things: one data directory, which one supervisor at a time may use."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import LocalStackError

PROJECT_DIR = Path(__file__).resolve().parents[2]

_LOG_KEEP_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one absolute data directory."""

    data_dir: Path

    @classmethod
    def create(cls, data_dir: Path) -> Layout:
        """The layout of ``data_dir``, its folders made where they are missing.

        A directory that we make ourselves may be passed through by others but not listed: PostgreSQL refuses to run
        as root, so its own account has to reach the folder below. What exists keeps the rights that it has.
        """
        layout = cls(data_dir.expanduser().resolve())
        try:
            if not layout.data_dir.is_dir():
                layout.data_dir.mkdir(parents=True)
                layout.data_dir.chmod(0o711)
            for private in (layout.run_dir, layout.log_dir):
                private.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LocalStackError(f"Cannot use the data directory {layout.data_dir}: {error.strerror}.") from error
        return layout

    @property
    def run_dir(self) -> Path:
        """Pid files, the lock and the file of backend addresses."""
        return self.data_dir / "run"

    @property
    def log_dir(self) -> Path:
        """What the servers print."""
        return self.data_dir / "logs"

    @property
    def secrets_file(self) -> Path:
        """Generated passwords and keys (0600)."""
        return self.data_dir / "secrets.json"

    @property
    def master_keys_file(self) -> Path:
        """The keys of what is encrypted at rest (0600). Whoever backs up the data keeps this file elsewhere."""
        return self.data_dir / "master.keys"

    @property
    def tls_dir(self) -> Path:
        """The authority and certificate of HTTPS=1 (0700)."""
        return self.data_dir / "tls"

    @property
    def ports_file(self) -> Path:
        """The port of each server, chosen once."""
        return self.data_dir / "ports.json"

    @property
    def environment_file(self) -> Path:
        """Settings that point at the running servers (0600)."""
        return self.run_dir / "backends.env"

    def log_file(self, name: str) -> Path:
        """The log of one server; a long one is set aside once, so that logs never fill the disk."""
        path = self.log_dir / f"{name}.log"
        if path.is_file() and path.stat().st_size > _LOG_KEEP_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the data directory; the kernel gives it back however this process ends.

        Raises:
            LocalStackError: another supervisor holds it.
        """
        descriptor = os.open(self.run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalStackError(
                    f"{self.data_dir} is in use by another run. make stop ends that one; or set CV_DATA_DIR (and PORT)."
                ) from error
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process that holds the data directory; None where none does."""
        try:
            with (self.run_dir / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return int((self.run_dir / "lock").read_text(encoding="ascii") or 0) or None
        return None


def write_private(path: Path, text: str) -> None:
    """Write ``text`` so that nobody else can read it, and a crash leaves the old file or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

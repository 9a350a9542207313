"""An S3 server from a wheel (nanio) that checks signatures, on loopback."""

from __future__ import annotations

import http.client
import sys
from dataclasses import dataclass

from scripts.local.credentials import LocalCredentials
from scripts.local.layout import Layout
from scripts.local.ports import LOOPBACK
from scripts.local.processes import Command
from scripts.local.server import server_environment

_PROBE_TIMEOUT_S = 2.0
BUCKET = "hotel-images"


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """One S3 server over one directory."""

    layout: Layout
    credentials: LocalCredentials
    port: int
    name: str = "objects"
    label: str = "S3 storage"

    def prepare(self) -> None:
        """Make the directory; the server expects its parent only, but photos are nobody else's business."""
        (self.layout.data_dir / "objects").mkdir(mode=0o700, exist_ok=True)

    def command(self) -> Command:
        """``nanio serve``; the keys go by the environment, which only we can read."""
        argv = [sys.executable, "-m", "nanio", "serve", "--data-dir", str(self.layout.data_dir / "objects")]
        return Command(
            argv=[*argv, "--host", LOOPBACK, "--port", str(self.port), "--log-level", "warning", "--no-access-log"],
            environment=server_environment(
                NANIO_ACCESS_KEY=self.credentials.storage_access_key,
                NANIO_SECRET_KEY=self.credentials.storage_secret_key,
            ),
            directory=self.layout.data_dir,
            log_path=self.layout.log_file(self.name),
        )

    def is_ready(self) -> bool:
        """Whether it answers HTTP; to a request without a signature that is 403."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def provision(self) -> None:
        """Nothing: the service makes its bucket."""

    def settings(self) -> dict[str, str]:
        """The MINIO settings."""
        return {
            "STORAGE_TYPE": "minio",
            "MINIO_ENDPOINT": f"{LOOPBACK}:{self.port}",
            "MINIO_ACCESS_KEY": self.credentials.storage_access_key,
            "MINIO_SECRET_KEY": self.credentials.storage_secret_key,
            "MINIO_BUCKET": BUCKET,
            "MINIO_SECURE": "false",
        }

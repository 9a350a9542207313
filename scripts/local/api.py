"""The API as a service of the local stack: uvicorn over the application, with settings for the local servers."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from scripts.local.errors import LocalStackError
from scripts.local.layout import PROJECT_DIR, Layout
from scripts.local.ports import LOOPBACK, is_free
from scripts.local.processes import Command

_READY_PATH = "/api/v1/cv/health/ready"
_PROBE_TIMEOUT_S = 5.0
_EVERY_INTERFACE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104  # whoever sets HOST chose it
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API listens."""

    host: str
    port: int

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Address:
        """HOST and PORT, by default 127.0.0.1:8001.

        Raises:
            LocalStackError: PORT is no port, or somebody else listens there.
        """
        text = given.get("PORT", "8001")
        if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
            raise LocalStackError(f"PORT must be a number from 1 to {_LAST_PORT}, not {text!r}.")
        return cls(host=given.get("HOST", LOOPBACK), port=int(text))

    def require_free(self) -> None:
        """Raises LocalStackError when we could not listen there."""
        if not is_free(self.port, host=self.host):
            raise LocalStackError(
                f"Cannot listen on {self.host}:{self.port}: it is in use or not ours. Choose another: "
                f"make run PORT={self.port + 1} CV_DATA_DIR=..."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in {LOOPBACK, "localhost", "::1"}

    @property
    def probe_host(self) -> str:
        """An address at which we ourselves reach it."""
        return _EVERY_INTERFACE.get(self.host, self.host)

    @property
    def url(self) -> str:
        """For people."""
        host = f"[{self.probe_host}]" if ":" in self.probe_host else self.probe_host
        return f"http://{host}:{self.port}"


def given_settings() -> dict[str, str]:
    """What the environment and ``.env`` say; the environment wins, as in the service itself."""
    from_file = {name: value for name, value in dotenv_values(PROJECT_DIR / ".env").items() if value is not None}
    return from_file | dict(os.environ)


def api_environment(given: Mapping[str, str], *, servers: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """The environment of the API, of migrations and of scripts.

    The servers' addresses always hold; of the rest, what somebody gave wins over the defaults of a local run: no
    broker, no API keys, logs beside the data, and none of the threads that numpy's OpenBLAS would have beside the
    inference pool's: where cores are few and busy they wait for each other, ten times as long as one alone works.
    Master keys that somebody gave are used instead of the generated ones.
    """
    own_keys = given.get("CV_MASTER_KEY") or given.get("CV_MASTER_KEY_FILE")
    servers = {name: value for name, value in servers.items() if not (own_keys and name == "CV_MASTER_KEY_FILE")}
    defaults = {
        "RABBITMQ_URL": "",
        "AUTH_REQUIRED": "false",
        "LOG_DIR": str(layout.log_dir),
        "OPENBLAS_NUM_THREADS": "1",
    }
    return defaults | dict(given) | dict(servers) | {"CV_DATA_DIR": str(layout.data_dir)}


def requires_keys(environment: Mapping[str, str]) -> bool:
    """Whether callers need an API key; a word that the service would refuse counts as yes."""
    return environment["AUTH_REQUIRED"].strip().lower() not in {"false", "0", "no", "off", "n", "f"}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """One uvicorn process."""

    address: Address
    environment: Mapping[str, str]
    name: str = "api"
    label: str = "CV Service"

    def prepare(self) -> None:
        """Nothing."""

    def command(self) -> Command:
        """uvicorn; streams that clients hold open get a few seconds to end."""
        options = [
            "--host",
            self.address.host,
            "--port",
            str(self.address.port),
            "--log-level=warning",
            "--stop-timeout=10",
        ]
        return Command(
            argv=[sys.executable, "-m", "app.server", *options],
            environment=self.environment,
            directory=PROJECT_DIR,
            log_path=None,
            stop_timeout_s=30.0,
        )

    def is_ready(self) -> bool:
        """Whether its own readiness probe says so: models loaded and warm."""
        connection = http.client.HTTPConnection(self.address.probe_host, self.address.port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", _READY_PATH)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def provision(self) -> None:
        """Nothing."""

    def settings(self) -> dict[str, str]:
        """Nothing points at it."""
        return {}


def project_data_dir(given: Mapping[str, str]) -> Path:
    """CV_DATA_DIR, by default ``data`` in the project; a relative one counts from the project, as ``make -C`` does."""
    return PROJECT_DIR / given.get("CV_DATA_DIR", "data")

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
from scripts.local.tls import Certificate

_READY_PATH = "/api/v1/cv/health/ready"
_PROBE_TIMEOUT_S = 5.0
_EVERY_INTERFACE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104  # whoever sets HOST chose it
_LAST_PORT = 65_535
_YES = {"1", "true", "yes", "on", "y", "t"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API listens."""

    host: str
    port: int
    is_secure: bool = False

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Address:
        """HOST and PORT, by default 127.0.0.1:8001, and whether HTTPS says that it is under TLS.

        Raises:
            LocalStackError: PORT is no port, or somebody else listens there.
        """
        text = given.get("PORT", "8001")
        if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
            raise LocalStackError(f"PORT must be a number from 1 to {_LAST_PORT}, not {text!r}.")
        is_secure = given.get("HTTPS", "").strip().lower() in _YES
        return cls(host=given.get("HOST", LOOPBACK), port=int(text), is_secure=is_secure)

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
        return f"{'https' if self.is_secure else 'http'}://{host}:{self.port}"

    def trust_page(self) -> Address:
        """Where the page is that lets tablets trust a service under TLS: on the next port, without TLS."""
        return Address(self.host, self.port + 1 if self.port < _LAST_PORT else self.port - 1)


def given_settings() -> dict[str, str]:
    """What the environment and ``.env`` say; the environment wins, as in the service itself."""
    from_file = {name: value for name, value in dotenv_values(PROJECT_DIR / ".env").items() if value is not None}
    return from_file | dict(os.environ)


def api_environment(given: Mapping[str, str], *, servers: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """The environment of the API, of migrations and of scripts.

    The servers' addresses always hold; of the rest, what somebody gave wins over the defaults of a local run: no
    broker, API keys only where other machines reach it under TLS, cameras in the network that is for documentation (RFC
    5737: the examples of /docs can be tried out, and reach nothing), logs beside the data, and none of the threads that
    numpy's OpenBLAS would have beside the inference pool's: where cores are few and busy they wait for each other, ten
    times as long as one alone works.
    Master keys that somebody gave are used instead of the generated ones.
    """
    own_keys = given.get("CV_MASTER_KEY") or given.get("CV_MASTER_KEY_FILE")
    address = Address.of(given)
    servers = {name: value for name, value in servers.items() if not (own_keys and name == "CV_MASTER_KEY_FILE")}
    defaults = {
        "RABBITMQ_URL": "",
        "AUTH_REQUIRED": str(address.is_secure and not address.is_loopback).lower(),
        "CAMERA_ALLOWED_CIDRS": "192.0.2.0/24",
        "LOG_DIR": str(layout.log_dir),
        "OPENBLAS_NUM_THREADS": "1",
    }
    return defaults | dict(given) | dict(servers) | {"CV_DATA_DIR": str(layout.data_dir)}


def requires_keys(environment: Mapping[str, str]) -> bool:
    """Whether callers need an API key; a word that the service would refuse counts as yes."""
    return environment["AUTH_REQUIRED"].strip().lower() not in {"false", "0", "no", "off", "n", "f"}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """One uvicorn process; under TLS with a certificate."""

    address: Address
    environment: Mapping[str, str]
    certificate: Certificate | None = None
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
        if self.certificate is not None:
            options += ["--tls-certificate", str(self.certificate.chain), "--tls-key", str(self.certificate.key)]
        return Command(
            argv=[sys.executable, "-m", "app.server", *options],
            environment=self.environment,
            directory=PROJECT_DIR,
            log_path=None,
            stop_timeout_s=30.0,
        )

    def is_ready(self) -> bool:
        """Whether its own readiness probe says so: models loaded and warm."""
        return _is_served(self.address, self.certificate, _READY_PATH)

    def provision(self) -> None:
        """Nothing."""

    def settings(self) -> dict[str, str]:
        """Nothing points at it."""
        return {}


@dataclass(frozen=True, slots=True)
class TrustPage:
    """The page that lets tablets trust the service's certificate."""

    address: Address
    service_port: int
    certificate: Certificate | None = None
    name: str = "trust"
    label: str = "Page for tablets"

    def prepare(self) -> None:
        """Nothing."""

    def command(self) -> Command:
        """uvicorn over two routes."""
        authority = str(self.certificate.authority) if self.certificate else ""
        options = ["--host", self.address.host, "--port", str(self.address.port)]
        options += ["--service-port", str(self.service_port)]
        return Command(
            argv=[sys.executable, "-m", "scripts.local.trust_page", authority, *options],
            environment=dict(os.environ),
            directory=PROJECT_DIR,
            log_path=None,
            stop_timeout_s=10.0,
        )

    def is_ready(self) -> bool:
        """Whether it answers."""
        return _is_served(self.address, None, "/")

    def provision(self) -> None:
        """Nothing."""

    def settings(self) -> dict[str, str]:
        """Nothing points at it."""
        return {}


def _is_served(address: Address, certificate: Certificate | None, path: str) -> bool:
    connection = connected(address, certificate, timeout_s=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def connected(address: Address, certificate: Certificate | None, *, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to what listens there, opened by its first request; under TLS it trusts our authority alone."""
    if certificate is None:
        return http.client.HTTPConnection(address.probe_host, address.port, timeout=timeout_s)
    context = certificate.trusting()
    return http.client.HTTPSConnection(address.probe_host, address.port, timeout=timeout_s, context=context)


def project_data_dir(given: Mapping[str, str]) -> Path:
    """CV_DATA_DIR, by default ``data`` in the project; a relative one counts from the project, as ``make -C`` does."""
    return PROJECT_DIR / given.get("CV_DATA_DIR", "data")

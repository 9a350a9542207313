"""Servers as production has them, in the place of the embedded ones: ``make test-servers``.

PostgreSQL and S3 of the embedded stack are real servers in processes of their own already, and so is RabbitMQ.
CV_TEST_MILVUS_PYTHON names a Python that has the package ``milvus`` (Milvus standalone with its etcd),
CV_TEST_REDIS_SERVER the program of Redis.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.local.layout import Layout
from scripts.local.milvus import MilvusServer
from scripts.local.ports import LOOPBACK, choose_free_port
from scripts.local.processes import Command
from scripts.local.server import Server, server_environment
from scripts.local.stack import LocalStack
from scripts.local.valkey import ValkeyServer

_PROBE_TIMEOUT_S = 2.0

# Milvus' own etcd would always take 2379 and 2380, and so leave room for one Milvus a machine.
_ETCD_CONFIGURATION = """
name: default
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""

# What the package's own command does, but in one process, which can be stopped, frozen and killed as such. The package
# looks for free ports for the many parts before each start; from a place of our own, since two that start at once would
# find the same ones, and below those of the other servers (scripts/local/ports.py), which may be down at that moment.
# After a restart it serves its collections again once the sessions of its last life have ended: after the session TTL.
_LAUNCHER = """
import os, random, sys
import milvus
data_dir, port, health_port, etcd_configuration = sys.argv[1:]
config = milvus.MilvusServerConfig()
config.configs["data_dir"] = data_dir
config.resolve_storage()
places = random.Random(data_dir)  # the same after a restart: its parts look for each other where they were
for name, item in config.configurable_items.items():
    if name.endswith("_port"):
        item[1] = places.randint(10_000, 19_000)
config.resolve()
config.set("proxy_port", int(port))  # now: it would take another where a connection of the last run lingers on this one
config.write_config()
milvus._initialize_data_files(config.base_data_dir)
program = os.path.join(config.base_data_dir, "bin", "milvus")
os.chdir(config.base_data_dir)
environment = dict(
    os.environ,
    DEPLOY_MODE="STANDALONE",
    COMMON_SESSION_TTL="5",
    ETCD_CONFIG_PATH=etcd_configuration,
    METRICS_PORT=health_port,
    MILVUS_RUN_DIR=os.path.join(config.base_data_dir, "run"),
    LD_LIBRARY_PATH=os.path.dirname(program),
)
os.execve(program, [program, "run", "standalone"], environment)
"""


@dataclass(frozen=True, slots=True)
class MilvusStandalone:
    """Milvus with all its parts and an etcd, in one process."""

    layout: Layout
    port: int
    health_port: int
    etcd_ports: tuple[int, int]
    python: Path
    name: str = "milvus"
    label: str = "Milvus"

    def prepare(self) -> None:
        """Tell its etcd which ports to take."""
        client, peer = self.etcd_ports
        self._etcd_configuration.write_text(_ETCD_CONFIGURATION.format(client=client, peer=peer), encoding="utf-8")

    @property
    def _etcd_configuration(self) -> Path:
        return self.layout.data_dir / "etcd.yaml"

    def command(self) -> Command:
        data_dir = self.layout.data_dir / "milvus-standalone"
        ports = [str(self.port), str(self.health_port)]
        return Command(
            argv=[str(self.python), "-c", _LAUNCHER, str(data_dir), *ports, str(self._etcd_configuration)],
            environment=server_environment(GOMAXPROCS="2"),
            directory=self.layout.data_dir,
            log_path=self.layout.log_file(self.name),
            stop_timeout_s=2.0,  # it flushes what it holds, and then waits for ever for parts of its own
        )

    def is_ready(self) -> bool:
        """Whether all parts say that they are well."""
        try:
            with urllib.request.urlopen(
                f"http://{LOOPBACK}:{self.health_port}/healthz", timeout=_PROBE_TIMEOUT_S
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def provision(self) -> None:
        """Nothing."""

    def settings(self) -> Mapping[str, str]:
        return {
            "VECTOR_DB": "milvus",
            "MILVUS_HOST": LOOPBACK,
            "MILVUS_PORT": str(self.port),
            "MILVUS_URI": "",
            "MILVUS_USER": "",
            "MILVUS_PASSWORD": "",
        }


@dataclass(frozen=True, slots=True)
class RedisServer:
    """Redis over the configuration that Valkey would get."""

    valkey: ValkeyServer
    program: Path
    name: str = "valkey"
    label: str = "Redis"

    def prepare(self) -> None:
        self.valkey.prepare()

    def command(self) -> Command:
        command = self.valkey.command()
        return replace(command, argv=[str(self.program), *list(command.argv)[1:]])

    def is_ready(self) -> bool:
        return self.valkey.is_ready()

    def provision(self) -> None:
        self.valkey.provision()

    def settings(self) -> Mapping[str, str]:
        return self.valkey.settings()


class RealStack(LocalStack):
    """The local stack with the servers that the environment names."""

    def _servers(self, ports: Mapping[str, int]) -> list[Server]:
        return [self._real(server, ports) for server in super()._servers(ports)]

    def _real(self, server: Server, ports: Mapping[str, int]) -> Server:
        python, redis = os.environ.get("CV_TEST_MILVUS_PYTHON"), os.environ.get("CV_TEST_REDIS_SERVER")
        if isinstance(server, MilvusServer) and python:
            taken = [port for port in ports.values() if port]
            for _ in range(3):
                taken.append(choose_free_port(taken))
            health, etcd = taken[-3], (taken[-2], taken[-1])
            program = Path(python).absolute()
            return MilvusStandalone(self.layout, ports["milvus"], health, etcd, program)
        if isinstance(server, ValkeyServer) and redis:
            return RedisServer(server, Path(redis))
        return server

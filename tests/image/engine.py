"""Containers of an image that Docker or Podman has, with what docker-compose.yml grants the service."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def granted(service: Mapping[str, Any]) -> list[str]:
    """What a service of docker-compose.yml has, as options of ``run``. Its networks are not among them: the servers of
    tests listen on the machine's loopback."""
    return [
        *(["--read-only"] if service["read_only"] else []),
        *(f"--tmpfs={place}" for place in service["tmpfs"]),
        *(f"--cap-drop={name}" for name in service["cap_drop"]),
        *(f"--security-opt={option}" for option in service["security_opt"]),
        f"--memory={default_of(service['mem_limit'])}",
        f"--pids-limit={service['pids_limit']}",
    ]


def default_of(value: str) -> str:
    """What ``${NAME:-default}`` comes to where nobody set the name."""
    return re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)


class EngineImage:
    """An image by its reference, as ``container.Image`` has it.

    Args:
        engine: ``docker``, or what understands the same commands.
        options: of each container, beside its places.
    """

    def __init__(self, reference: str, *, engine: str, options: Sequence[str]) -> None:
        self._engine = engine
        self._reference = reference
        self._options = list(options)
        [described] = json.loads(self._ask("image", "inspect", reference))
        config = described["Config"]
        self.command: list[str] = config["Cmd"]
        health = config.get("Healthcheck") or described.get("HealthCheck") or described["Healthcheck"]
        self.health_command: list[str] = health["Test"][1:]  # behind CMD

    def make_volume(self, folder: Path, *, mount_point: str) -> None:  # noqa: ARG002  # known from ``start``
        """The engine copies what the image has there when it first mounts the volume."""
        self._ask("volume", "create", folder.parent.name)

    def remove_volume(self, folder: Path) -> None:
        self._ask("volume", "rm", folder.parent.name)

    def start(
        self,
        command: Sequence[str],
        *,
        secrets_dir: Path,
        volume: Path,
        mount_point: str,
        environment: Mapping[str, str],
        log: Path,
    ) -> subprocess.Popen[bytes]:
        """A container that goes when its command ends, on the machine's network."""
        places = [f"--volume={secrets_dir}:/run/secrets:ro", f"--volume={volume.parent.name}:{mount_point}"]
        settings = [f"--env={name}" for name in environment]
        own = ["--rm", "--network=host", "--no-healthcheck"]  # whoever waits for it runs the check
        run = [self._engine, "run", *own, *self._options, *places, *settings, self._reference]
        with log.open("wb") as output:
            return subprocess.Popen(
                [*run, *command], env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
            )

    def terminate(self, process: subprocess.Popen[bytes]) -> None:
        """The engine passes the signal on to the first process of the container."""
        process.terminate()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        # A container outlives who started it, so nothing but its own end may end the process.
        process.terminate()
        process.wait(60)

    def _ask(self, *command: str) -> str:
        return subprocess.run([self._engine, *command], check=True, stdout=subprocess.PIPE, text=True).stdout

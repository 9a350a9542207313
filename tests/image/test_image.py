"""The image: built by the Dockerfile's own commands, and run as containers run it, read-only under its own user.

Takes minutes, gigabytes, root and debootstrap, so ``make test`` leaves it to ``make test-image``.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import httpx
import psutil
import pytest
import yaml

from scripts.local.ports import choose_free_port
from tests.backends import RunningBackends
from tests.dockerfile import PROJECT_DIR
from tests.image.container import Builder, Image, can_build
from tests.photos import astronaut

pytestmark = pytest.mark.timeout(1800)  # the first test waits for the build

VARIANT = os.environ.get("VARIANT", "cpu")
"""The image for GPUs asks for gigabytes of CUDA; what it lacks on a machine without a GPU is the driver alone."""

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 30.0  # docker-compose.yml's stop_grace_period
COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where containers of the image run: what is secret as files, the rest in the environment."""

    image: Image
    folder: Path
    settings: dict[str, str]
    port: int

    def at_our_port(self, command: list[str]) -> list[str]:
        """The image's command; several services may run on this machine."""
        return [part.replace("8001", str(self.port)) for part in command]

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and output of a container that runs a command to its end."""
        container = self.start("command", command)
        return container.wait(timeout=120), self.log("command")

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """A container that goes on; what it says is kept under the name."""
        log = self.folder / f"{name}.log"
        return self.image.start(command, secrets_dir=self.secrets_dir, environment=self.settings, log=log)

    def log(self, name: str) -> str:
        """What the container said until now."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    @property
    def secrets_dir(self) -> Path:
        """Files named after settings."""
        return self.folder / "secrets"

    @property
    def admin_key(self) -> str:
        return (self.secrets_dir / "ADMIN_API_KEY").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def place(backends: RunningBackends) -> Iterator[Place]:
    assert can_build(), "building the image needs root and debootstrap"
    folder = Path(tempfile.mkdtemp(prefix="cv-image-"))
    folder.chmod(0o755)
    try:
        image = Builder(folder, {"VARIANT": VARIANT}).build()
        settings = {**backends.settings, "RABBITMQ_URL": "", "CAMERAS_PER_REPLICA": "0"}
        secret = {name: settings.pop(name, "") for name in COMPOSE["cv-service"]["secrets"]}
        secret |= {"DATABASE_URL": backends.new_database(), "ADMIN_API_KEY": f"cvk_{secrets.token_hex(24)}"}
        secret["CV_MASTER_KEY"] = Path(settings.pop("CV_MASTER_KEY_FILE")).read_text(encoding="ascii").strip()
        place = Place(image, folder, settings, choose_free_port())
        place.secrets_dir.mkdir()
        for name, value in secret.items():
            (place.secrets_dir / name).write_text(f"{value}\n", encoding="utf-8")
        yield place
    finally:
        shutil.rmtree(folder)


def test_it_can_write_to_its_temporary_folder_alone(place: Place) -> None:
    code = "for f in /x /app/x /opt/weights/x /opt/venv/x /run/secrets/x /tmp/x; do touch $f && echo $f; done; id -u"
    _, output = place.run("sh", "-c", code)
    assert [line for line in output.splitlines() if "touch:" not in line] == ["/tmp/x", "10001"]  # noqa: S108  # inside the container


def test_without_a_gpu_it_tells_what_is_missing_where_one_is_required(place: Place) -> None:
    gpu = {"INFERENCE_DEVICE": "cuda", "REQUIRE_GPU": "true"}
    status, output = replace(place, settings={**place.settings, **gpu}).run(*place.at_our_port(place.image.command))
    assert status != 0
    missing = {"cpu": "this installation of onnxruntime has no CUDA", "gpu": "libcuda.so.1: cannot open shared object"}
    assert missing[VARIANT] in output
    assert "A GPU is required" in output


@dataclass(frozen=True, slots=True)
class Container:
    """The running service."""

    process: subprocess.Popen[bytes]
    client: httpx.Client

    def stop(self) -> int:
        """As engines do: SIGTERM to the container's first process. Its exit status."""
        [first] = psutil.Process(self.process.pid).children()
        first.terminate()
        return self.process.wait(timeout=STOP_TIMEOUT_S)


@pytest.fixture(scope="module")
def container(place: Place) -> Iterator[Container]:
    """The service, after the migrations that compose and Kubernetes run before it; healthy by its own check."""
    status, output = place.run(*COMPOSE["migrate"]["command"])
    assert status == 0, output
    process = place.start("service", place.at_our_port(place.image.command))
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while place.run(*place.at_our_port(place.image.health_command))[0] != 0:
            assert process.poll() is None, place.log("service")
            assert time.monotonic() < deadline, "the health check did not pass in time"
            time.sleep(1.0)
        with httpx.Client(base_url=f"http://127.0.0.1:{place.port}/api/v1/cv", timeout=30) as client:
            yield Container(process, client)
    finally:
        process.kill()
        process.wait()


def test_nobody_is_served_without_a_key(container: Container) -> None:
    assert container.client.get("/models").status_code == 401


def test_every_model_of_its_pack_is_there_and_used(container: Container, place: Place) -> None:
    headers = {"X-API-Key": place.admin_key}
    photo = base64.b64encode(cv2.imencode(".png", astronaut())[1].tobytes()).decode()
    enrolled = container.client.post("/face/enroll", json={"employee_id": "IMG001", "images": [photo]}, headers=headers)
    assert enrolled.status_code == 200, enrolled.text
    recognised = container.client.post(
        "/face/recognize", json={"image": photo, "camera_id": "cam", "check_liveness": True}, headers=headers
    )
    assert recognised.json()["employee_id"] == "IMG001"
    health = container.client.get("/health", headers=headers).json()
    assert health["status"] == "healthy", health


def test_it_stops_when_asked_and_its_log_is_json_without_the_key(container: Container, place: Place) -> None:
    assert container.stop() == 0
    log = place.log("service")
    ours = [line for line in log.splitlines() if ":onnxruntime:" not in line]  # it reports the missing GPU by itself
    assert [json.loads(line)["record"]["message"] for line in ours]
    assert place.admin_key not in log

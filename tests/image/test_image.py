"""The image: built by the Dockerfile's own commands, and run as containers run it, read-only under its own user.

Takes minutes, gigabytes, root and debootstrap, so ``make test`` leaves it to ``make test-image``. Where CV_TEST_IMAGE
names an image that Docker has, or the program in CV_TEST_ENGINE, that is tried instead, with what docker-compose.yml
grants the service.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from scripts.local.ports import choose_free_port
from tests.backends import RunningBackends
from tests.dockerfile import PROJECT_DIR
from tests.image.container import Builder, Image, can_build
from tests.image.engine import EngineImage, default_of, granted
from tests.photos import astronaut, base64_jpeg, cat, coffee
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(1800)  # the first test waits for the build

VARIANT = os.environ.get("VARIANT", "cpu")
"""The image for GPUs asks for gigabytes of CUDA; what it lacks on a machine without a GPU is the driver alone."""

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 30.0  # docker-compose.yml's stop_grace_period
COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
[VOLUME] = COMPOSE["cv-service"]["volumes"]
MOUNT_POINT = VOLUME.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """Where containers of the image run: what is secret as files, the rest in the environment."""

    image: Image | EngineImage
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
        return self.image.start(
            command,
            secrets_dir=self.secrets_dir,
            volume=self.folder / "volume",
            mount_point=MOUNT_POINT,
            environment=self.settings,
            log=self.folder / f"{name}.log",
        )

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
    folder = Path(tempfile.mkdtemp(prefix="cv-image-"))
    folder.chmod(0o755)
    try:
        image = _image(folder)
        settings = {
            **backends.settings,
            "RABBITMQ_URL": "",
            "CAMERAS_PER_REPLICA": "0",
            "CAMERA_ALLOWED_CIDRS": "10.0.0.0/8",
        }
        secret = {name: settings.pop(name, "") for name in COMPOSE["cv-service"]["secrets"]}
        secret |= {"DATABASE_URL": backends.new_database(), "ADMIN_API_KEY": f"cvk_{secrets.token_hex(24)}"}
        secret["CV_MASTER_KEY"] = Path(settings.pop("CV_MASTER_KEY_FILE")).read_text(encoding="ascii").strip()
        place = Place(image, folder, settings, choose_free_port())
        image.make_volume(folder / "volume", mount_point=MOUNT_POINT)
        place.secrets_dir.mkdir()
        for name, value in secret.items():
            (place.secrets_dir / name).write_text(f"{value}\n", encoding="utf-8")
        yield place
        image.remove_volume(folder / "volume")
    finally:
        shutil.rmtree(folder)


def _image(folder: Path) -> Image | EngineImage:
    if reference := os.environ.get("CV_TEST_IMAGE"):
        return EngineImage(
            reference, engine=os.environ.get("CV_TEST_ENGINE", "docker"), options=granted(COMPOSE["cv-service"])
        )
    assert can_build(), "building the image needs root and debootstrap"
    return Builder(folder, {"VARIANT": VARIANT}).build()


@pytest.mark.skipif("CV_TEST_IMAGE" not in os.environ, reason="limits are an engine's: CV_TEST_IMAGE names its image")
def test_an_engine_holds_it_to_what_compose_grants(place: Place) -> None:
    cgroup = "/sys/fs/cgroup"
    limits = f"cat {cgroup}/memory/memory.limit_in_bytes {cgroup}/memory.max {cgroup}/pids/pids.max {cgroup}/pids.max"
    _, output = place.run("sh", "-c", f"{limits} 2>/dev/null; grep -E 'NoNewPrivs|CapBnd' /proc/self/status")
    memory, pids, *rights = output.splitlines()
    service = COMPOSE["cv-service"]
    assert int(memory) == int(default_of(service["mem_limit"]).removesuffix("g")) * 2**30
    assert int(pids) == service["pids_limit"]
    assert [line.split()[1] for line in rights] == [f"{0:016x}", "1"]


def test_it_can_write_to_its_volume_and_its_temporary_folder_alone(place: Place) -> None:
    folders = "/ /app /opt/weights /opt/venv /run/secrets /var/lib /tmp $CV_DATA_DIR"
    _, output = place.run("sh", "-c", f"for f in {folders}; do touch $f/x && echo $f; done; rm $CV_DATA_DIR/x; id -u")
    assert [line for line in output.splitlines() if "touch:" not in line] == ["/tmp", MOUNT_POINT, "10001"]  # noqa: S108  # inside the container


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

    image: Image | EngineImage
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def stop(self) -> int:
        """Its exit status."""
        self.image.terminate(self.process)
        return self.process.wait(timeout=STOP_TIMEOUT_S)


@contextmanager
def serving(place: Place, name: str) -> Iterator[Container]:
    """A container with the image's own command, healthy by its own check; what it says is kept under the name."""
    process = place.start(name, place.at_our_port(place.image.command))
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while place.run(*place.at_our_port(place.image.health_command))[0] != 0:
            assert process.poll() is None, place.log(name)
            assert time.monotonic() < deadline, "the health check did not pass in time"
            time.sleep(1.0)
        address, headers = f"http://127.0.0.1:{place.port}/api/v1/cv", {"X-API-Key": place.admin_key}
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            yield Container(place.image, process, client)
    finally:
        if process.poll() is None:
            place.image.kill(process)


@pytest.fixture(scope="module")
def container(place: Place) -> Iterator[Container]:
    """The service, after the migrations that compose and Kubernetes run before it."""
    status, output = place.run(*COMPOSE["migrate"]["command"])
    assert status == 0, output
    with serving(place, "service") as service:
        yield service


def post(container: Container, path: str, **body: object) -> dict[str, Any]:
    """The answer to a request that is well."""
    answer = container.client.post(path, json=body)
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_nobody_is_served_without_a_key(container: Container) -> None:
    assert container.client.get("/models", headers={"X-API-Key": ""}).status_code == 401


def test_every_model_of_its_pack_is_there_and_used(container: Container) -> None:
    photo = base64_jpeg(astronaut())
    post(container, "/face/enroll", employee_id="IMG001", images=[photo])
    recognised = post(container, "/face/recognize", image=photo, camera_id="cam", check_liveness=True)
    assert recognised["employee_id"] == "IMG001"
    wait_until(lambda: bool(container.client.get("/health").json()["status"] == "healthy"))


def test_it_stops_when_asked_and_its_log_is_json_without_the_key(container: Container, place: Place) -> None:
    assert container.stop() == 0
    log = place.log("service")
    ours = [line for line in log.splitlines() if ":onnxruntime:" not in line]  # it reports the missing GPU by itself
    assert ours
    assert [line for line in ours if not line.startswith('{"')] == []
    assert all(json.loads(line)["message"] for line in ours)
    assert place.admin_key not in log


def test_another_container_has_everything_that_the_one_before_was_taught(container: Container, place: Place) -> None:
    """Its volume and its secrets are all that they share; whatever else the first one wrote went with it."""
    assert container.process.wait(timeout=STOP_TIMEOUT_S) == 0, "the test before has stopped it"
    words = {"query_text": "glimmerwock", "threshold": 0.0}
    with serving(place, "second") as second:
        for picture in (coffee(), cat()):
            details = {"category": "lost_found", "item_type": "glimmerwock"}
            post(second, "/image/index", image=base64_jpeg(picture), metadata=details)
        before = post(second, "/image/search", **words)["results"][0]["similarity"]
        login = {"username": "viewer", "password": "of the camera"}
        camera = {"id": "cam1", "kind": "rtsp", "url": "rtsp://10.0.0.9/", "tasks": ["anomaly"]}
        post(second, "/cameras", **camera, credentials=login)
        assert place.run("cv", "heads", "prototypes")[0] == 0
        head = "/app/app/ml_models/packs/heads/room_messy.json"
        status, output = place.run("sh", "-c", f"mkdir $CV_DATA_DIR/heads && cp {head} $CV_DATA_DIR/heads")
        assert status == 0, output
        assert second.stop() == 0
    with serving(place, "third") as third:
        photo = base64_jpeg(astronaut())
        assert post(third, "/face/recognize", image=photo, camera_id="cam")["employee_id"] == "IMG001"
        assert post(third, "/image/search", **words)["results"][0]["similarity"] > before, "the hotel's word is known"
        assert [found["id"] for found in third.client.get("/cameras").json()["items"]] == ["cam1"]
    assert '"everything_opened": true' in place.run("cv", "rotate-key", "--json")[1]
    assert f"{MOUNT_POINT}/heads/room_messy" in place.run("cv", "heads", "list")[1]

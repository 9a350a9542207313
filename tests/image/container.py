"""Builds and runs the Dockerfile where there is no container engine: in folders that debootstrap and ``cp`` make.

Each stage is a folder with a root file system, each ``RUN`` a shell inside it, and the container a process inside the
last one, which it sees read-only. Needs root and debootstrap. What is not as in an image: Python is Debian's of the
base image's release, and processes share the machine's network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import psutil

from tests.dockerfile import PROJECT_DIR, Instruction, Stage, assignments, context_files, read_stages, substitute

# What the slim images of Python hold beside Debian's minimum.
_BASE_PACKAGES = "ca-certificates,netbase,tzdata,python3,python3-venv"
_IMAGE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# The machine's way to the package registries, which people hand to a builder in their own ways.
_PASSED_ON_PREFIXES = ("PIP_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS")
_PASSED_ON_FILES = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")

# A root file system of one's own: nothing can be written but /tmp and the volume, and the secrets are files.
_ENTER = """
set -eu
root=$1 secrets=$2 volume=$3 mount_point=$4 user=$5 directory=$6
shift 6
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$secrets" "$root/run/secrets"
mount -o remount,bind,ro "$root/run/secrets"
mount -o remount,bind,ro "$root"
mount --bind "$volume" "$root$mount_point"
cd "$root"
exec chroot . setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs --bounding-set=-all \
  --inh-caps=-all sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
"""


def can_build() -> bool:
    """Whether this machine has what it takes."""
    return os.geteuid() == 0 and shutil.which("debootstrap", path=_IMAGE_PATH) is not None


@dataclass(slots=True)
class Workspace:
    """A stage while it is built: its root file system, and where and with what its commands run."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _IMAGE_PATH})
    directory: str = "/"

    def inside(self, path: str) -> Path:
        """That path of the root file system, from outside."""
        return self.root / str(PurePosixPath("/", self.directory, path)).strip("/")


class Image:
    """The last stage, built.

    Args:
        stage: whose instructions say how it runs.
        workspace: what they made.
    """

    def __init__(self, stage: Stage, workspace: Workspace) -> None:
        self._workspace = workspace
        self._user = stage.last("USER")
        self.command: list[str] = json.loads(stage.last("CMD"))
        self.health_command: list[str] = json.loads(stage.last("HEALTHCHECK").partition(" CMD ")[2])
        workspace.inside("/run/secrets").mkdir(parents=True)  # engines make the places that something is mounted on

    def make_volume(self, folder: Path, *, mount_point: str) -> None:
        """As engines do where a named volume is mounted for the first time: a copy of what the image has there."""
        _run("cp", "--archive", self._workspace.inside(mount_point), folder)

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
        """A container: the command under the image's user, with the root file system read-only but for the volume."""
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", _ENTER, "enter"]
        places = map(str, (self._workspace.root, secrets_dir, volume, mount_point))
        with log.open("wb") as output:
            return subprocess.Popen(
                [*enter, *places, self._user, self._workspace.directory, *command],
                env={**self._workspace.environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def remove_volume(self, folder: Path) -> None:
        """It goes with the folder."""

    def terminate(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM to the container's first process, as engines do."""
        [first] = psutil.Process(process.pid).children()
        first.terminate()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        for first in psutil.Process(process.pid).children():
            first.kill()  # it outlives who started it
        process.kill()
        process.wait()


class Builder:
    """Builds stages below a folder, which whoever calls empties.

    Args:
        folder: gets a root file system for each stage, some gigabytes.
        build_args: as ``docker build --build-arg`` takes them.
    """

    def __init__(self, folder: Path, build_args: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._args = dict(build_args or {})
        self._built: dict[str, Workspace] = {}

    def build(self) -> Image:
        """Every stage, in order; the last one is the image.

        Raises:
            RuntimeError: a command failed; the end of what it said.
        """
        stages = list(read_stages(self._args).values())
        for stage in stages:
            self._built[stage.name] = self._build(stage)
        return Image(stages[-1], self._built[stages[-1].name])

    def _build(self, stage: Stage) -> Workspace:
        base = self._built.get(stage.base) or Workspace(self._base(stage.base))
        workspace = Workspace(self._folder / stage.name, dict(base.environment), base.directory)
        _copy_tree(base.root, workspace.root)
        arguments: dict[str, str] = {}
        for one in stage.instructions:
            match one.keyword:
                case "ARG":
                    declared = assignments(one.value)
                    arguments |= {name: self._args.get(name, default) for name, default in declared.items()}
                case "ENV":
                    workspace.environment |= assignments(substitute(one.value, {**workspace.environment, **arguments}))
                case "WORKDIR":
                    workspace.directory = one.value
                    workspace.inside("").mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(one, workspace)
                case "RUN":
                    _run_inside(workspace, one.value, arguments)
        return workspace

    def _base(self, image: str) -> Path:
        """A root file system of the image's Debian release, with a Python where the image has its own."""
        root = self._folder / "base"
        if root.exists():
            return root
        make_root(root, release=image.rpartition("-")[2], packages=_BASE_PACKAGES)
        for name in ("python", "python3"):
            (root / "usr" / "local" / "bin" / name).symlink_to("/usr/bin/python3")
        return root

    def _copy(self, one: Instruction, workspace: Workspace) -> None:
        *sources, target = one.value.split()
        if sources[0].startswith("--from="):
            stage, folder = sources
            _copy_tree(self._built[stage.removeprefix("--from=")].inside(folder), workspace.inside(target))
            return
        for source in map(PurePosixPath, sources):
            for path in context_files():
                if source in (path, *path.parents):
                    # Of a folder the content is copied, a file under its name.
                    copied = workspace.inside(target) / (path.name if path == source else path.relative_to(source))
                    copied.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(PROJECT_DIR / path, copied)


def make_root(root: Path, *, release: str, packages: str) -> None:
    """A root file system of a Debian release, with the machine's way to the package registries."""
    debootstrap = shutil.which("debootstrap", path=_IMAGE_PATH) or "debootstrap"
    _run(debootstrap, "--variant=minbase", f"--include={packages}", release, root)
    for name in _PASSED_ON_FILES:
        if (Path("/") / name).is_file():
            shutil.copyfile(Path("/") / name, root / name)


def _copy_tree(source: Path, target: Path) -> None:
    """By hard links: a stage adds files and replaces some, and what it would change in place are logs."""
    target.mkdir(parents=True, exist_ok=True)
    _run("cp", "--archive", "--link", f"{source}/.", target)


def inside(workspace: Workspace, command: str) -> tuple[list[str], dict[str, str]]:
    """What to start, and with which environment, so that a shell's command runs in the root file system."""
    passed_on = {name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON_PREFIXES)}
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={workspace.root}/proc"]
    shell = ["chroot", str(workspace.root), "sh", "-c", 'cd "$0" && eval "$1"', workspace.directory, command]
    return [*enter, *shell], {**passed_on, "HOME": "/root", **workspace.environment}


def _run_inside(workspace: Workspace, command: str, arguments: Mapping[str, str]) -> None:
    shell, environment = inside(workspace, command)
    _run(*shell, environment={**environment, **arguments, **workspace.environment})


def _run(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-4000:]}")

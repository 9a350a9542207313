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
from pathlib import Path

from tests.dockerfile import PROJECT_DIR, Instruction, Stage, assignments, context_files, read_stages, substitute

# What the slim images of Python hold beside Debian's minimum.
_BASE_PACKAGES = "ca-certificates,netbase,tzdata,python3,python3-venv"
_IMAGE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_MIRROR = "http://deb.debian.org/debian"
# The machine's way to the package registries, which people hand to a builder in their own ways.
_PASSED_ON_PREFIXES = ("PIP_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS")
_PASSED_ON_FILES = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")

# A root file system of one's own: nothing can be written but /tmp, and the secrets are files.
_ENTER = """
set -eu
root=$1 secrets=$2 user=$3 directory=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$secrets" "$root/run/secrets"
mount -o remount,bind,ro "$root/run/secrets"
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot . setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs --bounding-set=-all \
  --inh-caps=-all sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
"""


def can_build() -> bool:
    """Whether this machine has what it takes."""
    return os.geteuid() == 0 and shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") is not None


class Image:
    """A built stage: its root file system, and what its instructions say of how it runs."""

    def __init__(self, stage: Stage, root: Path, environment: Mapping[str, str], directory: str) -> None:
        self._root = root
        self._environment = environment
        self._directory = directory
        self._user = stage.last("USER")
        self.command: list[str] = json.loads(stage.last("CMD"))
        self.health_command: list[str] = json.loads(stage.last("HEALTHCHECK").partition(" CMD ")[2])

    def start(
        self, command: Sequence[str], *, secrets_dir: Path, environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """A container: the command under the image's user, with the root file system read-only."""
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", _ENTER, "enter"]
        with log.open("wb") as output:
            return subprocess.Popen(
                [*enter, str(self._root), str(secrets_dir), self._user, self._directory, *command],
                env={**self._environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )


class Builder:
    """Builds stages below a folder, which whoever calls empties.

    Args:
        folder: gets a root file system for each stage, some gigabytes.
        build_args: as ``docker build --build-arg`` takes them.
    """

    def __init__(self, folder: Path, build_args: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._args = dict(build_args or {})
        self._stages = read_stages(self._args)
        self._built: dict[str, tuple[Path, dict[str, str], str]] = {}

    def build(self) -> Image:
        """Every stage, in order; the last one is the image.

        Raises:
            subprocess.CalledProcessError: a command failed; its output says why.
        """
        for stage in self._stages.values():
            self._built[stage.name] = self._build(stage)
        root, environment, directory = self._built[stage.name]
        (root / "run" / "secrets").mkdir(parents=True)  # engines make the places that something is mounted on
        return Image(stage, root, environment, directory)

    def _build(self, stage: Stage) -> tuple[Path, dict[str, str], str]:
        base, environment, directory = self._built.get(stage.base) or (self._base(stage.base), {}, "/")
        root = self._folder / stage.name
        _run("cp", "--archive", "--reflink=auto", base, root)
        environment = {"PATH": _IMAGE_PATH, **environment}
        arguments: dict[str, str] = {}
        for one in stage.instructions:
            match one.keyword:
                case "ARG":
                    arguments |= {
                        name: self._args.get(name, default) for name, default in assignments(one.value).items()
                    }
                case "ENV":
                    environment |= assignments(substitute(one.value, {**environment, **arguments}))
                case "WORKDIR":
                    directory = one.value
                    (root / directory.strip("/")).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(one, root, directory)
                case "RUN":
                    self._run_inside(root, directory, one.value, {**arguments, **environment})
        return root, environment, directory

    def _base(self, image: str) -> Path:
        """A root file system of the image's Debian release, with a Python where the image has its own."""
        root = self._folder / "base"
        if not root.exists():
            release = image.rpartition("-")[2]
            debootstrap = shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") or "debootstrap"
            _run(debootstrap, "--variant=minbase", f"--include={_BASE_PACKAGES}", release, root, _MIRROR)
            for name in ("python", "python3"):
                (root / "usr" / "local" / "bin" / name).symlink_to("/usr/bin/python3")
        for name in _PASSED_ON_FILES:
            if (Path("/") / name).is_file():
                shutil.copyfile(Path("/") / name, root / name)
        return root

    def _copy(self, one: Instruction, root: Path, directory: str) -> None:
        *sources, target = one.value.split()
        place = root / str(Path("/", directory, target)).strip("/")
        if sources[0].startswith("--from="):
            stage = sources.pop(0).removeprefix("--from=")
            [source] = sources
            place.mkdir(parents=True, exist_ok=True)
            _run("cp", "--archive", "--reflink=auto", f"{self._built[stage][0] / source.strip('/')}/.", place)
            return
        for source in sources:
            below = [path for path in context_files() if Path(source) in (Path(path), *map(Path, path.parents))]
            if not below:
                raise FileNotFoundError(f"the build is given no {source}")
            for path in below:
                # A folder's content is copied, a file under its name.
                copied = place / (path.relative_to(source) if source.endswith("/") else path.name)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT_DIR / path, copied)

    def _run_inside(self, root: Path, directory: str, command: str, environment: Mapping[str, str]) -> None:
        passed_on = {name: value for name, value in os.environ.items() if name.upper().startswith(_PASSED_ON_PREFIXES)}
        _run(
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"),
            *("chroot", root, "sh", "-c", 'cd "$0" && eval "$1"', directory, command),
            environment={**passed_on, "HOME": "/root", **environment},
        )


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

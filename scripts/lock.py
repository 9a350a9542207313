"""Resolve what pyproject.toml declares, once, and write the requirements files from that: ``make lock``.

``requirements.lock`` is the resolution: every extra together, exact versions, hashes, and who asked for what. Each
requirements file is a part of it: what its own declarations lead to, less what is installed beside it. Versions that
are locked stay until they no longer fit; ``--upgrade`` or ``--upgrade-package NAME`` lets them move. Runs on the
standard library, beside uv.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # of TOML

PROJECT_DIR = Path(__file__).resolve().parents[1]
LOCK = "requirements.lock"
ROOT = "cv-service (pyproject.toml)"
SERVICE = ""
"""Stands for the project's own dependencies among the names of extras."""
_DECLARED = "# sha256 of the declarations: "
_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class RequirementsFile:
    """One file to install.

    Attributes:
        extras: whose declarations it serves.
        beside: files that are installed into the same environment before it, and whose packages it leaves out.
        without: packages that it leaves out for another reason, which ``about`` gives.
        hashed: whether its packages are the same files on every machine.
    """

    name: str
    extras: tuple[str, ...]
    about: tuple[str, ...]
    beside: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    hashed: bool = True


FILES = (
    RequirementsFile("requirements.txt", (SERVICE,), ("What the service runs on, on a CPU.",)),
    RequirementsFile(
        "requirements-gpu.txt",
        (SERVICE, "gpu"),
        (
            "What the service runs on, on NVIDIA GPUs: onnxruntime-gpu in the place of onnxruntime, and the CUDA 13",
            "libraries that it loads. The driver must be 580 or newer. Linux x86-64.",
        ),
        without=("onnxruntime",),
    ),
    RequirementsFile(
        "requirements-embedded.txt",
        ("embedded",),
        (
            "The servers of `make run` and of the tests, beside requirements.txt; a deployment with backends of its",
            "own needs none.",
        ),
        beside=("requirements.txt",),
    ),
    RequirementsFile(
        "requirements-dev.txt",
        ("dev",),
        ("Tests, checks and load tests, beside requirements.txt and requirements-embedded.txt.",),
        beside=("requirements.txt", "requirements-embedded.txt"),
    ),
    RequirementsFile(
        "requirements-models.txt",
        ("models",),
        (
            "The conversion environment of scripts/download_models.py, made on demand and never part of the serving",
            "one. PyTorch itself is in requirements-models-torch.txt.",
        ),
        without=("torch",),
    ),
    RequirementsFile(
        "requirements-models-torch.txt",
        ("models",),
        (
            "PyTorch in the conversion environment, after requirements-models.txt. No hash: its builds for CPUs and",
            "for GPUs are different files, and the libraries that a build needs come with it.",
        ),
        beside=("requirements-models.txt",),
        hashed=False,
    ),
    RequirementsFile(
        "requirements-models-detectors.txt",
        ("detectors",),
        (
            "YOLOv8 in the conversion environment, in a folder of its own (--target): transformers imports whatever",
            "torchvision it finds, and fails where that was built for another PyTorch. Exporting needs only its name.",
        ),
        beside=("requirements-models.txt", "requirements-models-torch.txt"),
    ),
    RequirementsFile(
        "requirements-servers.txt",
        ("servers",),
        ("A Milvus standalone server for `make test-servers`, in an environment of its own. Linux x86-64.",),
    ),
    RequirementsFile("requirements-sdk.txt", ("sdk",), ("For `make sdk`, in an environment of its own.",)),
    RequirementsFile("requirements-docs.txt", ("docs",), ("For `make docs`, in an environment of its own.",)),
    RequirementsFile("requirements-audit.txt", ("audit",), ("For `make audit`, in an environment of its own.",)),
    RequirementsFile("requirements-lock.txt", ("lock",), ("For `make lock`, in an environment of its own.",)),
)


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of the resolution.

    Attributes:
        pins: its lines with versions and markers, several where markers choose; hashes with them.
        asked_by: the packages that need it, or ROOT.
    """

    pins: tuple[tuple[str, tuple[str, ...]], ...]
    asked_by: frozenset[str]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def package_of(requirement: str) -> str:
    """The normalised name at the beginning of a requirement."""
    return normalised(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])


@dataclass(frozen=True, slots=True)
class Declarations:
    """What pyproject.toml says of dependencies."""

    project: Mapping[str, Any]
    uv: Mapping[str, Any]

    @classmethod
    def read(cls) -> Declarations:
        document = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))
        return cls(document["project"], document["tool"]["uv"])

    def of(self, extra: str) -> list[str]:
        """The requirements of an extra, or the service's own."""
        found: list[str] = (
            self.project["dependencies"] if extra == SERVICE else self.project["optional-dependencies"][extra]
        )
        return found

    def packages(self, extras: Iterable[str]) -> set[str]:
        """Their names, normalised."""
        return {package_of(requirement) for extra in extras for requirement in self.of(extra)}

    def fingerprint(self) -> str:
        """Changes with whatever changes the resolution."""
        parts = [self.project[key] for key in ("requires-python", "dependencies", "optional-dependencies")]
        return hashlib.sha256(json.dumps([*parts, self.uv], sort_keys=True).encode()).hexdigest()


def read_lock(text: str) -> dict[str, Locked]:
    """The packages of a lock, by normalised name."""
    pins: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    asked_by: dict[str, set[str]] = {}
    name = ""
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        first, *rest = block.splitlines()
        if first.startswith("#") or not first:
            continue
        name = package_of(first)
        hashes = tuple(line.strip().removesuffix("\\").strip() for line in rest if "--hash=" in line)
        pins.setdefault(name, []).append((first.removesuffix("\\").strip(), hashes))
        notes = [line.strip(" #") for line in rest if line.lstrip().startswith("#")]
        asked_by.setdefault(name, set()).update(note.removeprefix("via").strip() for note in notes)
    return {name: Locked(tuple(pins[name]), frozenset(asked_by[name] - {""})) for name in pins}


def needed_by(roots: Iterable[str], lock: Mapping[str, Locked]) -> set[str]:
    """The packages that roots lead to, themselves included."""
    needs: dict[str, set[str]] = {}
    for name, locked in lock.items():
        for parent in locked.asked_by - {ROOT}:
            needs.setdefault(normalised(parent), set()).add(name)
    found, open_ones = set(), list(roots)
    while open_ones:
        name = open_ones.pop()
        if name not in found:
            found.add(name)
            open_ones += needs.get(name, ())
    return found & lock.keys()


def requirements_files(declared: Declarations, lock: Mapping[str, Locked]) -> dict[str, str]:
    """The text of every requirements file, by name."""
    packages: dict[str, set[str]] = {}
    for file in FILES:
        beside = set().union(*(packages[name] for name in file.beside))
        packages[file.name] = needed_by(declared.packages(file.extras), lock) - beside - set(file.without)
    return {file.name: _text(file, {name: lock[name] for name in packages[file.name]}) for file in FILES}


def _text(file: RequirementsFile, packages: Mapping[str, Locked]) -> str:
    options = "--no-deps --require-hashes " if file.hashed else ""
    lines = [*file.about, "Written by `make lock` out of requirements.lock. Install with"]
    lines = [f"# {line}" for line in [*lines, f"  pip install {options}-r {file.name}"]]
    for name in sorted(packages):
        for pin, hashes in packages[name].pins:
            lines.append(" \\\n".join([pin, *(f"    {each}" for each in hashes)]) if file.hashed else pin)
    return "\n".join(lines) + "\n"


def resolve(declared: Declarations, options: list[str]) -> None:
    """Let uv write the lock; locked versions are preferred where they still fit."""
    lock = PROJECT_DIR / LOCK
    # fmt: off
    command = [
        sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--output-file", LOCK, "--quiet",
        "--all-extras", "--universal", "--generate-hashes", "--no-header", "--python-version", "3.11", *options,
    ]
    # fmt: on
    subprocess.run(command, check=True, cwd=PROJECT_DIR, timeout=_TIMEOUT_S)
    text = lock.read_text(encoding="utf-8")
    for environment in declared.uv["environments"]:
        text = without_environment(text, environment)
    about = "# The one resolution of what pyproject.toml declares, all extras together. Written by `make lock`."
    lock.write_text(f"{about}\n{_DECLARED}{declared.fingerprint()}\n{text}", encoding="utf-8")


def without_environment(text: str, environment: str) -> str:
    """Lines lose the marker that says no more than where the lock is valid at all."""
    text = text.replace(f" ; {environment} \\", " \\")
    for part in environment.split(" and "):
        text = text.replace(f" and {part}", "").replace(f" ; {part} and ", " ; ")
    return text


def declared_in(text: str) -> str:
    """The fingerprint of the declarations that a lock was made of."""
    return next(line.removeprefix(_DECLARED) for line in text.splitlines() if line.startswith(_DECLARED))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit together")
    parser.add_argument("--upgrade-package", action="append", default=[], metavar="NAME", help="let this one move")
    chosen = parser.parse_args()
    options = ["--upgrade"] if chosen.upgrade else []
    options += [part for name in chosen.upgrade_package for part in ("--upgrade-package", name)]
    declared = Declarations.read()
    resolve(declared, options)
    lock = read_lock((PROJECT_DIR / LOCK).read_text(encoding="utf-8"))
    for name, text in requirements_files(declared, lock).items():
        (PROJECT_DIR / name).write_text(text, encoding="utf-8")
    print(f"{len(lock)} packages locked; {len(FILES)} requirements files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())

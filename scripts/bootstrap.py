"""Make the virtual environment and install locked requirements into it; nothing to do when that was done before.

Standard library only, since nothing else is there yet. Each requirements file is remembered by its hash, so a later
start reads a few kilobytes and needs no network.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


class BootstrapError(Exception):
    """The environment could not be made; the message says what to do."""


def hashes_of(files: list[Path]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


class Environment:
    """A virtual environment in a folder.

    Args:
        folder: absolute; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._stamp = folder / "installed-requirements.json"

    def installed(self) -> dict[str, str]:
        """Hashes of the requirements files that were installed completely."""
        try:
            record = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def is_usable(self) -> bool:
        """Whether its Python starts and is new enough; moving or upgrading the base Python breaks an environment."""
        probe = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
        try:
            return subprocess.run([self.python, "-c", probe], check=False, capture_output=True).returncode == 0
        except OSError:
            return False

    def create(self) -> None:
        """Make it with the Python that runs this, and with pip, which fetching the models needs as well."""
        say(f"making {self.folder} with Python {sys.version.split()[0]}")
        has_ensurepip = importlib.util.find_spec("ensurepip") is not None
        options = ["--clear"] if has_ensurepip else ["--clear", "--without-pip"]
        require(
            [sys.executable, "-m", "venv", *options, str(self.folder)],
            failure="Could not make the virtual environment; on Debian and Ubuntu: apt install python3-venv",
        )
        if not has_ensurepip:
            self._install_pip()

    def install(self, files: list[Path]) -> None:
        """Install all of ``files`` and remember them, once all went well."""
        say(f"installing {', '.join(file.name for file in files)} (the first time, a minute or more)")
        require(
            [
                str(self.python),
                *(*_PIP, "install", "--no-deps", "--require-hashes"),
                *(part for file in files for part in ("-r", str(file))),
            ],
            failure="Could not install the requirements; the lines above say why. Run the same command again to go on",
        )
        # Replaced, not rewritten: a copy of the environment made of hard links keeps its own.
        record = self._stamp.with_suffix(".new")
        record.write_text(json.dumps(self.installed() | hashes_of(files), indent=2) + "\n", encoding="utf-8")
        record.replace(self._stamp)

    def make_importable(self, project: Path) -> None:
        """Let its Python import ``project`` from any folder, so that scripts run by their path too.

        The way there is relative, so that both may be moved together.
        """
        [packages] = self.folder.glob("lib/python3*/site-packages")
        way = os.path.relpath(project, packages)
        (packages / "cv-service.pth").write_text(f"{way}\n", encoding="utf-8")

    def offer_command(self, project: Path) -> None:
        """Let ``bin/cv`` be the project's command; a relative link, so that both may be moved together."""
        link = self.folder / "bin" / "cv"
        target = os.path.relpath(project / "scripts" / "cv", link.parent)
        if not (link.is_symlink() and str(link.readlink()) == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def _install_pip(self) -> None:
        """By our own pip: Debian's Python has no ensurepip until python3-venv is installed."""
        if importlib.util.find_spec("pip") is None:
            raise BootstrapError("This Python has no pip; on Debian and Ubuntu: apt install python3-venv")
        require(
            [sys.executable, *_PIP, "--python", str(self.python), "install", "pip"],
            failure="Could not install pip; the lines above say why",
        )


def say(line: str) -> None:
    """Tell the person at the terminal."""
    print(f"[setup] {line}", flush=True)


def require(argv: list[str], *, failure: str) -> None:
    """Run a program whose output is ours. Raises BootstrapError when it fails."""
    if subprocess.run(argv, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        raise BootstrapError(f"{failure}.")


@contextmanager
def only_one(lock_file: Path) -> Iterator[None]:
    """Two first starts of one checkout, side by side, install one after the other."""
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def bootstrap(folder: Path, files: list[Path]) -> None:
    """Bring the environment in ``folder`` to what ``files`` say.

    Raises:
        BootstrapError: a step failed; running it again goes on from there.
    """
    environment = Environment(folder)
    wanted = hashes_of(files)
    with only_one(folder.with_name(f"{folder.name}.lock")):
        if not environment.is_usable():
            environment.create()
        environment.make_importable(PROJECT_DIR)
        environment.offer_command(PROJECT_DIR)
        missing = [file for file in files if environment.installed().get(file.name) != wanted[file.name]]
        if missing:
            environment.install(missing)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="requirements files, complete with dependencies")
    parser.add_argument("--venv", default=".venv", help="folder of the environment, in the project (default: .venv)")
    options = parser.parse_args()
    try:
        bootstrap(PROJECT_DIR / options.venv, [PROJECT_DIR / name for name in options.files])
    except BootstrapError as error:
        print(f"[setup] {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

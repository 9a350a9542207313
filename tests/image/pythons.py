"""The unit tests on the Python of another Debian release: ``make test-python RELEASE=trixie``.

A root file system of that release gets the tracked files and an environment of the locked packages, as a user's first
start would. Needs root, debootstrap and some four gigabytes for a while. What needs servers or trains is left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.dockerfile import PROJECT_DIR
from tests.image.container import Workspace, can_build, inside, make_root

_PACKAGES = "ca-certificates,netbase,tzdata,python3,python3-venv,git"
_HOME = "/srv/cv"
_COMMAND = """
python3 --version
python3 scripts/bootstrap.py requirements.txt requirements-embedded.txt requirements-dev.txt
.venv/bin/python -m pytest -q -m 'not slow' -n 2 --dist loadfile tests/unit
"""


def main() -> int:
    """Returns the exit status of the tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", help="of Debian: bookworm has Python 3.11.2, trixie 3.13, sid a later one")
    options = parser.parse_args()
    if not can_build():
        parser.error("root and debootstrap are needed")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make_root(root, release=options.release, packages=_PACKAGES)
        _copy_tracked(root / _HOME.strip("/"))
        shell, environment = inside(Workspace(root, directory=_HOME), f"set -e; {_COMMAND}")
        return subprocess.run(shell, check=False, env=environment).returncode


def _copy_tracked(target: Path) -> None:
    """With the fetched weights, where there are some: the same files for every Python."""
    subprocess.run(["git", "clone", "--quiet", PROJECT_DIR, target], check=True)  # noqa: S607
    weights = Path("app", "ml_models", "weights")
    if (PROJECT_DIR / weights).is_dir():
        shutil.copytree(PROJECT_DIR / weights, target / weights)


if __name__ == "__main__":
    sys.exit(main())

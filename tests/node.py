"""Node.js and npm, as the distribution has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest


def require_node() -> None:
    """Skip the test where Node.js or npm is missing, or fail it if CV_REQUIRE_NODE is set."""
    if shutil.which("node") and shutil.which("npm"):
        return
    if os.environ.get("CV_REQUIRE_NODE"):
        pytest.fail("no Node.js with npm (Debian: nodejs npm)")
    pytest.skip("no Node.js with npm (Debian: nodejs npm)")


def ran(*command: str | Path, folder: Path, timeout_s: float, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; fails the test with all of it where the command fails."""
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout

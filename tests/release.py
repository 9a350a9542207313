"""The release before this one, out of the history of this clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RELEASE = "2aeaa8c"
"""Its last commit; its tables are those of 0027."""

_PROJECT_DIR = Path(__file__).resolve().parents[1]


def files_of_release(*paths: str) -> bytes:
    """A tar archive of files and folders as the release has them. A clone whose history is too short skips the test."""
    archive = subprocess.run(
        ["git", "archive", RELEASE, *paths],  # noqa: S607
        cwd=_PROJECT_DIR,
        check=False,
        capture_output=True,
        timeout=60,
    )
    if archive.returncode:
        pytest.skip(f"this clone's history does not reach back to {RELEASE}")
    return archive.stdout

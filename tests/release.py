"""The release before this one, out of the history of this clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RELEASE = "Carry over two sessions: documents, faces, hazards, cameras, console"
"""The subject of its last commit, which outlives a history that is written anew; its tables are those of 0035."""

_PROJECT_DIR = Path(__file__).resolve().parents[1]


def files_of_release(*paths: str) -> bytes:
    """A tar archive of files and folders as the release has them. A clone whose history is too short skips the test."""
    commit = _git("log", "-1", "--format=%H", "--fixed-strings", f"--grep={RELEASE}").decode().strip()
    if not commit:
        pytest.skip(f"this clone's history does not reach back to: {RELEASE}")
    return _git("archive", commit, *paths)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=_PROJECT_DIR, check=False, capture_output=True, timeout=60).stdout  # noqa: S607

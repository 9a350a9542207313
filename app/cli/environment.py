"""Finds the settings by itself: those of a ``make run`` that is up, and the project's ``.env``, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:  # the help of a command reads no settings
    from app.config import Settings

PROJECT_DIR = Path(__file__).resolve().parents[2]
NO_BACKENDS = {"DATABASE_URL": "postgresql://unused", "MINIO_ACCESS_KEY": "unused", "MINIO_SECRET_KEY": "unused"}
"""For what needs the models alone, and must work on a machine that knows none of the servers."""

_PATIENCE_S = 60.0

# What a local run sets beside the addresses of its servers, unless somebody gave it.
_LOCAL = {"RABBITMQ_URL": "", "AUTH_REQUIRED": "false"}


def patient(settings: Settings, *, timeout_s: float = _PATIENCE_S) -> Settings:
    """For work that no request waits for: one call to a backend, a page of a full bucket, say, may take so long."""
    return settings.model_copy(update={"BACKEND_TIMEOUT_S": max(settings.BACKEND_TIMEOUT_S, timeout_s)})


def found_settings(given: Mapping[str, str], *, project_dir: Path = PROJECT_DIR) -> dict[str, str]:
    """What to add to an environment: ``.env``, and the addresses of a local run where DATABASE_URL is not given.

    Args:
        given: the environment, which wins.
        project_dir: where ``.env`` lies, and from where a relative CV_DATA_DIR counts.
    """
    from_file = {name: value for name, value in dotenv_values(project_dir / ".env").items() if value is not None}
    known = from_file | dict(given)
    data_dir = project_dir / known.get("CV_DATA_DIR", "data")
    found = {name: value for name, value in from_file.items() if name not in given}
    backends = data_dir / "run" / "backends.env"
    if "DATABASE_URL" not in given and backends.is_file():
        own_keys = known.get("CV_MASTER_KEY") or known.get("CV_MASTER_KEY_FILE")
        local = {name: value for name, value in dotenv_values(backends).items() if value is not None}
        if own_keys:
            local.pop("CV_MASTER_KEY_FILE", None)
        found |= {name: value for name, value in _LOCAL.items() if name not in known} | local
        found["CV_DATA_DIR"] = str(data_dir)
    return found


def run_script(name: str, arguments: Sequence[str]) -> int:
    """Run one of the project's scripts, which the service itself never imports; its exit status.

    It takes as long as it takes: a download or a training. Ctrl-C ends it with us.
    """
    argv = [sys.executable, str(PROJECT_DIR / "scripts" / name), *arguments]
    return subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(PROJECT_DIR)}, check=False).returncode

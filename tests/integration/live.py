"""The real application behind a real socket, in a thread of the test process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx
import uvicorn
from pydantic import SecretStr

from app.config import Settings
from app.main import create_app
from tests.backends import RunningBackends

START_TIMEOUT_S = 240.0  # a machine that does other things besides loads models slowly
PROJECT_DIR = Path(__file__).resolve().parents[2]


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring a database to a revision, by the command that people use; ``-1`` and ``base`` go down."""
    command = "downgrade" if revision.startswith("-") or revision == "base" else "upgrade"
    subprocess.run(
        [sys.executable, "-m", "alembic", command, "--", revision],
        cwd=PROJECT_DIR,
        env={**os.environ, "DATABASE_URL": database_url},
        check=True,
        capture_output=True,
        timeout=60,
    )


@cache
def _template_of(backends: RunningBackends) -> str:
    """The name of a migrated database that nobody uses."""
    url = backends.new_database()
    migrate(url)
    return url.rpartition("/")[2]


def migrated_database(backends: RunningBackends) -> str:
    """The address of a new, migrated database: a copy, which takes a tenth of the time of the migrations."""
    return backends.new_database(like=_template_of(backends))


def environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a process of its own these settings."""
    given = dict(os.environ)
    for name, value in settings.model_dump().items():
        if isinstance(value, SecretStr):
            given[name] = value.get_secret_value()
        elif isinstance(value, dict | list | tuple):
            given[name] = json.dumps(value)
        else:
            given[name] = "" if value is None else str(value)
    return given


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service with these settings, on a free port."""
    config = uvicorn.Config(
        create_app(settings),
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            assert thread.is_alive(), "the service stopped while it started"
            assert time.monotonic() < deadline, "the service did not start in time"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=30)

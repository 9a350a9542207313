"""The real application behind a real socket, in a thread of the test process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx
import uvicorn
from pydantic import SecretStr

from app.api.problems import MEDIA_TYPE
from app.config import Settings
from app.main import create_app
from app.server import KEEP_ALIVE_S
from scripts.export_errors import CODES
from tests.backends import RunningBackends
from tests.served import served

START_TIMEOUT_S = 240.0  # a machine that does other things besides loads models slowly
PROJECT_DIR = Path(__file__).resolve().parents[2]


def migrate(database_url: str, revision: str = "head", *, source: Path = PROJECT_DIR) -> None:
    """Bring a database to a revision, by the command that people use; ``-1`` and ``base`` go down. The migrations are
    those of the code in a folder."""
    command = "downgrade" if revision.startswith("-") or revision == "base" else "upgrade"
    subprocess.run(
        [sys.executable, "-m", "alembic", command, "--", revision],
        cwd=source,
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


@cache
def _codes() -> dict[str, dict[str, list[str]]]:
    codes: dict[str, dict[str, list[str]]] = json.loads(CODES.read_text(encoding="utf-8"))
    return codes


def _is_documented(response: httpx.Response) -> None:
    """Whichever test meets a code that docs/errors.md does not list under its status fails."""
    if response.headers.get("content-type") == MEDIA_TYPE:
        code = json.loads(response.read())["code"]
        assert code in _codes().get(str(response.status_code), {}), f"{response.status_code} {code} is not documented"


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service with these settings, on a free port."""
    config = uvicorn.Config(
        create_app(settings),
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
    )
    hooks = {"response": [_is_documented]}
    with (
        served(config, start_timeout_s=START_TIMEOUT_S) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, event_hooks=hooks) as client,
    ):
        yield client

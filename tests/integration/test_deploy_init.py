"""The init step of the compose file, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess

import asyncpg
import pytest

from scripts.local.postgres import ADMIN
from tests.backends import RunningBackends
from tests.integration.live import PROJECT_DIR, migrate

pytestmark = pytest.mark.any_server

PASSWORD = "0123456789abcdef" * 3


@pytest.fixture(scope="module")
def database_url(backends: RunningBackends, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the database that the script made, twice: it bears repetition."""
    server, secrets = backends.postgres(), tmp_path_factory.mktemp("secrets")
    (secrets / "postgres_password").write_text(f"{server.credentials.postgres_admin_password}\n", encoding="ascii")
    given = {
        "PATH": f"{server.files.bin_dir}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": ADMIN,
        "DATABASE": "of_compose",
        "SECRETS_DIR": str(secrets),
    }
    for password in ("an-earlier-one", PASSWORD):
        (secrets / "database_password").write_text(f"{password}\n", encoding="ascii")
        done = subprocess.run(
            ["/bin/sh", "deploy/init/database.sh"],
            cwd=PROJECT_DIR,
            env=given,
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert password not in done.stdout + done.stderr
    return f"postgresql://cv:{PASSWORD}@127.0.0.1:{server.port}/of_compose"


async def test_the_role_owns_its_database_and_is_nobody_else(database_url: str) -> None:
    migrate(database_url)
    connection = await asyncpg.connect(database_url)
    rights = await connection.fetchrow(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'cv'"
    )
    assert rights is not None
    assert not any(rights)
    assert await connection.fetchval("SELECT count(*) FROM face_templates") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE ROLE friend SUPERUSER")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("COPY face_templates TO PROGRAM 'cat'")
    await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(database_url.replace("/of_compose", "/postgres"))

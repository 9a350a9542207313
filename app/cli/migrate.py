"""``cv migrate``: tables and vector collections of this version."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack

import click

from app.cli.environment import PROJECT_DIR, patient
from app.cli.output import Report
from app.composition.backends import open_backends
from app.config import Settings, load_settings
from app.errors import ConfigurationError
from app.utils.logging import setup_logging

_TABLES_TIMEOUT_S = 3600.0  # a migration may rewrite a large table


def run_migrations(settings: Settings, output: Report, command: str, revision: str) -> None:
    """``upgrade`` or ``downgrade`` to a revision, by alembic in a process of its own: it runs a loop.

    Raises:
        ConfigurationError: it failed; what it said is on standard error.
    """
    url = settings.DATABASE_URL.get_secret_value()
    done = subprocess.run(
        [sys.executable, "-m", "alembic", command, revision],
        cwd=PROJECT_DIR,
        env={**os.environ, "DATABASE_URL": url},
        check=False,
        capture_output=True,
        text=True,
        timeout=_TABLES_TIMEOUT_S,
    )
    if done.returncode != 0:
        output.note(done.stderr[-2000:].rstrip())
        raise ConfigurationError("The migrations failed; the lines above say why.", code="migration_failed")


def migrate_tables(settings: Settings, output: Report) -> None:
    """Bring the tables to the newest revision.

    Raises:
        ConfigurationError: as ``run_migrations`` does.
    """
    run_migrations(settings, output, "upgrade", "head")
    output.line("tables: ready")


async def create_collections(settings: Settings, output: Report) -> dict[str, str]:
    """Open, and so create, every collection; which stands behind which public name."""
    async with AsyncExitStack() as stack:
        vectors = (await open_backends(stack, patient(settings))).vectors
        await vectors.open()
        for index in vectors.indexes:
            count = await index.count()
            output.line(f"{index.spec.public_name} -> {index.spec.collection}: ready, {count} vectors")
        return {index.spec.public_name: index.spec.collection for index in vectors.indexes}


@click.command("migrate")
@click.option("--collections-only", is_flag=True, help="The vector collections alone; the tables are there.")
@click.pass_obj
def command(output: Report, *, collections_only: bool) -> None:
    """Bring the tables to this version and make the vector collections of the model pack. Safe to run again.

    Migrations only add: a service of the version before goes on meanwhile.
    """
    setup_logging(level="WARNING")
    settings = load_settings()
    if not collections_only:
        migrate_tables(settings, output)
    output.result({"collections": asyncio.run(create_collections(settings, output))})

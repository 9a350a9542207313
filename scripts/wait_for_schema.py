"""Wait until the database has the tables of this version, made by its own migrations or by a later version's.

For what starts beside the migrations, as Kubernetes starts pods beside a job:  python scripts/wait_for_schema.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.composition.backends import open_database
from app.config import Settings, load_settings
from app.errors import BackendUnavailable, VisionError
from app.services.database import VERSION_TABLE, Database
from app.services.stores.schema import older_revisions

_PAUSE_S = 1.0


async def stored_revision(database: Database) -> str | None:
    """The database's own; None before the first migration.

    Raises:
        BackendUnavailable: PostgreSQL does not answer.
    """
    table = await database.fetch_one("SELECT to_regclass($1) AS found", VERSION_TABLE)
    if table is None or table["found"] is None:
        return None
    row = await database.fetch_one(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  # a constant
    return None if row is None else row["version_num"]


async def wait(settings: Settings) -> None:
    """Return when the tables are there."""
    older = {None, *older_revisions()}
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        while True:
            try:
                if await stored_revision(database) not in older:
                    return
            except BackendUnavailable:
                pass  # it starts beside us, too
            await asyncio.sleep(_PAUSE_S)


def main(given: Sequence[str] | None = None) -> int:
    """Exit status 0 when the tables are there, 1 when they did not come in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout-s", type=float, default=600.0, help="give up after this (default: %(default)s)")
    options = parser.parse_args(given)
    try:
        asyncio.run(asyncio.wait_for(wait(load_settings()), options.timeout_s))
    except VisionError as error:
        print(f"wait_for_schema: {error.message}", file=sys.stderr)
        return 1
    except TimeoutError:
        print(
            "wait_for_schema: the database does not answer or lacks tables of this version: cv migrate",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

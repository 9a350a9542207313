"""Whether the database can serve this version: its tables are there, and it takes writes; how they are marked."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.errors import BackendUnavailable, SchemaMissing
from app.services.database import BACKEND, VERSION_TABLE, Connection, Database

OWNER_MARK = "created by cv-service"
"""The comment of every table that a migration made: the hotel's own database may have others."""

_MIGRATIONS = Path(__file__).resolve().parents[3] / "alembic" / "versions"

_WRITES_EVERY_S = 5.0
_LOOK = (
    "SELECT version_num, current_setting('transaction_read_only') AS read_only, "  # noqa: S608  # a constant
    f"(SELECT count(*) FROM face_templates WHERE FALSE) FROM {VERSION_TABLE}"
)
# One transaction and one round trip. Half a megabyte is sorted in less memory than that, so that files grow, which a
# full disk refuses, and are gone at once. The message in the log of writes is in no table; a disk that hangs does not
# take it.
_WRITE = (
    "SET LOCAL work_mem = '64kB'; "
    "SELECT count(*) FROM (SELECT repeat(md5(n::text), 32) AS filler FROM generate_series(1, 500) AS n "
    "ORDER BY filler OFFSET 0) AS sorted; "
    "SELECT pg_logical_emit_message(TRUE, 'cv_health', '')"
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What PostgreSQL says of itself; ``version`` is the major one."""

    version: int
    encoding: str
    max_connections: int
    now: datetime


async def server_facts(connection: Connection) -> ServerFacts:
    """Reads none of our tables."""
    row = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::int / 10000 AS version, "
        "current_setting('server_encoding') AS encoding, "
        "current_setting('max_connections')::int AS max_connections, clock_timestamp() AS now"
    )
    if row is None:
        raise BackendUnavailable(BACKEND)
    return ServerFacts(**row)


def older_revisions() -> Set[str]:
    """Revisions that lack something of this version. One that is unknown here comes from a later version, and a
    version's tables serve the version before."""
    return set(_revisions()[:-1])


def newest_revision() -> str:
    """The revision of this version's tables."""
    return _revisions()[-1]


def _revisions() -> list[str]:
    # Files are named after their revisions, which follow one another. Alembic itself takes a moment to load.
    return sorted(path.name.partition("_")[0] for path in _MIGRATIONS.glob("[0-9]*.py"))


class DatabaseProbe:
    """What /health asks PostgreSQL.

    Args:
        older: revisions whose tables are not enough.
    """

    def __init__(self, database: Database, *, older: Set[str]) -> None:
        self._database = database
        self._older = older
        self._write_due_at = 0.0

    async def look(self) -> None:
        """Read our tables and, every few seconds and after a failure, write without leaving anything.

        Raises:
            BackendUnavailable: no answer comes back, or no write is taken.
            SchemaMissing: our tables are not there, or are those of an older version.
        """
        async with self._database.connection() as connection:
            seen = await connection.fetchrow(_LOOK)
            if seen is None or seen["version_num"] in self._older:
                raise SchemaMissing
            if seen["read_only"] == "on":
                raise BackendUnavailable(BACKEND)
            if time.monotonic() < self._write_due_at:
                return
            self._write_due_at = 0.0
            await connection.execute(_WRITE)
            self._write_due_at = time.monotonic() + _WRITES_EVERY_S

"""PostgreSQL through an asyncpg pool: the record of everything that the service acknowledges."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from app.errors import BackendUnavailable
from app.services.calls import backend_call

BACKEND = "database"
VERSION_TABLE = "cv_alembic_version"
"""Ours alone, because the database may be the hotel's own."""

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = asyncpg.Record

# What says "not there, or going away", as against "your statement is wrong".
_FAILURES = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _keep_session(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Between two uses of a connection asyncpg itself ends an open transaction. Nothing else outlives one here: locks
    are taken for a transaction, and whatever listens or locks for longer has a dedicated connection. So the statement
    that resets a session is spared, a round trip for each use."""


class Database:
    """Short statements and transactions with one time limit; opened lazily, so the service starts without it.

    Args:
        url: ``postgresql://user:password@host:port/name``; ``postgresql+asyncpg://`` is accepted too.
        max_size: connections at most.
        timeout_s: limit of one statement, of one transaction, and of the wait for a connection.
    """

    def __init__(self, url: str, *, max_size: int, timeout_s: float) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._max_size = max_size
        self._timeout_s = timeout_s
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Make the pool; no connection is tried yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._max_size,
            timeout=self._timeout_s,
            command_timeout=self._timeout_s,
            init=_prepare,
            reset=_keep_session,
            max_inactive_connection_lifetime=60,
            server_settings={"application_name": "cv-service", "timezone": "UTC"},
        )

    async def close(self) -> None:
        """Close the pool, waiting for statements under way."""
        if self._pool is not None:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
                await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction; the whole block shares one time limit.

        Raises:
            BackendUnavailable: PostgreSQL does not answer in time.
        """
        if self._pool is None:
            raise BackendUnavailable(BACKEND)
        async with (
            backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES),
            self._pool.acquire(timeout=self._timeout_s) as connection,
        ):
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction, committed when the block ends and rolled back when it raises.

        Raises:
            BackendUnavailable: PostgreSQL does not answer in time; nothing was committed, or the outcome of the
                commit itself is unknown.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *args: object) -> list[Row]:
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetch_one(self, query: str, *args: object) -> Row | None:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        async with self.connection() as connection:
            return await connection.execute(query, *args)

    async def ping(self) -> None:
        """Raises BackendUnavailable unless a statement comes back."""
        await self.fetch_one("SELECT 1")

    @asynccontextmanager
    async def dedicated_connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection outside the pool for LISTEN and session locks, which live as long as the connection.

        Raises:
            BackendUnavailable: no connection could be made.
        """
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            connection = await asyncpg.connect(
                self._url,
                timeout=self._timeout_s,
                command_timeout=self._timeout_s,
                server_settings={
                    "application_name": "cv-service-listener",
                    "timezone": "UTC",
                    # A host that vanished must give its locks back within half a minute, not within two hours.
                    "tcp_keepalives_idle": "10",
                    "tcp_keepalives_interval": "5",
                    "tcp_keepalives_count": "4",
                },
            )
        try:
            await _prepare(connection)
            yield connection
        finally:
            connection.terminate()


def affected(status: str) -> int:
    """The number of rows in a command status such as ``DELETE 3``."""
    return int(status.rsplit(" ", 1)[-1])

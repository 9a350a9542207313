"""PostgreSQL through an asyncpg pool: the record of everything that the service acknowledges.

A time limit bounds each statement and the wait for a connection, never a block: a transaction awaits PostgreSQL alone,
so the sum of its statements is what it takes. The server has limits of its own, shorter than ours, which also end what
a frozen or vanished client left behind.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from app.errors import BackendUnavailable, DiskFull, SchemaMissing
from app.services.calls import backend_call, bounded_call
from app.services.vault import MasterKeys, Vault

BACKEND = "database"
VERSION_TABLE = "cv_alembic_version"
"""Ours alone, because the database may be the hotel's own."""

Row: TypeAlias = asyncpg.Record
_RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

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
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# A dedicated connection is used at least every few seconds; the server ends one whose owner stopped, as a frozen
# process does, and gives its locks to another.
_IDLE_SESSION_MS = 20_000
_IDLE_SESSION_SINCE = (14, 0)
PROOF_OF_LIFE_S = 5.0
"""How often whoever holds a dedicated connection has to use it at least."""


def session_settings(name: str, *, timeout_s: float) -> dict[str, str]:
    """What each session sets on the server when it begins.

    Args:
        name: shown in pg_stat_activity.
        timeout_s: the client's limit of one statement. The server's own are shorter, so that it is the server that ends
            a statement, and the connection remains usable.
    """
    return {
        "application_name": name,
        "timezone": "UTC",
        "lock_timeout": str(round(800 * timeout_s)),
        "statement_timeout": str(round(900 * timeout_s)),
        # What a client that stopped in the middle has locked is free again soon.
        "idle_in_transaction_session_timeout": str(round(2000 * timeout_s)),
        # A host that vanished is noticed within half a minute, not within two hours.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "4",
    }


async def _prepare(connection: _RawConnection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _keep_session(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Between two uses of a connection asyncpg itself ends an open transaction. Nothing else outlives one here: locks
    are taken for a transaction, and whatever listens or locks for longer has a dedicated connection. So the statement
    that resets a session is spared, a round trip for each use."""


class _Transaction:
    """Commits when its block ends, rolls back when it raises.

    Args:
        call: what each of its statements runs in.
    """

    def __init__(
        self, transaction: asyncpg.transaction.Transaction, call: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        self._transaction = transaction
        self._call = call

    async def __aenter__(self) -> None:
        async with self._call():
            await self._transaction.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            async with self._call():
                await self._transaction.commit()
            return
        # What ended the block is what its caller has to hear of. The server rolls back by itself where we can't ask.
        with contextlib.suppress(BackendUnavailable):
            async with self._call():
                await self._transaction.rollback()


class Connection:
    """A connection that its holder has alone. Every statement has the time limit, and raises BackendUnavailable where
    PostgreSQL does not answer, SchemaMissing where it lacks our tables; other errors of the statement itself pass
    through as asyncpg's.

    ``vault`` seals and opens what stores keep encrypted."""

    __slots__ = ("_raw", "_timeout_s", "vault")

    def __init__(self, raw: _RawConnection, *, timeout_s: float, vault: Vault) -> None:
        self._raw = raw
        self._timeout_s = timeout_s
        self.vault = vault

    async def fetch(self, query: str, *args: object) -> list[Row]:
        """All rows."""
        async with self._call():
            return await self._raw.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        """The first row, if there is one."""
        async with self._call():
            return await self._raw.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401  # whatever the column holds
        """The first value of the first row, None without one."""
        async with self._call():
            return await self._raw.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """The command's status, such as ``DELETE 3``."""
        async with self._call():
            return await self._raw.execute(query, *args)

    async def executemany(self, query: str, args: Iterable[Sequence[object]]) -> None:
        """The statement once for each; all of them or none."""
        async with self._call():
            await self._raw.executemany(query, args)

    async def copy_out(self, table: str, *, columns: Sequence[str], file: Path) -> int:
        """Write those columns of every row as PostgreSQL's text of COPY; how many rows."""
        async with self._call():
            return affected(await self._raw.copy_from_table(table, columns=columns, output=file))

    async def copy_in(self, table: str, *, columns: Sequence[str], source: BinaryIO) -> int:
        """Add the rows that ``copy_out`` wrote; how many."""
        async with self._call():
            return affected(await self._raw.copy_to_table(table, columns=columns, source=source))

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A transaction that lasts as long as the block."""
        return _Transaction(self._raw.transaction(), self._call)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        try:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
                yield
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise SchemaMissing from error
        except BackendUnavailable as error:
            if isinstance(error.__cause__, asyncpg.DiskFullError):
                raise DiskFull(BACKEND) from error.__cause__
            if not isinstance(error.__cause__, asyncpg.PostgresError):
                # Nobody answered, and waiting for a rollback would double the caller's wait.
                with contextlib.suppress(asyncpg.InterfaceError):  # it is closed already
                    self._raw.terminate()
            raise


class DedicatedConnection(Connection):
    """A connection outside the pool, for LISTEN and session locks: they live as long as it does."""

    __slots__ = ()

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, and its locks with it."""
        return self._raw.is_closed()

    async def prepare(self) -> None:
        """What has to be done once, before the first statement."""
        async with self._call():
            await _prepare(self._raw)
            if self._raw.get_server_version()[:2] >= _IDLE_SESSION_SINCE:
                await self._raw.execute(f"SET idle_session_timeout = {_IDLE_SESSION_MS}")

    async def listen(self, channel: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` at each notification, and when the connection ends."""
        async with self._call():
            await self._raw.add_listener(channel, lambda *_: wake())
        self._raw.add_termination_listener(lambda *_: wake())

    async def ping(self) -> None:
        """Show that both ends live."""
        await self.execute("SELECT 1")


class Database:
    """Short statements and transactions; opened lazily, so the service starts without it.

    Args:
        url: ``postgresql://user:password@host:port/name``; ``postgresql+asyncpg://`` is accepted too.
        max_size: connections at most.
        timeout_s: limit of one statement, and of the wait for a connection.
        vault: for stores that keep something encrypted; without one they refuse.
    """

    def __init__(self, url: str, *, max_size: int, timeout_s: float, vault: Vault | None = None) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._max_size = max_size
        self._timeout_s = timeout_s
        self.vault = vault or Vault(MasterKeys())
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Make the pool; no connection is tried yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._max_size,
            timeout=self._timeout_s,
            init=_prepare,
            reset=_keep_session,
            max_inactive_connection_lifetime=60,
            server_settings=session_settings("cv-service", timeout_s=self._timeout_s),
        )

    async def close(self) -> None:
        """Close the pool, waiting for statements under way."""
        if self._pool is not None:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
                await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction.

        Raises:
            BackendUnavailable: PostgreSQL does not answer in time.
        """
        if self._pool is None:
            raise BackendUnavailable(BACKEND)
        async with bounded_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            raw = await self._pool.acquire(timeout=self._timeout_s)
        try:
            yield Connection(raw, timeout_s=self._timeout_s, vault=self.vault)
        finally:
            # One that can't be given back is closed; what was done with it is done.
            with contextlib.suppress(BackendUnavailable):
                async with bounded_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
                    await self._pool.release(raw)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction, committed when the block ends and rolled back when it raises. The block
        awaits nothing but this connection.

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
    async def dedicated_connection(self) -> AsyncIterator[DedicatedConnection]:
        """A connection outside the pool, which its holder uses at least every ``PROOF_OF_LIFE_S``.

        Raises:
            BackendUnavailable: no connection could be made.
        """
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=_FAILURES):
            raw = await asyncpg.connect(
                self._url,
                timeout=self._timeout_s,
                server_settings=session_settings("cv-service-listener", timeout_s=self._timeout_s),
            )
        try:
            session = DedicatedConnection(raw, timeout_s=self._timeout_s, vault=self.vault)
            await session.prepare()
            yield session
        finally:
            raw.terminate()


def affected(status: str) -> int:
    """The number of rows in a command status such as ``DELETE 3``."""
    return int(status.rsplit(" ", 1)[-1])

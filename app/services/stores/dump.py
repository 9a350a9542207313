"""The SQL of backups: all rows of the tables that we made, out and in again. Every function runs on the caller's
connection.

Rows travel as PostgreSQL's own text of COPY, so that the archive needs no program of PostgreSQL, and any later version
reads it. Tables that the hotel's own database brought are in its own backup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import BinaryIO

from app.services.database import VERSION_TABLE, Connection
from app.services.stores.schema import OWNER_MARK

# Notes for processes that run: who restores gives them new ones.
_PASSING = ("matrix_changes",)
# What a service leaves that has only been started.
_WITHOUT_CONTENT = ("key_versions", "api_keys", "audit_log", "event_outbox")

_OURS = "c.relkind = 'r' AND pg_table_is_visible(c.oid) AND obj_description(c.oid, 'pg_class') = $1"


@dataclass(frozen=True, slots=True)
class Table:
    """One of our tables with the columns that hold something; those that PostgreSQL computes are left out."""

    name: str
    columns: tuple[str, ...]


async def begin_snapshot(connection: Connection) -> None:
    """First in a transaction: all of it sees the database as it is now."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


async def own_tables(connection: Connection) -> list[Table]:
    """Those that a migration made and that are worth keeping, each after the ones that it refers to."""
    rows = await connection.fetch(
        "SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns "  # noqa: S608  # constants
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        f"WHERE {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' GROUP BY c.relname",
        OWNER_MARK,
    )
    tables = {row["name"]: Table(row["name"], tuple(row["columns"])) for row in rows if row["name"] not in _PASSING}
    references = await connection.fetch(
        "SELECT conrelid::regclass::text AS table, confrelid::regclass::text AS other FROM pg_constraint "
        "WHERE contype = 'f' AND conrelid <> confrelid"
    )
    order: TopologicalSorter[str] = TopologicalSorter({name: [] for name in sorted(tables)})
    for row in references:
        if row["table"] in tables and row["other"] in tables:
            order.add(row["table"], row["other"])
    return [tables[name] for name in order.static_order()]


async def write_table(connection: Connection, table: Table, file: Path) -> int:
    """All its rows into ``file``; how many."""
    return await connection.copy_out(table.name, columns=table.columns, file=file)


async def read_table(connection: Connection, table: Table, source: BinaryIO) -> int:
    """The rows that ``write_table`` wrote; how many."""
    return await connection.copy_in(table.name, columns=table.columns, source=source)


async def empty(connection: Connection, tables: Sequence[Table]) -> None:
    """Take every row out of those tables."""
    await connection.execute(f"TRUNCATE {', '.join(table.name for table in tables)}")  # names of our own tables


async def sequences(connection: Connection) -> dict[str, int]:
    """The last number that each of our columns which count by themselves has given, as ``table.column``."""
    rows = await connection.fetch(
        "SELECT c.relname || '.' || a.attname AS column, pg_sequence_last_value(s.seqrelid) AS last "  # noqa: S608  # constants
        "FROM pg_sequence s JOIN pg_depend d ON d.objid = s.seqrelid AND d.deptype IN ('a', 'i') "
        "JOIN pg_class c ON c.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid "
        f"WHERE {_OURS}",
        OWNER_MARK,
    )
    return {row["column"]: row["last"] for row in rows if row["last"] is not None}


async def set_sequences(connection: Connection, last: Mapping[str, int]) -> None:
    """Let each such column go on behind that number."""
    for column, number in last.items():
        table, _, name = column.partition(".")
        await connection.fetchval("SELECT setval(pg_get_serial_sequence($1, $2), $3)", table, name, number)


async def revision(connection: Connection) -> str | None:
    """Which migration the tables are of; None where there are none."""
    if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
        return None
    found: str | None = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  # a constant
    return found


async def count_content(connection: Connection, tables: Sequence[Table]) -> int:
    """How many rows are there that a service which was only started does not make."""
    names = [table.name for table in tables if table.name not in _WITHOUT_CONTENT]
    query = " + ".join(f"(SELECT count(*) FROM {name})" for name in names)  # noqa: S608  # names of our own tables
    return int(await connection.fetchval(f"SELECT {query or '0'}"))


async def other_sessions(connection: Connection) -> int:
    """How many connections of services this database has beside this one."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'cv-service%' AND pid <> pg_backend_pid()"
        )
    )

"""Tables in a database that may be the hotel's own.

A table is created only where none of that name exists, and marked by its comment. A downgrade drops marked tables
alone, so it never takes what we did not bring.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

OWNER_MARK = "created by cv-service"


def create(table: str, columns: str, indexes: Sequence[str] = ()) -> None:
    """Create ``table`` unless the database has one of that name.

    Args:
        columns: what stands between the parentheses of CREATE TABLE.
        indexes: whole CREATE INDEX statements, run only when the table is new.
    """
    if _exists(table):
        return
    op.execute(f"CREATE TABLE {table} ({columns})")
    for index in indexes:
        op.execute(index)
    op.execute(f"COMMENT ON TABLE {table} IS '{OWNER_MARK}'")


def drop(table: str) -> None:
    """Drop ``table`` if ``create`` made it."""
    if _exists(table) and _comment(table) == OWNER_MARK:
        op.execute(f"DROP TABLE {table}")


def _exists(table: str) -> bool:
    return op.get_bind().exec_driver_sql(f"SELECT to_regclass('{table}')").scalar() is not None


def _comment(table: str) -> str | None:
    found = op.get_bind().exec_driver_sql(f"SELECT obj_description('{table}'::regclass, 'pg_class')").scalar()
    return str(found) if found is not None else None

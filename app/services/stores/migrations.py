"""Tables in a database that may be the hotel's own.

A table is created only where none of that name exists, and marked by its comment. A downgrade drops marked tables
alone, so it never takes what we did not bring.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op
from app.services.stores.schema import OWNER_MARK


def create(table: str, columns: str, indexes: Sequence[str] = ()) -> None:
    """Create ``table`` unless the database has one of that name.

    Args:
        columns: what is between the parentheses of CREATE TABLE.
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
    if _is_ours(table):
        op.execute(f"DROP TABLE {table}")


def add_column(table: str, name: str, kind: str) -> None:
    """Add a column that may be null, or has a default, to one of our tables."""
    if _is_ours(table):
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def drop_column(table: str, name: str) -> None:
    """Take such a column away again."""
    if _is_ours(table):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")


def add_index(table: str, name: str, columns: str) -> None:
    """Add an index to one of our tables; ``columns`` with their parentheses."""
    if _is_ours(table):
        op.execute(f"CREATE INDEX {name} ON {table} {columns}")


def add_unique_index(table: str, name: str, columns: str) -> None:
    """As ``add_index``, over what no two rows may have alike."""
    if _is_ours(table):
        op.execute(f"CREATE UNIQUE INDEX {name} ON {table} {columns}")


def drop_index(table: str, name: str) -> None:
    """Take such an index away again."""
    if _is_ours(table):
        op.execute(f"DROP INDEX {name}")


def _is_ours(table: str) -> bool:
    return _exists(table) and _comment(table) == OWNER_MARK


def _exists(table: str) -> bool:
    return op.get_bind().exec_driver_sql(f"SELECT to_regclass('{table}')").scalar() is not None


def _comment(table: str) -> str | None:
    found = op.get_bind().exec_driver_sql(f"SELECT obj_description('{table}'::regclass, 'pg_class')").scalar()
    return str(found) if found is not None else None

"""Runs the migrations over asyncpg, with the DATABASE_URL of the service's settings."""

import asyncio
import os

from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from alembic import context
from app.config import SECRETS_DIR
from app.errors import ConfigurationError
from app.services.database import VERSION_TABLE

# Two replicas that start together must not migrate together.
MIGRATION_LOCK = 0x6376_6D69


def database_url() -> str:
    """``-x url=…`` or DATABASE_URL, from the environment or a secret file, for SQLAlchemy's asyncpg dialect."""
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get("DATABASE_URL", "")
    secret_file = SECRETS_DIR / "DATABASE_URL"
    if not url and secret_file.is_file():
        url = secret_file.read_text(encoding="utf-8").strip()
    if not url:
        raise ConfigurationError("DATABASE_URL is not set; see .env.example.")
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def migrate(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
    connection.commit()
    try:
        context.configure(connection=connection, version_table=VERSION_TABLE, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
        connection.commit()


async def migrate_online() -> None:
    engine = create_async_engine(database_url(), poolclass=pool.NullPool, connect_args={"timeout": 10})
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url=database_url(), literal_binds=True, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate_online())
